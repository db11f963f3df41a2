/** The global readings, large: value, how full the window is, the state of the gate and since when. */
import type { Snapshot, SnapshotMetric } from "../../core/snapshot.ts";
import { count } from "../../text/figures.ts";
import { boundsText, stateHtml, TITLES, timeHtml, valueHtml } from "./figures.ts";
import { type Html, html } from "./html.ts";

export function tiles({ metrics }: Snapshot): Html {
  const global = metrics.filter(({ project }) => project === null);
  return html`<section id="now" aria-labelledby="now-title"><h2 id="now-title">Now</h2>
<div class="tiles">${global.map(tile)}</div></section>`;
}

function tile({ metric, value, numerator, n, window, gate }: SnapshotMetric): Html {
  const of = numerator === null || n === 0 ? null : html`<span class="of">${numerator} of ${n}</span> · `;
  const missing = value === null ? html` · ${count(window - n, "more merge")} needed` : null;
  return html`<article class="card tile" data-metric="${metric}">
<h3>${TITLES[metric]}</h3>
<p class="value">${valueHtml(metric, value, gate)}</p>
<p class="detail">${of}<span class="n">n=${n}/${window}</span>${missing}</p>
<meter aria-label="merges in the window" min="0" max="${window}" value="${n}">${n} of ${window}</meter>
${
  gate === null
    ? html`<p class="gate">no gate</p>`
    : html`<p class="gate"><b>${gate.name}</b> ${stateHtml(metric, gate.state)}${
        gate.since === null ? null : html` <span class="since">since ${timeHtml(gate.since)}</span>`
      }</p><p class="detail">${boundsText(gate)}</p>`
}
</article>`;
}
