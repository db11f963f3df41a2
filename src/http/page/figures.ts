/** Values, gates and moments as the page writes them, each with its machine-readable form. */
import { CATALOGUE, isRatio } from "../../core/catalogue.ts";
import type { Explanation } from "../../core/explanation.ts";
import type { GateState } from "../../core/gate.ts";
import type { MetricName } from "../../core/metric.ts";
import { type Bounds, count, moment, percent } from "../../text/figures.ts";
import { moveText } from "../../text/moves.ts";
import { safe } from "../../text/safe.ts";
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

/** What a state means for the orchestrator. */
export type Meaning = "permissive" | "restricted" | "unknown";

export function meaningOfState(metric: MetricName, state: GateState): Meaning {
  if (state === "unknown") return "unknown";
  return state === CATALOGUE[metric].permissive ? "permissive" : "restricted";
}

const SIGNS: Readonly<Record<GateState, string>> = { high: "▲", low: "▼", unknown: "○" };

/** A state as a sign, a word and a colour: green is permissive, orange restricted. */
export function stateHtml(metric: MetricName, state: GateState, gate: string | null = null): Html {
  const name = gate === null ? null : html`${gateTitle(gate)}: `;
  return html`<span class="state ${meaningOfState(metric, state)}"><span aria-hidden="true">${SIGNS[state]}</span> ${name}${state.toUpperCase()}</span>`;
}

/** A gate's name as a heading: `scope_overlap` is "Scope overlap". */
export function gateTitle(gate: string): string {
  const words = safe(gate).replaceAll("_", " ");
  return `${words.slice(0, 1).toUpperCase()}${words.slice(1)}`;
}

/** The script shows the age instead; the date stays in the tooltip. */
export function timeHtml(iso: string | null): Html {
  return iso === null
    ? html`<span class="undefined">unknown</span>`
    : html`<time datetime="${iso}" title="${iso}">${moment(iso, "minutes")}</time>`;
}

/** "since" a date; the script shows the duration instead. Null if it is not known. */
export function sinceHtml(iso: string | null): Html | null {
  return iso === null
    ? null
    : html` since <time class="since" datetime="${iso}" title="${iso}">${moment(iso, "minutes")}</time>`;
}

/** What could move a gate: what `metrics explain` says of it. */
export function movesHtml({ metric, window, moves }: Explanation): Html | null {
  const items = moves.map((move) => html`<li>${moveText(metric, window, move).replace(">=", "≥")}.</li>`);
  return items.length === 0 ? null : html`<ul class="moves">${items}</ul>`;
}

/** How many merges a value still needs; null if it is defined. */
export function neededHtml({ value, n, window }: Pick<Explanation, "value" | "n" | "window">): Html | null {
  return value === null ? html` · ${count(window - n, "more merge")} needed` : null;
}
