/** Each recorded metric over the last merges; drawn twice, so that it can be read on a phone as well. */
import type { HistorySeries } from "../../core/history.ts";
import type { RecentHistory } from "../../core/status-history.ts";
import { drawing, isDrawn } from "./drawing.ts";
import { TITLES } from "./figures.ts";
import { type Html, html } from "./html.ts";
import { projectCharts } from "./project-charts.ts";

export function charts({ series }: RecentHistory): Html {
  const global = series.filter(({ project }) => project === null);
  return html`<section id="charts" aria-labelledby="charts-title"><h2 id="charts-title">Over the last merges</h2>
<div class="charts">${global.map(chart)}</div>${projectCharts(series)}</section>`;
}

function chart(series: HistorySeries): Html {
  const { metric, points } = series;
  const heading = TITLES[metric];
  if (!isDrawn(series)) {
    const last = points.at(-1);
    const sofar =
      last === undefined ? "no merge is recorded yet" : `${last.n} of ${last.window} merges so far`;
    return html`<article class="card chart"><h3>${heading}</h3><p class="undefined">Undefined: ${sofar}.</p></article>`;
  }
  const title = `${heading} over the last merges`;
  const id = metric.replaceAll("_", "-");
  return html`<article class="card chart"><h3>${heading}</h3>
<div class="wide">${drawing(series, { size: "wide", title, id: `${id}-wide` })}</div>
<div class="narrow">${drawing(series, { size: "narrow", title, id: `${id}-narrow` })}</div></article>`;
}
