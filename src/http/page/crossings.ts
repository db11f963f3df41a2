/** The crossings within the last merges, newest first. */
import type { RecentCrossing, RecentHistory } from "../../core/status-history.ts";
import { count } from "../../text/figures.ts";
import { safe } from "../../text/safe.ts";
import { oncePer } from "../once-per.ts";
import { gateTitle, stateHtml, timeHtml, valueHtml } from "./figures.ts";
import { type Html, html } from "./html.ts";

const SHOWN = 30;

export const crossings = oncePer((history: RecentHistory): Html => {
  const newest = history.crossings.toReversed().slice(0, SHOWN);
  return html`<section id="crossings" class="part" aria-labelledby="crossings-title"><h2 id="crossings-title">Crossings</h2>
<div class="card">${
    newest.length === 0
      ? html`<p>None within the last ${count(history.merges.length, "merge")}.</p>`
      : html`<ol class="crossings">${newest.map(crossing)}</ol>`
  }</div></section>`;
});

function crossing({
  metric,
  gate,
  scope,
  project,
  from,
  to,
  value,
  merged_at,
  ...rest
}: RecentCrossing): Html {
  const where = scope === "global" ? null : html` of project <b class="name">${safe(project ?? "")}</b>`;
  return html`<li>${timeHtml(merged_at)} <b>${gateTitle(gate)}</b>${where}: ${from} → ${stateHtml(metric, to)}
<span class="aside">at ${valueHtml(metric, value, rest)}, event ${rest.event_id}</span></li>`;
}
