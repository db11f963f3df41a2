/** What could move a gate, in words: what `metrics explain` says of it. */
import type { Explanation, Move } from "../../core/explanation.ts";
import type { MetricName } from "../../core/metric.ts";
import { boundText, count } from "../../text/figures.ts";
import { type Html, html } from "./html.ts";

/** Merges that count for a ratio, and those that do not. */
const KINDS: Readonly<Record<MetricName, { readonly counted: string; readonly not: string }>> = {
  first_pass_merge_rate: { counted: "at the first pass", not: "with more than one attempt" },
  rebase_conflict_rate: { counted: "with a rebase conflict", not: "without a rebase conflict" },
  p95_attempts_to_merge: { counted: "", not: "" },
};

export function distances({ metric, moves }: Explanation): Html | null {
  return moves.length === 0
    ? null
    : html`<ul class="moves">${moves.map((move) => html`<li>${distance(metric, move)}</li>`)}</ul>`;
}

function distance(metric: MetricName, { to, bound, reach }: Move): string {
  const side = `${to.toUpperCase()} (${to === "high" ? "≥" : "<"} ${boundText(bound)})`;
  if (reach === null) return `${side} cannot be reached.`;
  const takes = `${side} takes at least ${count(reach.merges, "more merge")}`;
  if (reach.of_kind === 0) return `${takes}, of any kind.`;
  const { counted, not } = KINDS[metric];
  const some = reach.of_kind < reach.merges ? `${reach.of_kind} of them ` : reach.merges === 1 ? "" : "all ";
  return `${takes}, ${some}${to === "high" ? counted : not}.`;
}
