/** What could move a gate, in words. */
import type { Move } from "../core/explanation.ts";
import type { MetricName } from "../core/metric.ts";
import { boundText, count } from "./figures.ts";

/** The merges that count for a ratio, and those that do not. */
export const KINDS: Readonly<Record<MetricName, { readonly counted: string; readonly not: string }>> = {
  first_pass_merge_rate: { counted: "at the first pass (attempts = 1)", not: "with more than one attempt" },
  rebase_conflict_rate: { counted: "with a rebase conflict", not: "without a rebase conflict" },
  p95_attempts_to_merge: { counted: "", not: "" },
};

/** How many merges of which kind it takes at least. @param window of the metric, in merges. */
export function moveText(metric: MetricName, window: number, { to, bound, reach }: Move): string {
  const side = `${to.toUpperCase()} (${to === "high" ? ">=" : "<"} ${boundText(bound)})`;
  if (reach === null) return `${side} cannot be reached`;
  const whole = reach.merges === window ? ", a whole window" : "";
  const takes = `${side} takes at least ${count(reach.merges, "more merge")}${whole}`;
  if (reach.of_kind === 0) return `${takes}, of any kind`;
  const { counted, not } = KINDS[metric];
  const some = reach.of_kind < reach.merges ? `${reach.of_kind} of them ` : reach.merges === 1 ? "" : "all ";
  return `${takes}, ${some}${to === "high" ? counted : not}`;
}
