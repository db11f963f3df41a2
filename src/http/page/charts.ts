/**
 * Each recorded metric over the last merges; then, folded away, the gated metrics of the projects that matter most: a
 * drawing for each project that has a rate of its own, and the number of the others, which follow the global rate.
 */
import { historySvg } from "../../chart/svg.ts";
import { CATALOGUE, isRatio } from "../../core/catalogue.ts";
import type { GateState } from "../../core/gate.ts";
import type { HistorySeries } from "../../core/history.ts";
import type { RecentHistory } from "../../core/status-history.ts";
import { count } from "../../text/figures.ts";
import { safe } from "../../text/safe.ts";
import { stateHtml, TITLES, valueHtml } from "./figures.ts";
import { Html, html } from "./html.ts";

/** In CSS pixels. A phone shows the narrow drawing; the wide one would shrink beyond reading. */
const SIZES = { wide: { width: 400, height: 210 }, narrow: { width: 300, height: 195 } };

export function charts({ series }: RecentHistory): Html {
  const global = series.filter(({ project }) => project === null);
  const ofProjects = series.filter(({ project }) => project !== null);
  const metrics = [...Map.groupBy(ofProjects, ({ metric }) => metric).values()];
  return html`<section id="charts" aria-labelledby="charts-title"><h2 id="charts-title">Over the last merges</h2>
<div class="charts">${global.map(globalChart)}</div>${metrics.map(projectCharts)}</section>`;
}

function globalChart(series: HistorySeries): Html {
  const { metric, points } = series;
  const heading = TITLES[metric];
  if (!isDefined(series)) {
    const last = points.at(-1);
    const sofar =
      last === undefined ? "no merge is recorded yet" : `${last.n} of ${last.window} merges so far`;
    return html`<article class="card chart"><h3>${heading}</h3><p class="undefined">Undefined: ${sofar}.</p></article>`;
  }
  const title = `${heading} over the last merges`;
  return html`<article class="card chart"><h3>${heading}</h3>
<div class="wide">${drawing(series, "wide", title)}</div>
<div class="narrow">${drawing(series, "narrow", title)}</div></article>`;
}

/** One metric of all busy projects. */
function projectCharts(series: readonly HistorySeries[]): Html | null {
  const drawn = series.filter(isDefined);
  const [first] = drawn;
  if (first === undefined) return null;
  const { metric } = first;
  const young = series.length - drawn.length;
  return html`<details id="charts-of-${metric}" class="fold"><summary>${TITLES[metric]} by project:${states(drawn)}</summary>
<div class="charts">${drawn.map(projectChart)}</div>${
    young === 0
      ? null
      : html`<p class="aside">${count(young, "further busy project")} without a full window: the global rate holds there.</p>`
  }</details>`;
}

/** How many projects are in each state, visible without unfolding. */
function states(drawn: readonly HistorySeries[]): readonly Html[] {
  const byState = Map.groupBy(drawn, (one) => one.points.at(-1)?.state ?? "unknown");
  return (["high", "low", "unknown"] as const satisfies readonly GateState[]).flatMap((state) => {
    const [first, ...others] = byState.get(state) ?? [];
    return first === undefined ? [] : [html` ${others.length + 1} ${stateHtml(first.metric, state)}`];
  });
}

function projectChart(series: HistorySeries, index: number): Html {
  const { metric, points, gate } = series;
  const project = safe(series.project ?? "");
  const last = points.at(-1);
  return html`<article class="card chart" data-project="${project}"><h3 class="name">${project}</h3>
<p class="detail">${valueHtml(metric, last?.value ?? null, gate)}
<span class="aside">n=${last?.n ?? 0}/${last?.window ?? 0}</span> ${stateHtml(metric, last?.state ?? "unknown")}</p>
${drawing(series, "narrow", `${TITLES[metric]} of project ${project} over its last merges`, index)}</article>`;
}

/** @param title is read out first. @param project distinguishes a project's drawing from the others of the page. */
function drawing(
  { metric, gate, points }: HistorySeries,
  size: keyof typeof SIZES,
  title: string,
  project: number | null = null,
): Html {
  const id = `${metric.replaceAll("_", "-")}-${project === null ? size : `project-${project}`}`;
  const { permissive } = CATALOGUE[metric];
  return new Html(
    historySvg(points, { title, ratio: isRatio(metric), bounds: gate, permissive, id, ...SIZES[size] }),
  );
}

function isDefined({ points }: HistorySeries): boolean {
  return points.some(({ value }) => value !== null);
}
