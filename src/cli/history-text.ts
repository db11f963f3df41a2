/**
 * A history as text: for people what each metric is now, its plot, and the latest crossings in words; for programs as JSON,
 * in pieces, because the text of a hundred thousand points would take several times their own memory.
 */
import type { History, HistorySeries } from "../core/history.ts";
import { count, moment } from "../text/figures.ts";
import { jsonText, safe, safeJson } from "../text/safe.ts";
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
    const when = at === null ? "" : `, ${moment(at, "minutes")}`;
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

const POINTS_AT_ONCE = 500;

/** A point in each line, with the series that it belongs to. */
export function* historyLines({ series }: History): Generator<string> {
  for (const { metric, scope, project, source, points } of series)
    for (const some of pieces(points))
      yield some.map((point) => jsonText({ metric, scope, project, source, ...point })).join("");
}

/** PostgreSQL cannot store the character NUL, so no name is equal to this. */
const PLACE = "\0points";

/** What `jsonText(history, 2)` gives: the document without points, and each list of points in pieces at its place. */
export function* historyJson({ series, ...rest }: History): Generator<string> {
  const lists = series.flatMap(({ points }) => (points.length === 0 ? [] : [points]));
  const empty = series.map((one) => ({ ...one, points: one.points.length === 0 ? [] : [PLACE] }));
  const document = safeJson(JSON.stringify({ ...rest, series: empty }, null, 2));
  const [head, ...others] = document.split(`        ${JSON.stringify(PLACE)}`);
  yield head ?? "";
  for (const [nth, points] of lists.entries()) {
    for (const [piece, some] of pieces(points).entries()) {
      const list = safeJson(JSON.stringify(some, null, 2)).replaceAll("\n", "\n      ");
      yield (piece === 0 ? "" : ",\n") + list.slice(list.indexOf("\n") + 1, list.lastIndexOf("\n"));
    }
    yield others[nth] ?? "";
  }
  yield "\n";
}

function pieces<T>(items: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(items.length / POINTS_AT_ONCE) }, (_, nth) =>
    items.slice(nth * POINTS_AT_ONCE, (nth + 1) * POINTS_AT_ONCE),
  );
}
