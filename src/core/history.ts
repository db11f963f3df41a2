/** The history document: metrics over the merges, as `metrics history --json` prints it. */
import type { Gate, GateState } from "./gate.ts";
import type { MetricRow } from "./journal-row.ts";
import type { Merge } from "./merge.ts";
import { gateFor, type MetricName, type MetricSettings } from "./metric.ts";
import { type ScopeKind, scopeOf } from "./scope.ts";
import type { AsOf } from "./snapshot.ts";

/** What a metric said after one merge. */
export type HistoryPoint = {
  /** The merge's place in the order of the scope, from 1. */
  readonly seq: number;
  readonly event_id: string;
  readonly merged_at: string | null;
  /** A ratio 0–1 or a number of attempts; null where it was undefined. */
  readonly value: number | null;
  readonly numerator: number | null;
  readonly n: number;
  readonly window: number;
  /** Null where the scope has no gate for this metric. */
  readonly state: GateState | null;
  /** The crossing that this merge brought about. */
  readonly crossing: HistoryCrossing | null;
};

export type HistoryCrossing = {
  readonly gate: string;
  readonly from: GateState;
  readonly to: GateState;
  /** The bounds that it was decided by; today's may be others. */
  readonly upper: number;
  readonly lower: number;
};

/** One metric of one scope. */
export type HistorySeries = {
  readonly metric: MetricName;
  readonly scope: ScopeKind;
  readonly project: string | null;
  /** `computed`: this metric is not recorded for this scope, its points are what the recorded merges give. */
  readonly source: "recorded" | "computed";
  /** Today's gate; null where the scope has none. */
  readonly gate: Gate | null;
  /** Oldest first. */
  readonly points: readonly HistoryPoint[];
};

export type History = {
  readonly schema_version: 1;
  readonly as_of: AsOf;
  readonly series: readonly HistorySeries[];
};

/** What the row of a merge says, as a point. */
export function pointOf(
  { seq, value, numerator, n, window, state }: Numbers,
  { eventId, mergedAt }: Pick<Merge, "eventId" | "mergedAt">,
  crossing: HistoryCrossing | null,
): HistoryPoint {
  return { seq, event_id: eventId, merged_at: mergedAt, value, numerator, n, window, state, crossing };
}

type Numbers = Pick<MetricRow, "seq" | "value" | "numerator" | "n" | "window" | "state">;

/** Of a crossing's row or payload, what a point shows. */
export function crossingOf({ gate, from, to, upper, lower }: HistoryCrossing): HistoryCrossing {
  return { gate, from, to, upper, lower };
}

/** @param project null for the global scope. */
export function seriesOf(
  { name, ...settings }: Pick<MetricSettings, "name" | "gate" | "record">,
  project: string | null,
  source: HistorySeries["source"],
  points: readonly HistoryPoint[],
): HistorySeries {
  const scope = scopeOf(project);
  return { metric: name, scope, project, source, gate: gateFor(settings, scope), points };
}

/** Appends, and drops all but the newest `keep` items in bulk: dropping one for each that comes would double what a merge costs here. */
export function pushKept<T>(items: T[], item: T, keep: number): void {
  items.push(item);
  if (items.length >= 1.5 * keep) items.splice(0, items.length - keep);
}
