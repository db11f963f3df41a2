/**
 * The last merges as they were recorded: what the status page draws. A small memory beside the windows, fed with the
 * rows that are folded or appended; nothing is decided by it, and a restart keeps what the journal's tail holds.
 */
import { DEFAULT_VERDICTS } from "./catalogue.ts";
import type { HistoryCrossing, HistorySeries } from "./history.ts";
import type { JournalRow } from "./journal-row.ts";
import type { Merge } from "./merge.ts";
import { gateFor, type MetricName, type MetricSettings } from "./metric.ts";
import type { EventRow } from "./metric-event.ts";
import { type NameOfGate, pointIn, type Remembered, type Said } from "./recent-merge.ts";
import { RecentProjects } from "./recent-projects.ts";
import type { ScopeKind } from "./scope.ts";

/** Merges that are remembered: a few hundred kilobytes, whatever the load. */
export const RECENT_MERGES = 300;
/** Projects whose own rates are in the document: what a page can show and a reader take in. */
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
  /** The merge that brought it about. */
  readonly event_id: string;
  readonly merged_at: string | null;
};

/** As `/history.json` serves it. */
export type RecentHistory = {
  readonly schema_version: 1;
  /**
   * The metrics of the global scope over the last merges, then those that are gated for projects, each over the last
   * merges of one of the projects that matter most: those with a rate of their own before others, the busiest first.
   */
  readonly series: readonly HistorySeries[];
  /** Oldest first. */
  readonly merges: readonly RecentMerge[];
  /** Of every scope, oldest first. */
  readonly crossings: readonly RecentCrossing[];
};

export class Recent {
  #merges: Remembered[] = [];
  readonly #projects = new RecentProjects();
  /** The newest row that was taken: what comes again is passed over. */
  #newest = 0n;

  /** Takes rows of the journal in the order of their ids. */
  accept(row: JournalRow): void {
    if (row.type !== "metric" || !this.#isNew(row.id)) return;
    this.#take(row.merge, row);
  }

  /** Takes rows that were just appended. @param newest the last one's id. */
  appended(rows: readonly EventRow[], newest: bigint): void {
    // A set has as many rows as each of its rows says; older ones would be dropped again at once.
    const from = Math.max(0, rows.length - RECENT_MERGES * LARGEST_SET);
    for (const { payload } of rows.slice(from)) {
      if (!("seq" in payload)) continue;
      const { event_id: eventId, work_item_id: workItemId, project, attempts } = payload.merge;
      const { last_verdict: lastVerdict, merged_at: mergedAt } = payload.merge;
      const crossing = "gate" in payload ? payload : null;
      this.#take({ eventId, workItemId, project, attempts, lastVerdict, mergedAt }, { ...payload, crossing });
    }
    this.#newest = newest;
  }

  history(metrics: readonly MetricSettings[]): RecentHistory {
    // The oldest set that was read may be cut.
    const last = this.#merges
      .slice(-RECENT_MERGES)
      .filter(({ said }) => said.some(({ scope }) => scope === "global"));
    const gates = new Map(metrics.map((metric) => [metric.name, metric.gate?.name ?? metric.name]));
    const conflicts = metrics.find(({ verdicts }) => verdicts !== null)?.verdicts ?? DEFAULT_VERDICTS;
    const nameOf: NameOfGate = (metric) => gates.get(metric) ?? metric;
    return {
      schema_version: 1,
      series: [
        ...metrics
          .filter(({ record }) => record.includes("global"))
          .map((metric) => ({
            metric: metric.name,
            scope: "global" as const,
            project: null,
            source: "recorded" as const,
            gate: gateFor(metric, "global"),
            points: last.flatMap((one) => pointIn(one, metric.name, "global", nameOf)),
          })),
        ...metrics
          .filter((metric) => gateFor(metric, "project") !== null)
          .flatMap((metric) => this.#ofProjects(metric, last, nameOf)),
      ],
      merges: last.map(({ merge, said }) => ({
        seq: said.find(({ scope }) => scope === "global")?.seq ?? 0,
        event_id: merge.eventId,
        work_item_id: merge.workItemId,
        project: merge.project,
        attempts: merge.attempts,
        last_verdict: merge.lastVerdict,
        merged_at: merge.mergedAt,
        first_pass: merge.attempts === 1,
        rebase_conflict: merge.lastVerdict !== null && conflicts.includes(merge.lastVerdict),
      })),
      crossings: last.flatMap((one) => crossingsOf(one, nameOf)),
    };
  }

  #ofProjects(
    metric: MetricSettings,
    last: readonly Remembered[],
    nameOf: NameOfGate,
  ): readonly HistorySeries[] {
    const busy = new Map<string, number>();
    // From the newest on: of equally busy projects the one that merged last comes first.
    for (const { merge } of last.toReversed()) busy.set(merge.project, (busy.get(merge.project) ?? 0) + 1);
    return [...busy]
      .flatMap(([project, merges]) => {
        const newest = this.#projects.newest(project, metric.name);
        return newest === null ? [] : [{ project, merges, own: newest.value !== null }];
      })
      .toSorted((a, b) => Number(b.own) - Number(a.own) || b.merges - a.merges)
      .slice(0, RECENT_PROJECTS)
      .map(({ project }) => ({
        metric: metric.name,
        scope: "project",
        project,
        source: "recorded",
        gate: gateFor(metric, "project"),
        points: this.#projects.points(project, metric.name, nameOf),
      }));
  }

  #isNew(id: string): boolean {
    const number = BigInt(id);
    if (number <= this.#newest) return false;
    this.#newest = number;
    return true;
  }

  #take(merge: Merge, row: Said): void {
    const { metric, scope, seq, value, numerator, n, window, state, crossing } = row;
    const said = {
      metric,
      scope,
      seq,
      value,
      numerator,
      n,
      window,
      state,
      crossing:
        crossing === null
          ? null
          : { from: crossing.from, to: crossing.to, upper: crossing.upper, lower: crossing.lower },
    };
    const open = this.#merges.at(-1);
    if (open?.merge.eventId === merge.eventId && open.merge.workItemId === merge.workItemId)
      open.said.push(said);
    else this.#merges.push({ merge, said: [said] });
    if (scope === "project") this.#projects.take(merge, said);
    // Dropped in bulk, so that a merge costs the same whatever is remembered.
    if (this.#merges.length >= 2 * RECENT_MERGES) this.#merges = this.#merges.slice(-RECENT_MERGES);
  }
}

/** Rows that a merge has at most: each metric in both scopes, each with a crossing. */
const LARGEST_SET = 12;

function crossingsOf({ merge, said }: Remembered, nameOf: NameOfGate): RecentCrossing[] {
  return said.flatMap(({ metric, scope, value, crossing }) =>
    crossing === null
      ? []
      : [
          {
            metric,
            gate: nameOf(metric),
            scope,
            project: scope === "global" ? null : merge.project,
            ...crossing,
            value,
            event_id: merge.eventId,
            merged_at: merge.mergedAt,
          },
        ],
  );
}
