/** Numbers and times as people read them. */
import { safe } from "./safe.ts";

/** Of a gate, as ratios. */
export type Bounds = { readonly upper: number; readonly lower: number };

/**
 * A ratio as a percentage with one digit, or with as many as keep it on its own side of the bounds: 849 of 999 is below
 * 85 %, so it reads 84.98%, not 85.0%.
 */
export function percent(ratio: number, bounds: Bounds | null = null): string {
  const sides = bounds === null ? [] : [bounds.upper, bounds.lower];
  const written = [1, 2, 3, 4, 5, 6].map((digits) => (ratio * 100).toFixed(digits));
  const honest = written.find((text) =>
    sides.every((bound) => Number(`${text}e-2`) >= bound === ratio >= bound),
  );
  return `${honest ?? ratio * 100}%`;
}

/** A bound as it was configured: 0.85 is 85%. */
export function boundText(ratio: number): string {
  return `${Number((ratio * 100).toPrecision(12))}%`;
}

/** The bounds of a gate. */
export function boundsText({ upper, lower }: Bounds): string {
  return `up >= ${boundText(upper)}, down < ${boundText(lower)}`;
}

/** An ISO date as people read it, to the minute or second; safe to print, whatever the log has as a date. */
export function moment(iso: string, precision: "minutes" | "seconds"): string {
  return safe(`${iso.slice(0, precision === "minutes" ? 16 : 19).replace("T", " ")}Z`);
}

/** A duration in its largest sensible unit: 5400 seconds are 90 min. */
export function span(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 120) return `${whole} s`;
  if (whole < 120 * 60) return `${Math.floor(whole / 60)} min`;
  if (whole < 48 * 3600) return `${Math.floor(whole / 3600)} h`;
  return `${Math.floor(whole / 86_400)} d`;
}

export function count(n: number, one: string, many = `${one}s`): string {
  return `${n} ${n === 1 ? one : many}`;
}
