/** A history for people: a plot with bounds and labels, the gate's state and its crossings below, and the latest of them in words. */
import { styleText } from "node:util";
import { type CellKind, characterOf, type PlotOptions, type PlotRow, plot, rowOf } from "../chart/plot.ts";
import { domainOf } from "../chart/svg.ts";
import { CATALOGUE } from "../core/catalogue.ts";
import type { GateState } from "../core/gate.ts";
import type { HistoryPoint, HistorySeries } from "../core/history.ts";
import { boundText, count, moment, percent } from "../text/figures.ts";
import { safe } from "../text/safe.ts";
import type { Means } from "./terminal.ts";

export type HistoryView = Means & {
  /** Rows of each plot. */
  readonly height: number;
  /** Lowest and highest value that there is room for; left out: as the values and bounds are. */
  readonly domain?: readonly [number, number];
};

const LABEL = 7;
/** Room for `up >= 85%`, and for what the signs of the state mean. */
const BOUND_LABEL = 14;
const CROSSINGS_TOLD = 5;

const SIGNS = {
  utf8: {
    axis: "┤",
    corner: "└",
    floor: "─",
    up: "▲",
    down: "▼",
    both: "◆",
    high: "█",
    low: "▁",
    unknown: "·",
  },
  ascii: {
    axis: "|",
    corner: "+",
    floor: "-",
    up: "^",
    down: "v",
    both: "X",
    high: "H",
    low: "L",
    unknown: ".",
  },
};

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
  return [title, ...drawn(series, view), ...crossingLines(series, view)];
}

/** The plot of a series without its title; nothing where nothing is defined. */
export function plotLines(series: HistorySeries, view: HistoryView): string[] {
  return series.points.some(({ value }) => value !== null) ? drawn(series, view) : [];
}

function readingText({ metric, gate }: HistorySeries, { value, n, window }: HistoryPoint): string {
  const ratio = CATALOGUE[metric].measures === "ratio";
  const bounds = gate === null ? [] : [gate.upper, gate.lower];
  const text = value === null ? "undefined" : ratio ? percent(value, bounds) : String(value);
  return `${text} (n=${n}/${window})`;
}

function drawn(series: HistorySeries, view: HistoryView): string[] {
  const { points, gate, metric } = series;
  const ratio = CATALOGUE[metric].measures === "ratio";
  const signs = view.ascii ? SIGNS.ascii : SIGNS.utf8;
  const right = gate === null ? 0 : BOUND_LABEL;
  const options: PlotOptions = {
    width: Math.max(10, view.columns - LABEL - 2 - right),
    height: view.height,
    ascii: view.ascii,
    domain: view.domain ?? domainOf(points, { ratio, bounds: gate }),
    bounds: gate === null ? [] : [gate.upper, gate.lower],
  };
  const rows = plot(points, options);
  const labels = boundLabels(series, options);
  const values = ratio ? percentLabels(rows, options) : wholeLabels(options);
  return [
    ...rows.map((row, index) => {
      const line = `${(values[index] ?? "").padStart(LABEL)} ${signs.axis}${paintRow(row, view)} ${labels[index] ?? ""}`;
      return line.trimEnd();
    }),
    `${" ".repeat(LABEL + 1)}${signs.corner}${signs.floor.repeat(options.width)}`,
    ...(gate === null ? [] : [stateLine(points, options, view), crossingMarks(points, options, view)]),
    mergeLine(points, options),
  ].filter((line) => line.trim() !== "");
}

/** The ends of the axis and its middle. */
function percentLabels(rows: readonly PlotRow[], { domain: [bottom, top] }: PlotOptions): string[] {
  const middle = Math.floor(rows.length / 2);
  return rows.map((row, index) => {
    if (index === 0) return percent(top);
    if (index === rows.length - 1) return percent(bottom);
    return index === middle ? percent(row.middle) : "";
  });
}

/** Numbers of attempts, as many as there are rows for. */
function wholeLabels(options: PlotOptions): string[] {
  const labels: string[] = [];
  const [bottom, top] = options.domain;
  const step = Math.max(1, Math.ceil((top - bottom) / (options.height - 1)));
  for (let value = bottom; value <= top; value += step) labels[rowOf(value, options)] = String(value);
  return labels;
}

/** Beside the rows that the bounds are drawn in; the upper one alone where both share a row. */
function boundLabels({ gate }: HistorySeries, options: PlotOptions): string[] {
  if (gate === null) return [];
  const labels: string[] = [];
  labels[rowOf(gate.lower, options)] = `down < ${boundText(gate.lower)}`;
  labels[rowOf(gate.upper, options)] = `up >= ${boundText(gate.upper)}`;
  return labels;
}

const COLOURS = { data: "cyan", bound: "gray" } as const;

function paintRow({ text, kinds }: PlotRow, { colour }: HistoryView): string {
  if (!colour) return text;
  let painted = "";
  let run = "";
  let kind: CellKind = "blank";
  const flush = () => {
    painted += kind === "blank" ? run : styleText(COLOURS[kind], run, { validateStream: false });
    run = "";
  };
  Array.from(text).forEach((character, index) => {
    const next = kinds[index] ?? "blank";
    if (next !== kind) flush();
    kind = next;
    run += character;
  });
  flush();
  return painted;
}

/** The state in which each character ends. */
function stateLine(points: readonly HistoryPoint[], options: PlotOptions, view: HistoryView): string {
  const signs = view.ascii ? SIGNS.ascii : SIGNS.utf8;
  const states: (GateState | null)[] = Array.from({ length: options.width }, () => null);
  points.forEach(({ state }, index) => {
    const from = characterOf(index, points.length, options);
    const to = Math.max(from, characterOf(index + 1, points.length, options) - 1);
    for (let x = from; x <= to && x < options.width; x += 1) states[x] = state;
  });
  const strip = states.map((state) => (state === null ? " " : signs[state])).join("");
  return `${"state".padStart(LABEL)}  ${strip} ${signs.high} high ${signs.low} low`;
}

function crossingMarks(points: readonly HistoryPoint[], options: PlotOptions, view: HistoryView): string {
  const signs = view.ascii ? SIGNS.ascii : SIGNS.utf8;
  const marks: string[] = Array.from({ length: options.width }, () => " ");
  points.forEach(({ crossing }, index) => {
    if (crossing === null) return;
    const x = Math.min(options.width - 1, characterOf(index, points.length, options));
    const sign = crossing.to === "high" ? signs.up : signs.down;
    marks[x] = marks[x] === " " || marks[x] === sign ? sign : signs.both;
  });
  return `${" ".repeat(LABEL + 2)}${marks.join("").trimEnd()}`;
}

function mergeText(point: HistoryPoint | undefined): string {
  if (point === undefined) return "";
  return `merge ${point.seq}${point.merged_at === null ? "" : `, ${safe(moment(point.merged_at, "minutes"))}`}`;
}

/** The first and the last merge under their ends of the plot, with their dates where there is room. */
function mergeLine(points: readonly HistoryPoint[], { width }: PlotOptions): string {
  const last = mergeText(points.at(-1));
  const dated = mergeText(points[0]);
  const first = dated.length + last.length < width ? dated : `merge ${points[0]?.seq}`;
  const between = width - first.length - last.length;
  const line = between < 1 || points.length === 1 ? last : `${first}${" ".repeat(between)}${last}`;
  return `${" ".repeat(LABEL + 2)}${line}`;
}

function crossingLines({ points, gate, metric }: HistorySeries, view: HistoryView): string[] {
  const signs = view.ascii ? SIGNS.ascii : SIGNS.utf8;
  const crossings = points.filter(({ crossing }) => crossing !== null);
  if (gate === null && crossings.length === 0) return [];
  const told = crossings
    .slice(-CROSSINGS_TOLD)
    .map(({ crossing, value, seq, event_id: event, merged_at: at }) => {
      if (crossing === null) return "";
      const bounds = [crossing.upper, crossing.lower];
      const reading =
        value === null
          ? "undefined"
          : CATALOGUE[metric].measures === "ratio"
            ? percent(value, bounds)
            : String(value);
      const when = at === null ? "" : `, ${safe(moment(at, "minutes"))}`;
      return `  ${crossing.to === "high" ? signs.up : signs.down} ${safe(crossing.gate)} ${crossing.from} to ${crossing.to} at ${reading}, merge ${seq} (event ${safe(event)}${when})`;
    });
  const more = crossings.length - told.length;
  return [
    ...(crossings.length === 0 ? ["  no crossings in these merges"] : []),
    ...(more > 0 ? [`  ${count(more, "earlier crossing")} in these merges`] : []),
    ...told,
  ];
}
