/**
 * The last merges as they were recorded, for the status page and `/history.json`. It takes the journal's rows as they are
 * applied or appended, and decides nothing. After a restart it holds what the restore has read of the journal's tail.
 *
 * A project keeps points of its own: many of its merges are too far back in the order of all merges.
 */
import { DEFAULT_VERDICTS } from "./catalogue.ts";
import {
  crossingOf,
  type HistoryCrossing,
  type HistoryPoint,
  type HistorySeries,
  pointOf,
  pushKept,
  seriesOf,
} from "./history.ts";
import type { JournalRow, MetricRow } from "./journal-row.ts";
import { gateFor, type MetricName, type MetricSettings } from "./metric.ts";
import type { EventRow } from "./metric-event.ts";
import { type ScopeKind, scopeOf } from "./scope.ts";

/** Merges that are remembered, and points of each global series: a few hundred kilobytes, whatever the load. */
export const RECENT_MERGES = 300;
/** Points of each project's series: a little more than the contract's window. */
export const PROJECT_MERGES = 150;
const LIMITS = { global: RECENT_MERGES, project: PROJECT_MERGES };
/** Projects that have points: those that merged last. Some megabytes if all of them are busy. */
export const PROJECTS_KEPT = 200;
/** Projects in the document: what a page can show and a reader take in. */
export const RECENT_PROJECTS = 12;

export type RecentMerge = {
  readonly seq: number;
  readonly event_id: string;
  readonly work_item_id: string;
  readonly project: string;
  readonly attempts: number;
  readonly last_verdict: string | null;
  readonly merged_at: string | null;
  /** Whether one attempt was enough. */
  readonly first_pass: boolean;
  /** Whether the last verdict is one of those that count as a conflict today. */
  readonly rebase_conflict: boolean;
};

export type RecentCrossing = HistoryCrossing & {
  readonly metric: MetricName;
  readonly scope: ScopeKind;
  readonly project: string | null;
  readonly value: number | null;
  /** The merge that crossed. */
  readonly event_id: string;
  readonly merged_at: string | null;
};

/** As `/history.json` serves it. */
export type RecentHistory = {
  readonly schema_version: 1;
  /**
   * The metrics of the global scope, then those that are gated for projects, once for each of the projects that matter
   * most: projects with a value of their own first, then by their share of the last merges.
   */
  readonly series: readonly HistorySeries[];
  /** Oldest first. */
  readonly merges: readonly RecentMerge[];
  /** Of every scope, oldest first. */
  readonly crossings: readonly RecentCrossing[];
};

type Recorded = Pick<
  MetricRow,
  "metric" | "scope" | "seq" | "value" | "numerator" | "n" | "window" | "state" | "merge"
> & { readonly crossing: HistoryCrossing | null };

type Entry = Pick<Recorded, "seq" | "merge"> & { readonly crossings: RecentCrossing[] };

/** The points of one scope by metric, oldest first, of merges without a gap between them. */
type Lines = Map<MetricName, HistoryPoint[]>;

export class StatusHistory {
  readonly #merges: Entry[] = [];
  readonly #global: Lines = new Map();
  /** The project that merged last is the last one. */
  readonly #projects = new Map<string, Lines>();
  /** Id of the newest row that was taken. Each fence reads that row again. */
  #newest = 0n;

  /** Takes rows of the journal in the order of their ids. */
  accept(row: JournalRow): void {
    const id = BigInt(row.id);
    if (row.type !== "metric" || id <= this.#newest) return;
    this.#newest = id;
    this.#take(row);
  }

  /** Takes rows that were just appended. @param newest the last one's id. */
  appended(rows: readonly EventRow[], newest: bigint): void {
    for (const { payload } of rows) {
      if (!("seq" in payload)) continue;
      const { event_id, work_item_id, project, attempts, last_verdict, merged_at } = payload.merge;
      const [eventId, workItemId, lastVerdict, mergedAt] = [event_id, work_item_id, last_verdict, merged_at];
      const merge = { eventId, workItemId, project, attempts, lastVerdict, mergedAt };
      this.#take({ ...payload, merge, crossing: "gate" in payload ? payload : null });
    }
    this.#newest = newest;
  }

  history(metrics: readonly MetricSettings[]): RecentHistory {
    const last = this.#merges.slice(-RECENT_MERGES);
    const conflicts = metrics.find(({ verdicts }) => verdicts !== null)?.verdicts ?? DEFAULT_VERDICTS;
    return {
      schema_version: 1,
      series: [
        ...metrics
          .filter(({ record }) => record.includes("global"))
          .map((metric) => recorded(metric, null, this.#global)),
        ...metrics
          .filter((metric) => gateFor(metric, "project") !== null)
          .flatMap((metric) => this.#ofProjects(metric, last)),
      ],
      merges: last.map(({ seq, merge }) => ({
        seq,
        event_id: merge.eventId,
        work_item_id: merge.workItemId,
        project: merge.project,
        attempts: merge.attempts,
        last_verdict: merge.lastVerdict,
        merged_at: merge.mergedAt,
        first_pass: merge.attempts === 1,
        rebase_conflict: merge.lastVerdict !== null && conflicts.includes(merge.lastVerdict),
      })),
      crossings: last.flatMap(({ crossings }) => crossings),
    };
  }

  #ofProjects(metric: MetricSettings, last: readonly Entry[]): HistorySeries[] {
    // From the newest merge on: of equally busy projects the one that merged last comes first.
    return [...Map.groupBy(last.toReversed(), ({ merge }) => merge.project)]
      .flatMap(([project, { length }]) => {
        const lines: Lines = this.#projects.get(project) ?? new Map();
        const newest = lines.get(metric.name)?.at(-1);
        return newest === undefined ? [] : [{ project, lines, merges: length, own: newest.value !== null }];
      })
      .toSorted((a, b) => Number(b.own) - Number(a.own) || b.merges - a.merges)
      .slice(0, RECENT_PROJECTS)
      .map(({ project, lines }) => recorded(metric, project, lines));
  }

  #take(row: Recorded): void {
    const { metric, scope, seq, value, merge } = row;
    // A set begins with its global rows; one that is cut before them has no place in the order of all merges.
    if (scope === "global" && this.#merges.at(-1)?.seq !== seq)
      pushKept(this.#merges, { seq, merge, crossings: [] }, RECENT_MERGES);
    const lines = scope === "global" ? this.#global : this.#linesOf(merge.project);
    const points = lines.get(metric) ?? [];
    lines.set(metric, points);
    const last = points.at(-1);
    if (row.crossing === null) {
      if (last?.seq !== seq - 1) points.length = 0;
      pushKept(points, pointOf(row, merge, null), LIMITS[scope]);
      return;
    }
    const crossing = crossingOf(row.crossing);
    // A crossing follows the row of its metric.
    if (last?.seq === seq) points[points.length - 1] = { ...last, crossing };
    const entry = this.#merges.at(-1);
    if (entry?.merge.eventId !== merge.eventId) return;
    const project = scope === "global" ? null : merge.project;
    const { eventId: event_id, mergedAt: merged_at } = merge;
    const { gate, ...moved } = crossing;
    entry.crossings.push({ metric, gate, scope, project, ...moved, value, event_id, merged_at });
  }

  #linesOf(project: string): Lines {
    const lines: Lines = this.#projects.get(project) ?? new Map();
    this.#projects.delete(project);
    this.#projects.set(project, lines);
    const [longestAgo] = this.#projects.keys();
    if (this.#projects.size > PROJECTS_KEPT && longestAgo !== undefined) this.#projects.delete(longestAgo);
    return lines;
  }
}

function recorded(metric: MetricSettings, project: string | null, lines: Lines): HistorySeries {
  const points = (lines.get(metric.name) ?? []).slice(-LIMITS[scopeOf(project)]);
  return seriesOf(metric, project, "recorded", points);
}
