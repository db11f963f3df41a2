/** A history for people: what each metric is now, its plot, and the latest crossings in words. */
import type { HistorySeries } from "../core/history.ts";
import { count, moment } from "../text/figures.ts";
import { safe } from "../text/safe.ts";
import { type HistoryView, plotLines, signsOf } from "./history-plot.ts";
import { headingText, titleOf, valueText } from "./reading-text.ts";

const CROSSINGS_SHOWN = 5;

export function renderHistory(series: readonly HistorySeries[], view: HistoryView): string {
  return series.map((one) => `${seriesLines(one, view).join("\n")}\n`).join("\n");
}

function seriesLines(series: HistorySeries, view: HistoryView): string[] {
  const { metric, project, gate, source, points } = series;
  const last = points.at(-1);
  if (last === undefined)
    return [`${titleOf(series)}: no merges recorded ${project === null ? "yet" : "for this project"}`];
  const computed = source === "computed" ? ", computed: not recorded for projects" : "";
  const title = `${headingText(series, { metric, ...last }, gate, view.colour)}${computed}`;
  if (points.every(({ value }) => value === null))
    return [title, `  undefined so far: ${count(last.window - last.n, "more merge")} needed`];
  return [title, ...plotLines(series, view), ...crossingLines(series, view)];
}

function crossingLines({ points, gate, metric }: HistorySeries, view: HistoryView): string[] {
  const signs = signsOf(view);
  const lines = points.flatMap(({ crossing, value, seq, event_id: event, merged_at: at }) => {
    if (crossing === null) return [];
    const when = at === null ? "" : `, ${safe(moment(at, "minutes"))}`;
    const sign = crossing.to === "high" ? signs.up : signs.down;
    return `  ${sign} ${safe(crossing.gate)} ${crossing.from} to ${crossing.to} at ${valueText(metric, value, crossing)}, merge ${seq} (event ${safe(event)}${when})`;
  });
  if (lines.length === 0) return gate === null ? [] : ["  no crossings in these merges"];
  const more = lines.length - CROSSINGS_SHOWN;
  return [
    ...(more > 0 ? [`  ${count(more, "earlier crossing")} in these merges`] : []),
    ...lines.slice(-CROSSINGS_SHOWN),
  ];
}
