/**
 * A metric over the merges as SVG: the line with gaps where the metric was undefined, its bounds at their exact height,
 * a mark at every crossing, and the gate's state as a band below. No scripts; title and description say in words what
 * is drawn.
 */
import { scaleLinear } from "d3-scale";
import { area, line } from "d3-shape";
import type { GateState } from "../core/gate.ts";
import type { HistoryPoint } from "../core/history.ts";
import { boundText, moment, percent } from "../text/figures.ts";
import { asMarkup } from "../text/markup.ts";
import { safe } from "../text/safe.ts";
import { columnOf } from "./columns.ts";
import { domainOf, extremes } from "./domain.ts";
import { HISTORY_CSS } from "./svg-style.ts";

export type HistorySvgOptions = {
  /** What is drawn, in a few words. Screen readers read it first. */
  readonly title: string;
  /** Whether values are ratios 0–1, to be written as percentages. */
  readonly ratio: boolean;
  /** Ratios 0–1; null if nothing is gated. */
  readonly bounds: { readonly upper: number; readonly lower: number } | null;
  /** The state in which the orchestrator may do more, drawn in green; default high. */
  readonly permissive?: GateState | null;
  /** Distinguishes this chart's ids from those of other charts on the page: letters, digits, hyphens. */
  readonly id: string;
  /** In CSS pixels; default 720 by 240. */
  readonly width?: number;
  readonly height?: number;
  /** Whether the document carries its own style, as a file must. A page has HISTORY_CSS in its own style sheet. */
  readonly standalone?: boolean;
};

/** The labels of the bounds are on the right. */
const MARGIN = { top: 14, right: 86, rightAlone: 18, bottom: 54, left: 46 };
/** Width of a merge's number below the plot. */
const TICK_WIDTH = 44;
const BAND = 6;
/** A longer chart shows days instead of hours. */
const SHOWN_BY_DAY_MS = 36 * 3_600_000;
/** A mark's half width. */
const MARK = 6;

/** An `<svg>` element for a page, or a whole document if `standalone`. */
export function historySvg(points: readonly HistoryPoint[], options: HistorySvgOptions): string {
  const { width = 720, height = 240, id, standalone = false } = options;
  const plot = {
    left: MARGIN.left,
    right: width - (options.bounds === null ? MARGIN.rightAlone : MARGIN.right),
    top: MARGIN.top,
    bottom: height - MARGIN.bottom,
  };
  const body = points.some(({ value }) => value !== null)
    ? drawn(points, options, plot)
    : [
        `<text class="empty" x="${width / 2}" y="${height / 2}" text-anchor="middle">${xml(emptyText(points))}</text>`,
      ];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" class="history-chart${options.permissive === "low" ? " low-is-permissive" : ""}" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}"${placeOf(points, options, plot)} role="img" aria-labelledby="${id}-title ${id}-desc">`,
    `<title id="${id}-title">${xml(options.title)}</title>`,
    `<desc id="${id}-desc">${xml(describe(points, options))}</desc>`,
    ...(standalone
      ? [`<style>${HISTORY_CSS}:root{--chart-ground:Canvas;color-scheme:light dark}</style>`]
      : []),
    `<rect class="ground" width="${width}" height="${height}"/>`,
    ...body,
    "</svg>",
    "",
  ].join("\n");
}

/** For a script that reads single merges from the drawing: the plot's edges, and the merges and values at these. */
function placeOf(points: readonly HistoryPoint[], options: HistorySvgOptions, plot: Plot): string {
  const [first, last] = [points[0]?.seq ?? 0, points.at(-1)?.seq ?? 0];
  const place = [plot.left, plot.right, plot.top, plot.bottom, first, Math.max(last, first + 1)];
  return ` data-plot="${[...place, ...domainOf(points, options)].join(" ")}"`;
}

/** What is drawn, in words. */
function describe(points: readonly HistoryPoint[], options: HistorySvgOptions): string {
  const { bounds } = options;
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined) return "No merge is recorded.";
  const defined = points.flatMap(({ value }) => (value === null ? [] : [value]));
  const crossings = points.filter(({ crossing }) => crossing !== null).length;
  const [lowest, highest] = extremes(defined);
  const range =
    defined.length === 0
      ? "undefined throughout"
      : `between ${valueText(lowest, options)} and ${valueText(highest, options)}`;
  const said = `Merges ${first.seq} to ${last.seq}: ${range}, now ${last.value === null ? `undefined (${last.n} of ${last.window} merges)` : valueText(last.value, options)}.`;
  if (bounds === null) return said;
  const times = crossings === 1 ? "once" : `${crossings} times`;
  return `${said} The gate rises at ${boundText(bounds.upper)} and falls below ${boundText(bounds.lower)}; it crossed ${times} here and is ${last.state ?? "unknown"} now.`;
}

type Plot = { readonly left: number; readonly right: number; readonly top: number; readonly bottom: number };

function drawn(points: readonly HistoryPoint[], options: HistorySvgOptions, plot: Plot): string[] {
  const { ratio, bounds } = options;
  const y = scaleLinear(domainOf(points, options), [plot.bottom, plot.top]);
  const first = points[0]?.seq ?? 0;
  const last = points.at(-1)?.seq ?? 0;
  const x = scaleLinear([first, Math.max(last, first + 1)], [plot.left, plot.right]);
  const lines = [
    ...y
      .ticks(4)
      .filter((tick) => ratio || Number.isInteger(tick))
      .flatMap((tick) => [
        `<line class="grid" x1="${plot.left}" x2="${plot.right}" y1="${at(y(tick))}" y2="${at(y(tick))}"/>`,
        `<text x="${plot.left - 8}" y="${at(y(tick) + 4)}" text-anchor="end">${ratio ? boundText(tick) : tick}</text>`,
      ]),
    ...x
      .ticks(Math.max(2, Math.min(6, Math.floor((plot.right - plot.left) / TICK_WIDTH))))
      .filter((tick) => Number.isInteger(tick) && tick >= first && tick <= last)
      .flatMap((tick) => [
        `<text x="${at(x(tick))}" y="${plot.bottom + BAND + 20}" text-anchor="middle">${tick}</text>`,
        ...timeBelow(points, tick, at(x(tick)), plot),
      ]),
    ...bandOf(points, x, plot),
  ];
  if (bounds !== null) {
    lines.push(...boundLine("upper", bounds.upper, y, plot), ...boundLine("lower", bounds.lower, y, plot));
  }
  lines.push(...curve(points, x, y, plot), ...points.flatMap((point) => crossingMark(point, x, y)));
  const end = points.at(-1);
  if (end !== undefined && end.value !== null)
    lines.push(`<circle class="point" cx="${at(x(end.seq))}" cy="${at(y(end.value))}" r="3"/>`);
  return lines;
}

/** When a merge took place: the time of day, or the day if the chart spans several. */
function timeBelow(points: readonly HistoryPoint[], seq: number, x: string, plot: Plot): string[] {
  const [first, last] = [points[0], points.at(-1)];
  const mergedAt = points[seq - (first?.seq ?? 0)]?.merged_at ?? null;
  if (mergedAt === null) return [];
  const spanMs = Date.parse(last?.merged_at ?? "") - Date.parse(first?.merged_at ?? "");
  const shown = spanMs > SHOWN_BY_DAY_MS ? mergedAt.slice(5, 10) : mergedAt.slice(11, 16);
  return [
    `<text class="time" x="${x}" y="${plot.bottom + BAND + 35}" text-anchor="middle">${xml(shown)}</text>`,
  ];
}

type Scale = (value: number) => number;

/** The line, and if a pixel holds several merges, the range that they span. */
function curve(points: readonly HistoryPoint[], x: Scale, y: Scale, plot: Plot): string[] {
  const pixels = Math.floor(plot.right - plot.left);
  const columns = new Map<number, { x: number; low: number; high: number; last: number } | null>();
  points.forEach(({ seq, value }, index) => {
    const key = columnOf(index, points.length, pixels);
    const before = columns.get(key) ?? null;
    // One undefined merge within a pixel is a gap: the line must not cross it.
    if (value === null || (before === null && columns.has(key))) columns.set(key, null);
    else
      columns.set(key, {
        x: x(seq),
        low: Math.min(value, before?.low ?? value),
        high: Math.max(value, before?.high ?? value),
        last: value,
      });
  });
  const spread = [...columns.values()];
  type Spot = NonNullable<(typeof spread)[number]>;
  const outline = line<Spot | null>(
    (spot) => spot?.x ?? 0,
    (spot) => y(spot?.last ?? 0),
  )
    .defined((spot) => spot !== null)
    .digits(1);
  const range = area<Spot | null>(
    (spot) => spot?.x ?? 0,
    (spot) => y(spot?.low ?? 0),
    (spot) => y(spot?.high ?? 0),
  )
    .defined((spot) => spot !== null)
    .digits(1);
  return [
    ...(points.length > pixels ? [`<path class="spread" d="${range(spread) ?? ""}"/>`] : []),
    `<path class="line" d="${outline(spread) ?? ""}"/>`,
  ];
}

function boundLine(which: "upper" | "lower", bound: number, y: Scale, plot: Plot): string[] {
  const sign = which === "upper" ? "up ≥" : "down <";
  return [
    `<line class="bound ${which}" x1="${plot.left}" x2="${plot.right}" y1="${at(y(bound))}" y2="${at(y(bound))}"/>`,
    `<text class="${which}-label" x="${plot.right + 6}" y="${at(y(bound) + 4)}">${xml(`${sign} ${boundText(bound)}`)}</text>`,
  ];
}

/** A triangle that points in the direction of the crossing, with a title in words. */
function crossingMark(point: HistoryPoint, x: Scale, y: Scale): string[] {
  const { crossing, value, seq, merged_at: mergedAt } = point;
  if (crossing === null || value === null) return [];
  const tip = crossing.to === "high" ? -MARK : MARK;
  const [cx, cy] = [x(seq), y(value)];
  const shape = `M${at(cx)},${at(cy + tip)}L${at(cx + MARK)},${at(cy - tip / 2)}L${at(cx - MARK)},${at(cy - tip / 2)}Z`;
  const when = mergedAt === null ? "" : `, ${moment(mergedAt, "minutes")}`;
  const reached = valueText(value, { ratio: true, bounds: crossing });
  const says = `${crossing.gate} ${crossing.from} to ${crossing.to} at ${reached}, merge ${seq}${when}`;
  return [`<path class="crossing ${crossing.to}" d="${shape}"><title>${xml(says)}</title></path>`];
}

/** The gate's state below the plot, one bar for each stretch. */
function bandOf(points: readonly HistoryPoint[], x: Scale, plot: Plot): string[] {
  const bars: string[] = [];
  let start = 0;
  for (let index = 1; index <= points.length; index += 1) {
    const [opening, ending] = [points[start], points[index]];
    if (opening === undefined || (ending !== undefined && ending.state === opening.state)) continue;
    const [from, to] = [x(opening.seq), ending === undefined ? plot.right : x(ending.seq)];
    if (opening.state !== null) bars.push(bar(opening.state, from, to, plot, opening.seq));
    start = index;
  }
  return bars;
}

function bar(state: GateState, from: number, to: number, plot: Plot, seq: number): string {
  const says = `${state} from merge ${seq}`;
  return `<rect class="${state}" x="${at(from)}" y="${plot.bottom + 4}" width="${at(Math.max(to - from, 1))}" height="${BAND}"><title>${says}</title></rect>`;
}

function emptyText(points: readonly HistoryPoint[]): string {
  const last = points.at(-1);
  return last === undefined
    ? "no merges recorded yet"
    : `undefined: ${last.n} of ${last.window} merges so far`;
}

function valueText(value: number, { ratio, bounds }: Pick<HistorySvgOptions, "ratio" | "bounds">): string {
  return ratio ? percent(value, bounds) : String(value);
}

function at(pixel: number): string {
  return String(Math.round(pixel * 10) / 10);
}

/** Text from outside as text of an XML document: safe to read and to parse. */
function xml(text: string): string {
  return asMarkup(safe(text, 600));
}
