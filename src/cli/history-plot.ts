/** A series as a plot: values with axis, bounds and labels, and below them the gate's state and its crossings. */
import { domainOf } from "../chart/domain.ts";
import { type CellKind, characterOf, type PlotOptions, type PlotRow, plot, rowOf } from "../chart/plot.ts";
import { isRatio } from "../core/catalogue.ts";
import type { HistoryPoint, HistorySeries } from "../core/history.ts";
import { boundText, moment } from "../text/figures.ts";
import { type Means, paint } from "./terminal.ts";

export type HistoryView = Means & {
  /** Rows of each plot. */
  readonly height: number;
  /** Lowest and highest value of the axis. Default: those of the values and bounds. */
  readonly domain?: readonly [number, number];
};

const LABEL = 7;
/** Room for `up >= 85%`, and for what the signs of the state mean. */
const BOUND_LABEL = 14;
// biome-ignore format: one sign below the other
const UTF8 = { axis: "┤", corner: "└", floor: "─", up: "▲", down: "▼", both: "◆", high: "█", low: "▁", unknown: "·" };
// biome-ignore format: as above
const ASCII = { axis: "|", corner: "+", floor: "-", up: "^", down: "v", both: "X", high: "H", low: "L", unknown: "." };

export function signsOf({ ascii }: Pick<Means, "ascii">): typeof UTF8 {
  return ascii ? ASCII : UTF8;
}

/** The plot of a series, without a title; empty if nothing is defined. */
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
  const values = axisLabels(ratio, options);
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

/** Rows between two labels, at least. */
const APART = 1.5;

/** Round values: 5%, 10%, 15%, or whole numbers of attempts, each beside the row in which it is drawn. */
function axisLabels(ratio: boolean, options: PlotOptions): string[] {
  const [bottom, top] = options.domain;
  const step = roundStep(((top - bottom) * APART) / Math.max(1, options.height - 1), ratio ? 0 : 1);
  const labels: string[] = [];
  for (let nth = Math.ceil(bottom / step); nth * step <= top; nth += 1) {
    const value = nth * step;
    labels[rowOf(value, options)] = ratio ? boundText(value) : String(value);
  }
  return labels;
}

/** The smallest of 1, 2, 5, 10, 20, 50 … that is not below a number, or the same of hundredths and so on. */
function roundStep(least: number, atLeast: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(least, atLeast, Number.MIN_VALUE)));
  const factor = [1, 2, 5, 10].find((one) => one * power >= Math.max(least, atLeast) * (1 - 1e-9)) ?? 10;
  return factor * power;
}

/** Beside the rows in which the bounds are drawn; the upper bound alone where both share a row. */
function boundLabels({ gate }: HistorySeries, options: PlotOptions): string[] {
  if (gate === null) return [];
  const labels: string[] = [];
  labels[rowOf(gate.lower, options)] = `down < ${boundText(gate.lower)}`;
  labels[rowOf(gate.upper, options)] = `up >= ${boundText(gate.upper)}`;
  return labels;
}

const COLOURS = { data: "cyan", bound: "gray" } as const;

/** Colours each run of characters of one kind. */
function paintRow({ text, kinds }: PlotRow, { colour }: HistoryView): string {
  const runs: { kind: CellKind; run: string }[] = [];
  for (const [index, character] of Array.from(text).entries()) {
    const kind = kinds[index] ?? "blank";
    const last = runs.at(-1);
    if (last?.kind === kind) last.run += character;
    else runs.push({ kind, run: character });
  }
  return runs.map(({ kind, run }) => (kind === "blank" ? run : paint(COLOURS[kind], run, colour))).join("");
}

/** For each character the state after its last merge. */
function stateLine(points: readonly HistoryPoint[], options: PlotOptions, view: HistoryView): string {
  const signs = signsOf(view);
  const strip: string[] = Array.from({ length: options.width }, () => " ");
  points.forEach(({ state }, index) => {
    const from = characterOf(index, points.length, options);
    const to = Math.max(from + 1, characterOf(index + 1, points.length, options));
    strip.fill(state === null ? " " : signs[state], from, to);
  });
  return `${"state".padStart(LABEL)}  ${strip.join("")} ${signs.high} high ${signs.low} low`;
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
  return `merge ${point.seq}${point.merged_at === null ? "" : `, ${moment(point.merged_at, "minutes")}`}`;
}

/** The first and the last merge below the ends of the plot, with their dates if they fit. */
function mergeLine(points: readonly HistoryPoint[], { width }: PlotOptions): string {
  const last = mergeText(points.at(-1));
  const dated = mergeText(points[0]);
  const first = dated.length + last.length < width ? dated : `merge ${points[0]?.seq}`;
  const between = width - first.length - last.length;
  const line = between < 1 || points.length === 1 ? last : `${first}${" ".repeat(between)}${last}`;
  return `${" ".repeat(LABEL + 2)}${line}`;
}
