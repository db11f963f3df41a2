/**
 * The gated metrics of the projects that matter most, behind a fold: a drawing for each that has a rate of its own, the
 * others in one sentence, as they follow the global rate.
 */

import type { GateState } from "../../core/gate.ts";
import type { HistorySeries } from "../../core/history.ts";
import { count } from "../../text/figures.ts";
import { safe } from "../../text/safe.ts";
import { drawing, isDrawn } from "./drawing.ts";
import { stateHtml, TITLES, valueHtml } from "./figures.ts";
import { type Html, html } from "./html.ts";

export function projectCharts(series: readonly HistorySeries[]): readonly (Html | null)[] {
  const ofProjects = series.filter(({ project }) => project !== null);
  return [...Map.groupBy(ofProjects, ({ metric }) => metric).values()].map(folded);
}

function folded(series: readonly HistorySeries[]): Html | null {
  const drawn = series.filter(isDrawn);
  const [first] = drawn;
  if (first === undefined) return null;
  const { metric } = first;
  const young = series.length - drawn.length;
  return html`<details id="charts-of-${metric}" class="fold"><summary>${TITLES[metric]} by project:${states(drawn)}</summary>
<div class="charts">${drawn.map(chart)}</div>${
    young === 0
      ? null
      : html`<p class="aside">${count(young, "further busy project")} without a full window: the global rate holds there.</p>`
  }</details>`;
}

/** How many stand where, to be seen without unfolding. */
function states(drawn: readonly HistorySeries[]): readonly Html[] {
  const standing = Map.groupBy(drawn, (one) => one.points.at(-1)?.state ?? "unknown");
  return (["high", "low", "unknown"] as const satisfies readonly GateState[]).flatMap((state) => {
    const [first, ...others] = standing.get(state) ?? [];
    return first === undefined ? [] : [html` ${others.length + 1} ${stateHtml(first.metric, state)}`];
  });
}

function chart(series: HistorySeries, index: number): Html {
  const { metric, points, gate } = series;
  const project = safe(series.project ?? "");
  const last = points.at(-1);
  return html`<article class="card chart" data-project="${project}"><h3 class="name">${project}</h3>
<p class="detail">${valueHtml(metric, last?.value ?? null, gate)}
<span class="aside">n=${last?.n ?? 0}/${last?.window ?? 0}</span> ${stateHtml(metric, last?.state ?? "unknown")}</p>
${drawing(series, {
  size: "narrow",
  title: `${TITLES[metric]} of project ${project} over its last merges`,
  id: `${metric.replaceAll("_", "-")}-project-${index}`,
})}</article>`;
}
