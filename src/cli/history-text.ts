/** A history for people: what each metric is now, its plot, and the latest crossings in words. */
import type { HistoryPoint, HistorySeries } from "../core/history.ts";
import { count, moment } from "../text/figures.ts";
import { safe } from "../text/safe.ts";
import { type HistoryView, plotLines, signsOf } from "./history-plot.ts";
import { valueText } from "./value-text.ts";

const CROSSINGS_TOLD = 5;

export function renderHistory(series: readonly HistorySeries[], view: HistoryView): string {
  return series
    .map((one) =>
      seriesLines(one, view)
        .map((line) => `${line}\n`)
        .join(""),
    )
    .join("\n");
}

/** What a series is called: metric and scope. */
export function titleOf({ metric, project }: Pick<HistorySeries, "metric" | "project">): string {
  return project === null ? metric : `${metric}, project ${safe(project)}`;
}

function seriesLines(series: HistorySeries, view: HistoryView): string[] {
  const { points } = series;
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined)
    return [
      `${titleOf(series)}: no merges recorded${series.project === null ? " yet" : " for this project"}`,
    ];
  const title = `${titleOf(series)} = ${readingText(series, last)}${series.source === "computed" ? ", computed: not recorded for projects" : ""}`;
  if (points.every(({ value }) => value === null))
    return [title, `  undefined so far: ${count(last.window - last.n, "more merge")} needed`];
  return [title, ...plotLines(series, view), ...crossingLines(series, view)];
}

function readingText({ metric, gate }: HistorySeries, { value, n, window }: HistoryPoint): string {
  return `${valueText(metric, value, gate)} (n=${n}/${window})`;
}

function crossingLines({ points, gate, metric }: HistorySeries, view: HistoryView): string[] {
  const signs = signsOf(view);
  const crossings = points.filter(({ crossing }) => crossing !== null);
  if (gate === null && crossings.length === 0) return [];
  const told = crossings
    .slice(-CROSSINGS_TOLD)
    .map(({ crossing, value, seq, event_id: event, merged_at: at }) => {
      if (crossing === null) return "";
      const when = at === null ? "" : `, ${safe(moment(at, "minutes"))}`;
      return `  ${crossing.to === "high" ? signs.up : signs.down} ${safe(crossing.gate)} ${crossing.from} to ${crossing.to} at ${valueText(metric, value, crossing)}, merge ${seq} (event ${safe(event)}${when})`;
    });
  const more = crossings.length - told.length;
  return [
    ...(crossings.length === 0 ? ["  no crossings in these merges"] : []),
    ...(more > 0 ? [`  ${count(more, "earlier crossing")} in these merges`] : []),
    ...told,
  ];
}
