/** The history document: metrics over the merges, as `metrics history --json` prints it. */
import type { Gate, GateState } from "./gate.ts";
import type { MetricRow } from "./journal-row.ts";
import type { Merge } from "./merge.ts";
import type { MetricName } from "./metric.ts";
import type { ScopeKind } from "./scope.ts";
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

/** Points that are drawn as one column: what a plot may not lose of them. */
export type Column = {
  readonly first: number;
  readonly last: number;
  readonly low: number;
  readonly high: number;
};

/**
 * Points spread over so many columns, each column with its first, last, lowest and highest value; null where no point of
 * it is defined. With fewer points than columns each has its own column, from the left.
 */
export function columnsOf(
  points: readonly Pick<HistoryPoint, "value">[],
  columns: number,
): (Column | null)[] {
  const width = Math.min(columns, points.length);
  const spread: (Column | null)[] = Array.from({ length: width }, () => null);
  points.forEach(({ value }, index) => {
    if (value === null) return;
    const column = columnOf(index, points.length, columns);
    const before = spread[column];
    spread[column] =
      before == null
        ? { first: value, last: value, low: value, high: value }
        : { ...before, last: value, low: Math.min(before.low, value), high: Math.max(before.high, value) };
  });
  return spread;
}

/** The column in which the `index`-th of `length` points is drawn. */
export function columnOf(index: number, length: number, columns: number): number {
  return length <= columns ? index : Math.floor((index * columns) / length);
}
