/** Points of a series spread over the columns of a plot. */
import type { HistoryPoint } from "../core/history.ts";

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
