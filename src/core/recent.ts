/**
 * The last merges as they were recorded: what the status page draws. A small memory beside the windows, fed with the
 * rows that are folded or appended; nothing is decided by it, and a restart keeps what the journal's tail holds.
 */
import { DEFAULT_VERDICTS } from "./catalogue.ts";
import type { Gate } from "./gate.ts";
import type { HistoryCrossing, HistoryPoint } from "./history.ts";
import type { JournalRow, MetricRow } from "./journal-row.ts";
import type { Merge } from "./merge.ts";
import { gateFor, type MetricName, type MetricSettings } from "./metric.ts";
import type { EventRow } from "./metric-event.ts";
import type { ScopeKind } from "./scope.ts";

/** Merges that are remembered: a few hundred kilobytes, whatever the load. */
export const RECENT_MERGES = 300;

/** What a metric row says, in memory as in the journal. */
type Said = Pick<MetricRow, "metric" | "scope" | "seq" | "value" | "numerator" | "n" | "window" | "state"> & {
  readonly crossing: Omit<HistoryCrossing, "gate"> | null;
};

type Remembered = { readonly merge: Merge; readonly said: Said[] };

export type RecentMerge = {
  readonly seq: number;
  readonly event_id: string;
  readonly work_item_id: string;
  readonly project: string;
  readonly attempts: number;
  readonly last_verdict: string | null;
  readonly merged_at: string | null;
  /** Whether one build was enough. */
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
  /** One for each metric that is recorded for the global scope. */
  readonly series: readonly {
    readonly metric: MetricName;
    readonly scope: "global";
    readonly project: null;
    readonly source: "recorded";
    readonly gate: Gate | null;
    /** Oldest first. */
    readonly points: readonly HistoryPoint[];
  }[];
  /** Oldest first. */
  readonly merges: readonly RecentMerge[];
  /** Of every scope, oldest first. */
  readonly crossings: readonly RecentCrossing[];
};

export class Recent {
  #merges: Remembered[] = [];
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
    const gateOf = (metric: MetricName): string => gates.get(metric) ?? metric;
    return {
      schema_version: 1,
      series: metrics
        .filter(({ record }) => record.includes("global"))
        .map((metric) => ({
          metric: metric.name,
          scope: "global",
          project: null,
          source: "recorded",
          gate: gateFor(metric, "global"),
          points: last.flatMap((one) => pointOf(one, metric.name, gateOf)),
        })),
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
      crossings: last.flatMap((one) => crossingsOf(one, gateOf)),
    };
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
    // Dropped in bulk, so that a merge costs the same whatever is remembered.
    if (this.#merges.length >= 2 * RECENT_MERGES) this.#merges = this.#merges.slice(-RECENT_MERGES);
  }
}

/** Rows that a merge has at most: each metric in both scopes, each with a crossing. */
const LARGEST_SET = 12;

function pointOf(
  { merge, said }: Remembered,
  metric: MetricName,
  gateOf: (metric: MetricName) => string,
): HistoryPoint[] {
  const mine = said.filter((row) => row.metric === metric && row.scope === "global");
  const row = mine.find(({ crossing }) => crossing === null);
  if (row === undefined) return [];
  const { seq, value, numerator, n, window, state } = row;
  const crossing = mine.find((one) => one.crossing !== null)?.crossing ?? null;
  return [
    {
      seq,
      event_id: merge.eventId,
      merged_at: merge.mergedAt,
      value,
      numerator,
      n,
      window,
      state,
      crossing: crossing === null ? null : { gate: gateOf(metric), ...crossing },
    },
  ];
}

function crossingsOf({ merge, said }: Remembered, gateOf: (metric: MetricName) => string): RecentCrossing[] {
  return said.flatMap(({ metric, scope, value, crossing }) =>
    crossing === null
      ? []
      : [
          {
            metric,
            gate: gateOf(metric),
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
