/** Metrics, their readings and the states of gates as verbs print them. */
import { CATALOGUE, isRatio } from "../core/catalogue.ts";
import type { GateState } from "../core/gate.ts";
import type { MetricName } from "../core/metric.ts";
import { type Bounds, percent } from "../text/figures.ts";
import { safe } from "../text/safe.ts";
import { paint } from "./terminal.ts";

type Subject = { readonly metric: MetricName; readonly project: string | null };
type Read = {
  readonly metric: MetricName;
  readonly value: number | null;
  readonly n: number;
  readonly window: number;
};

/** A metric, and the project that it is about. */
export function titleOf({ metric, project }: Subject): string {
  return project === null ? metric : `${metric}, project ${safe(project)}`;
}

/** A heading: what it is about, and its value. */
export function headingText(about: Subject, reading: Read, bounds: Bounds | null, colour: boolean): string {
  return `${paint("bold", titleOf(about), colour)} = ${readingText(reading, bounds, colour)}`;
}

/** @param bounds of the gate: a percentage is printed on its own side of them. */
export function readingText(
  { metric, value, n, window }: Read,
  bounds: Bounds | null,
  colour: boolean,
): string {
  const text = valueText(metric, value, bounds);
  return `${value === null ? paint("dim", text, colour) : text} (n=${n}/${window})`;
}

/** A percentage or a number of attempts. */
export function valueText(metric: MetricName, value: number | null, bounds: Bounds | null): string {
  if (value === null) return "undefined";
  return isRatio(metric) ? percent(value, bounds) : String(value);
}

/** A state in words, green if it permits, red if it restricts. @param width the least number of columns. */
export function stateText(metric: MetricName, state: GateState, colour: boolean, width = 0): string {
  const style = state === "unknown" ? "yellow" : state === CATALOGUE[metric].permissive ? "green" : "red";
  return paint(style, state.toUpperCase().padEnd(width), colour);
}
