/** Metrics and their readings as verbs print them. */
import { isRatio } from "../core/catalogue.ts";
import type { MetricName } from "../core/metric.ts";
import { type Bounds, percent } from "../text/figures.ts";
import { safe } from "../text/safe.ts";
import { paint } from "./paint.ts";

/** A metric, and the project that it is about. */
export function titleOf({ metric, project }: { metric: MetricName; project: string | null }): string {
  return project === null ? metric : `${metric}, project ${safe(project)}`;
}

/** A heading: what it is about and its value, dimmed while it is undefined. */
export function headingText(
  about: { metric: MetricName; project: string | null },
  reading: Read,
  bounds: Bounds | null,
  colour: boolean,
): string {
  const text = readingText(reading, bounds);
  const value = reading.value === null ? text.replace("undefined", paint("dim", "undefined", colour)) : text;
  return `${paint("bold", titleOf(about), colour)} = ${value}`;
}

type Read = {
  readonly metric: MetricName;
  readonly value: number | null;
  readonly n: number;
  readonly window: number;
};

/** @param bounds of the gate: a percentage is printed on its own side of them. */
export function readingText({ metric, value, n, window }: Read, bounds: Bounds | null): string {
  return `${valueText(metric, value, bounds)} (n=${n}/${window})`;
}

/** A percentage or a number of attempts. */
export function valueText(metric: MetricName, value: number | null, bounds: Bounds | null): string {
  if (value === null) return "undefined";
  return isRatio(metric) ? percent(value, bounds) : String(value);
}
