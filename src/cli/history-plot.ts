/** A series as a plot: values against the axis with bounds and labels, and below it the gate's state and its crossings. */
import { styleText } from "node:util";
import { domainOf } from "../chart/domain.ts";
import { type CellKind, characterOf, type PlotOptions, type PlotRow, plot, rowOf } from "../chart/plot.ts";
import { isRatio } from "../core/catalogue.ts";
import type { GateState } from "../core/gate.ts";
import type { HistoryPoint, HistorySeries } from "../core/history.ts";
import { boundText, moment, percent } from "../text/figures.ts";
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
const SIGN_SETS = {
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

export function signsOf({ ascii }: Pick<Means, "ascii">) {
  return ascii ? SIGN_SETS.ascii : SIGN_SETS.utf8;
}

/** The plot of a series, without a title; nothing where nothing is defined. */
export function plotLines(series: HistorySeries, view: HistoryView): string[] {
  const { points, gate, metric } = series;
  if (points.every(({ value }) => value === null)) return [];
  const ratio = isRatio(metric);
  const signs = signsOf(view);
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
  const signs = signsOf(view);
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
  const signs = signsOf(view);
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
