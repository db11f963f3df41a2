/** Values, gates and moments as the page writes them, each with its machine-readable form. */
import { CATALOGUE, isRatio } from "../../core/catalogue.ts";
import type { GateState } from "../../core/gate.ts";
import type { MetricName } from "../../core/metric.ts";
import { type Bounds, boundText, moment, percent } from "../../text/figures.ts";
import { type Html, html } from "./html.ts";

export const TITLES: Readonly<Record<MetricName, string>> = {
  first_pass_merge_rate: "First-pass merge rate",
  rebase_conflict_rate: "Rebase conflict rate",
  p95_attempts_to_merge: "p95 attempts to merge",
};

/** A value, or the word "undefined". */
export function valueHtml(metric: MetricName, value: number | null, gate: Bounds | null): Html {
  if (value === null) return html`<span class="undefined">undefined</span>`;
  return html`<data value="${value}">${isRatio(metric) ? percent(value, gate) : value}</data>`;
}

const SIGNS: Readonly<Record<GateState, string>> = { high: "▲", low: "▼", unknown: "○" };

/** A state as a sign, a word and a colour: green where the orchestrator may do more, orange where it is restricted. */
export function stateHtml(metric: MetricName, state: GateState): Html {
  const { permissive } = CATALOGUE[metric];
  const meaning = state === "unknown" ? "unknown" : state === permissive ? "open" : "restricted";
  return html`<span class="state ${meaning}"><span aria-hidden="true">${SIGNS[state]}</span> ${state.toUpperCase()}</span>`;
}

export function boundsText({ upper, lower }: Bounds): string {
  return `up ≥ ${boundText(upper)}, down < ${boundText(lower)}`;
}

export function timeHtml(iso: string | null, precision: "minutes" | "seconds" = "minutes"): Html {
  return iso === null
    ? html`<span class="undefined">unknown</span>`
    : html`<time datetime="${iso}">${moment(iso, precision)}</time>`;
}
