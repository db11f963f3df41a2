/** The range of values that a chart has room for. */
import type { HistoryPoint } from "../core/history.ts";

/** Room for the values and the bounds, with some air; ratios stay within 0–1. */
export function domainOf(
  points: readonly Pick<HistoryPoint, "value">[],
  {
    ratio,
    bounds,
  }: { readonly ratio: boolean; readonly bounds: { readonly upper: number; readonly lower: number } | null },
): [number, number] {
  const values = points.flatMap(({ value }) => (value === null ? [] : [value]));
  const [low, high] = extremes([
    ...extremes(values),
    ...(bounds === null ? [] : [bounds.upper, bounds.lower]),
  ]);
  if (!ratio) return [0, Math.max(2, Math.ceil(high * 1.1))];
  const air = Math.max((high - low) * 0.08, 0.01);
  return [Math.max(0, low - air), Math.min(1, high + air)];
}

/** The smallest and largest of any number of values; none gives 0 and 1. */
export function extremes(values: readonly number[]): [number, number] {
  if (values.length === 0) return [0, 1];
  return [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];
}
