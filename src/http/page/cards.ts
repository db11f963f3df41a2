/**
 * The global metrics, one card each: the gate's decision, the value between its bounds and what could move the gate, and
 * the last merges as a chart.
 */
import { isRatio } from "../../core/catalogue.ts";
import type { Explanation } from "../../core/explanation.ts";
import type { HistorySeries } from "../../core/history.ts";
import type { Shown } from "../memory.ts";
import { boundsBar } from "./bounds-bar.ts";
import { drawing } from "./charts.ts";
import { meaningOfState, movesHtml, neededHtml, sinceHtml, stateHtml, TITLES, valueHtml } from "./figures.ts";
import { type Html, html } from "./html.ts";

export function cards({ global, history: { series, merges } }: Shown): Html {
  const points = JSON.stringify(merges.map(({ seq, merged_at, project }) => [seq, merged_at, project]));
  return html`<section id="now" class="part" aria-label="Now" data-merges="${points}"><div class="cards">${global.map(
    (one) =>
      card(one, series.find(({ metric, project }) => metric === one.metric && project === null) ?? null),
  )}</div></section>`;
}

function card(explanation: Explanation, series: HistorySeries | null): Html {
  const { metric, value, numerator, n, window, gate } = explanation;
  const of = numerator === null || n === 0 ? null : html`<span class="of">${numerator} of ${n}</span> · `;
  const figure = html`${valueHtml(metric, value, gate)} <span class="what">${TITLES[metric]}</span>`;
  const detail = html`<p class="detail">${of}<span class="n">n=${n}/${window}</span>${neededHtml(explanation)}${gate === null ? " · no gate" : null}</p>`;
  const drawn = series === null ? null : drawing(series);
  if (gate === null)
    return html`<article class="card metric" data-metric="${metric}"><h2 class="value">${figure}</h2>${detail}${drawn}</article>`;
  return html`<article class="card metric gated" data-metric="${metric}"><h2 class="decision">${stateHtml(metric, gate.state, gate.name)}
<span class="since">${meaningOfState(metric, gate.state)}${sinceHtml(gate.since)}</span></h2>
<p class="value">${figure}</p>${detail}
${isRatio(metric) ? boundsBar(metric, value, gate) : null}${movesHtml(explanation)}${drawn}</article>`;
}
