/**
 * Memory as documents. Each is made once per change: until the next merge is recorded, the same objects are returned, so
 * that renderings of them can be kept too.
 */
import type { Analyzer } from "../core/analyzer.ts";
import { type Explanation, explain, type PlacedMerge } from "../core/explanation.ts";
import type { MetricSettings } from "../core/metric.ts";
import { type Snapshot, snapshotOf } from "../core/snapshot.ts";
import type { RecentHistory, RecentMerge, StatusHistory } from "../core/status-history.ts";

/** What is in memory. */
type Remembered = { readonly analyzer: Analyzer; readonly recent: StatusHistory };

type Remembering = {
  /** Null while memory cannot be trusted. */
  readonly analyzer: Analyzer | null;
  /** Memory, or the last one that could be trusted; null before the first restore. */
  readonly last: Remembered | null;
  readonly due: number;
  readonly lagSeconds: number;
  readonly refused: number;
};

/** The documents of one moment. */
export type Shown = {
  readonly snapshot: Snapshot;
  readonly history: RecentHistory;
  /** The explanations of the global numbers. */
  readonly global: readonly Explanation[];
};

export class Memory {
  readonly metrics: readonly MetricSettings[];
  readonly #daemon: Remembering;
  readonly #now: () => Date;
  #made: (Shown & { readonly analyzer: Analyzer }) | null = null;

  constructor(daemon: Remembering, metrics: readonly MetricSettings[], now: () => Date) {
    this.#daemon = daemon;
    this.metrics = metrics;
    this.#now = now;
  }

  /** Null while memory cannot be trusted. */
  current(): Shown | null {
    return this.#daemon.analyzer === null ? null : this.last();
  }

  /** The current documents, or the last ones before memory was lost. Null before the first restore. */
  last(): Shown | null {
    const { last, refused } = this.#daemon;
    if (last === null) return null;
    const { analyzer, recent } = last;
    const generatedAt = this.#now().toISOString();
    const { merges, seconds } = this.lag;
    const lag = { merges, seconds: merges === 0 ? null : Math.round(seconds * 10) / 10 };
    const made = this.#made;
    if (
      made?.analyzer === analyzer &&
      made.snapshot.as_of.seq === analyzer.global.seq &&
      made.snapshot.skipped.total === analyzer.skipped
    ) {
      const as_of = { ...made.snapshot.as_of, generated_at: generatedAt };
      return { ...made, snapshot: { ...made.snapshot, as_of, lag, refused: { total: refused } } };
    }
    // Only this instance is known here, so `running` is 1.
    const snapshot = snapshotOf(analyzer, { generatedAt, running: 1, lag, refused });
    const history = recent.history(this.metrics);
    const global = explanations(analyzer, { snapshot, history }, null);
    this.#made = { analyzer, snapshot, history, global };
    return this.#made;
  }

  /** Merges due and not recorded, and for how many seconds there may have been any. */
  get lag(): { readonly merges: number; readonly seconds: number } {
    return { merges: this.#daemon.due, seconds: this.#daemon.lagSeconds };
  }

  /** Whether windows count up again, because rows are gone from the old end of the journal. */
  get historyTruncated(): boolean {
    return this.#daemon.analyzer?.historyTruncated ?? false;
  }

  /** The explanations of a project's numbers; null if the project is unknown. */
  explain(project: string): readonly Explanation[] | null {
    const [analyzer, shown] = [this.#daemon.last?.analyzer, this.last()];
    if (analyzer === undefined || shown === null || !analyzer.projects.has(project)) return null;
    return explanations(analyzer, shown, project);
  }
}

function explanations(
  analyzer: Analyzer,
  { snapshot, history }: Pick<Shown, "snapshot" | "history">,
  project: string | null,
): readonly Explanation[] {
  const merges = history.merges.filter((merge) => project === null || merge.project === project);
  const recorded = merges.map(placed).toReversed();
  return snapshot.metrics
    .filter((reading) => reading.project === project)
    .map((reading) => explain(analyzer, reading, recorded));
}

function placed(merge: RecentMerge): PlacedMerge {
  const { seq, event_id, work_item_id, project, attempts, last_verdict, merged_at } = merge;
  const [eventId, workItemId, lastVerdict, mergedAt] = [event_id, work_item_id, last_verdict, merged_at];
  return { seq, merge: { eventId, workItemId, project, attempts, lastVerdict, mergedAt } };
}
