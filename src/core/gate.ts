/**
 * A gate: a switch with hysteresis on a metric. It rises at its upper bound, falls below its lower bound,
 * and between the two stays as it was, so that a rate wandering inside the band changes no policy.
 */

export type GateState = "unknown" | "high" | "low";

export type Gate = {
  readonly name: string;
  /** `value >= upper` makes it high; a ratio 0–1. */
  readonly upper: number;
  /** `value < lower` makes it low; a ratio 0–1. */
  readonly lower: number;
};

/**
 * The state after a defined value. Exact at the bounds: a ratio of integers and a bound written with few digits are
 * each rounded to the nearest double, and rounding is monotonic, so 35/50 and 0.7 are the same double.
 */
export function nextState(gate: Pick<Gate, "upper" | "lower">, state: GateState, value: number): GateState {
  if (value >= gate.upper) return "high";
  if (value < gate.lower) return "low";
  return state;
}

/** The way of a crossing to this state, which is never `unknown`. */
export function direction(to: GateState): "up" | "down" {
  return to === "high" ? "up" : "down";
}

export function isState(value: unknown): value is GateState {
  return value === "unknown" || value === "high" || value === "low";
}
