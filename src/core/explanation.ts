/** The explanation document: the merges behind a number, as `metrics explain --json` prints it. */
import type { Analyzer } from "./analyzer.ts";
import { countsFor, isRatio } from "./catalogue.ts";
import { type Reach, reach } from "./distance.ts";
import type { Merge } from "./merge.ts";
import type { MetricSettings } from "./metric.ts";
import type { ScopeMemory } from "./scope-memory.ts";
import type { AsOf, Snapshot, SnapshotMetric } from "./snapshot.ts";
import { attemptsIn, type Entry } from "./window.ts";

export type ExplainedMerge = {
  /** Its place in the order of all merges; null where its row is gone. */
  readonly seq: number | null;
  readonly event_id: string | null;
  readonly work_item_id: string | null;
  readonly project: string | null;
  readonly attempts: number;
  readonly last_verdict: string | null;
  readonly merged_at: string | null;
  /** Whether it counts for the numerator; null where nothing is counted. */
  readonly counted: boolean | null;
};

export type Explanation = SnapshotMetric & {
  /** The merges of the window, oldest first. What is not known any more is null. */
  readonly merges: readonly ExplainedMerge[];
  /** The merge that the next one pushes out; null while the window fills. */
  readonly leaves_next: ExplainedMerge | null;
  /** The value after one further merge that counts, and after one that does not; null where undefined or not counted. */
  readonly next: { readonly if_counted: number | null; readonly if_not: number | null };
  /**
   * What it takes to reach the bounds of the states that the gate is not in; empty where there is no gate. A project
   * whose window fills between the bounds takes over the global state instead.
   */
  readonly moves: readonly Move[];
};

export type Move = {
  readonly to: "high" | "low";
  /** The bound that must be reached: at least this to rise, less than this to fall. */
  readonly bound: number;
  /** Null where no number of merges will do. */
  readonly reach: Reach | null;
};

export type Explanations = {
  readonly schema_version: 1;
  readonly as_of: AsOf;
  readonly lag: Snapshot["lag"];
  readonly explanations: readonly Explanation[];
};

/** A recorded merge with its place in the order of all merges. */
export type PlacedMerge = { readonly seq: number | null; readonly merge: Merge };

/**
 * Explains one reading of a snapshot.
 * @param recorded the scope's newest merges, newest first, as far as their rows are there.
 */
export function explain(
  analyzer: Analyzer,
  reading: SnapshotMetric,
  recorded: readonly PlacedMerge[],
): Explanation {
  const { metric, project, window, n, gate } = reading;
  const settings = analyzer.metrics.find(({ name }) => name === metric) as MetricSettings;
  const scope: ScopeMemory = project === null ? analyzer.global : analyzer.project(project);
  const verdicts = settings.verdicts === null ? null : analyzer.verdicts.setOf(settings.verdicts);
  const merges: ExplainedMerge[] = [];
  for (let age = n - 1; age >= 0; age -= 1) {
    const entry = scope.ring.at(age);
    merges.push(describe(entry, countsFor(metric, entry, verdicts), recorded[age] ?? null));
  }
  const counted = merges.flatMap((merge) => merge.counted ?? []);
  const ratio = isRatio(metric);
  const full = n === window;
  const staying = counted.filter(Boolean).length - (full && counted[0] === true ? 1 : 0);
  const after = (more: number) => (ratio && n + 1 >= window ? (staying + more) / window : null);
  return {
    ...reading,
    merges,
    leaves_next: full ? (merges[0] ?? null) : null,
    next: { if_counted: after(1), if_not: after(0) },
    moves:
      gate === null
        ? []
        : (["high", "low"] as const)
            .filter((state) => state !== gate.state)
            .map((to) => {
              const bound = to === "high" ? "upper" : "lower";
              return { to, bound: gate[bound], reach: reach(counted, window, bound, gate) };
            }),
  };
}

function describe(entry: Entry, counted: boolean | null, recorded: PlacedMerge | null): ExplainedMerge {
  const merge = recorded?.merge ?? null;
  return {
    seq: recorded?.seq ?? null,
    event_id: merge?.eventId ?? null,
    work_item_id: merge?.workItemId ?? null,
    project: merge?.project ?? null,
    attempts: attemptsIn(entry),
    last_verdict: merge?.lastVerdict ?? null,
    merged_at: merge?.mergedAt ?? null,
    counted,
  };
}
