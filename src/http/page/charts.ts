/**
 * Charts over the last merges. Those of projects are folded away: one for each listed project with a defined rate, and the
 * number of the others, which follow the global rate.
 */
import { historySvg } from "../../chart/svg.ts";
import { CATALOGUE, isRatio } from "../../core/catalogue.ts";
import type { GateState } from "../../core/gate.ts";
import type { HistorySeries } from "../../core/history.ts";
import type { RecentHistory } from "../../core/status-history.ts";
import { count } from "../../text/figures.ts";
import { safe } from "../../text/safe.ts";
import { oncePer } from "../once-per.ts";
import { stateHtml, TITLES, valueHtml } from "./figures.ts";
import { Html, html } from "./html.ts";

/** In CSS pixels. A narrow card shows the narrow drawing; the wide one would shrink beyond reading. */
const SIZES = { wide: { width: 620, height: 230 }, narrow: { width: 340, height: 200 } };

/** Null if no project has a rate of its own. */
export const projectCharts = oncePer(({ series }: RecentHistory): Html => {
  const ofProjects = series.filter(({ project }) => project !== null);
  const metrics = [...Map.groupBy(ofProjects, ({ metric }) => metric).values()];
  return html`<section id="charts" class="part" aria-label="Charts by project">${metrics.map(chartsOf)}</section>`;
});

/** One metric, by project. */
function chartsOf(series: readonly HistorySeries[]): Html | null {
  const drawn = series.filter(isDefined);
  const [first] = drawn;
  if (first === undefined) return null;
  const { metric } = first;
  const young = series.length - drawn.length;
  return html`<details id="charts-of-${metric}" class="fold"><summary>${TITLES[metric]} by project:${states(drawn)}</summary>
<div class="charts">${drawn.map(projectChart)}</div>${
    young === 0
      ? null
      : html`<p class="aside">${count(young, "further project")} merged lately and ${young === 1 ? "has" : "have"} no full window: the global rate holds there.</p>`
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

function projectChart(series: HistorySeries): Html {
  const { metric, points, gate } = series;
  const project = safe(series.project ?? "");
  const last = points.at(-1);
  const merges = JSON.stringify(points.map(({ seq, merged_at }) => [seq, merged_at]));
  return html`<article class="card chart" data-project="${project}" data-merges="${merges}"><h3 class="name">${project}</h3>
<p class="detail">${valueHtml(metric, last?.value ?? null, gate)}
<span class="aside">n=${last?.n ?? 0}/${last?.window ?? 0}</span> ${stateHtml(metric, last?.state ?? "unknown")}</p>
${drawing(series)}</article>`;
}

/** The last merges of a metric. A global one is drawn for a wide card and for a narrow one. */
export const drawing = oncePer((series: HistorySeries): Html => {
  if (!isDefined(series)) return html``;
  return series.project === null
    ? html`<div class="wide">${figure(series, "wide")}</div><div class="narrow">${figure(series, "narrow")}</div>`
    : figure(series, "narrow");
});

/** A drawing from which a pointer or the arrow keys read single merges. */
function figure(series: HistorySeries, size: keyof typeof SIZES): Html {
  const { metric, gate, points } = series;
  const whose = series.project === null ? "" : ` of project ${safe(series.project)}`;
  const title = `${TITLES[metric]}${whose}, last ${count(points.length, "merge")}`;
  // A project's name may be any text, an id may not.
  const whom = series.project === null ? size : Buffer.from(series.project).toString("hex");
  const id = `${metric.replaceAll("_", "-")}-${whom}`;
  const [ratio, { permissive }] = [isRatio(metric), CATALOGUE[metric]];
  const drawn = historySvg(points, { title, ratio, bounds: gate, permissive, id, ...SIZES[size] });
  const values = points.map(({ value }) => value ?? "").join(",");
  return html`<figure data-ratio="${String(ratio)}" data-values="${values}" tabindex="0" aria-label="${title}: arrow keys read single merges">
${new Html(drawn)}<figcaption><span class="read" aria-live="polite"></span><span class="hint">last ${count(points.length, "merge")}</span></figcaption></figure>`;
}

function isDefined({ points }: HistorySeries): boolean {
  return points.some(({ value }) => value !== null);
}
