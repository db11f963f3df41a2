/** A metric's value as verbs print it. */
import { isRatio } from "../core/catalogue.ts";
import type { MetricName } from "../core/metric.ts";
import { type Bounds, percent } from "../text/figures.ts";

/** A percentage that stands on its own side of the bounds, a number of attempts, or the word for there being none. */
export function valueText(metric: MetricName, value: number | null, bounds: Bounds | null): string {
  if (value === null) return "undefined";
  if (!isRatio(metric)) return String(value);
  return percent(value, bounds);
}
