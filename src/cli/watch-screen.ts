/**
 * The status screen of `snapshot --watch`: the global values stay on top, the projects fill the rest, and the last line says
 * how many rows do not fit. What differs from the last look has a mark.
 */
import { stripVTControlCharacters } from "node:util";
import { columnsOf } from "../chart/columns.ts";
import { extremes } from "../chart/domain.ts";
import type { HistorySeries } from "../core/history.ts";
import type { Snapshot } from "../core/snapshot.ts";
import { count, moment, span } from "../text/figures.ts";
import { widthOf } from "./columns.ts";
import { valueText } from "./reading-text.ts";
import { type SnapshotView, snapshotParts } from "./snapshot-text.ts";
import { paint } from "./terminal.ts";

const MARK = "*";
/** Lines from which on a terminal has room for sparklines. */
const TALL = 20;
const BLOCKS = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
const SPARK_WIDTH = 30;
/** Columns of the text beside the blocks. */
const SPARK_TEXT = 45;
/** The blanks between a name or a reading and what follows it. */
const FIRST_GAP = / {3,}/;

/** What one look finds. */
export type Look = {
  readonly snapshot: Snapshot;
  /** The newest merges of the global metrics; empty where no screen shows them. */
  readonly series: readonly HistorySeries[];
};

export type Screen = {
  /** @param trouble why the newest look failed; the look is then an older one, or null. */
  readonly lines: (look: Look | null, trouble: string | null, size: Size) => string[];
};

type Size = { readonly columns: number; readonly rows: number };

export function watchScreen(view: Omit<SnapshotView, "columns">, everyMs: number): Screen {
  const { colour } = view;
  const usage = [
    `every ${everyMs < 1000 ? `${everyMs} ms` : span(everyMs / 1000)}`,
    `${MARK} changed since the last look`,
    "q leaves",
  ];
  let [before, seen] = [new Map<string, string>(), new Map<string, string>()];
  let looked: Look | null = null;
  const marked = (key: string, line: string): string => {
    const text = stripVTControlCharacters(line);
    seen.set(key, text);
    return before.size > 0 && before.get(key) !== text ? withMark(line, colour) : line;
  };
  return {
    lines(look, trouble, { columns, rows }) {
      const title = paint("bold", titleLine(usage, look, columns), colour);
      const ending = trouble === null ? [] : ["", paint("yellow", trouble, colour)];
      if (look === null) return [title, ...ending];
      // A screen that is drawn again without a new look keeps its marks.
      if (look !== looked) [before, seen, looked] = [seen, new Map(), look];
      const { global, table, full, hidden, footer } = snapshotParts(look.snapshot, { ...view, columns });
      const head = [
        title,
        ...global.flatMap((line, index) => [
          marked(`global ${index}`, line),
          ...(rows < TALL ? [] : trend(look, index, columns, colour)),
        ]),
        ...footer,
        ...(table === null ? [] : ["", table.heading]),
      ];
      const body = [
        ...(table?.rows ?? []).map(({ project, text }) => marked(`project ${project}`, text)),
        ...(full.length === 0 ? [] : [""]),
        ...full.map((line, index) => marked(`line ${index}`, line)),
      ];
      const room = { columns, rows: rows - heightOf(ending, columns) };
      return [...fittingLines(head, body, hidden, room), ...ending];
    },
  };
}

/** The time of the look, and as much of the usage as fits: its last part says how to leave. */
function titleLine(usage: readonly string[], look: Look | null, columns: number): string {
  const time = look === null ? [] : [moment(look.snapshot.as_of.generated_at, "seconds")];
  for (let left = 0; ; left += 1) {
    const line = [...time, ...usage.slice(left)].join(" · ");
    if (left === usage.length - 1 || widthOf(line) <= columns) return line;
  }
}

/** The line below a global line: how its metric moved lately. */
function trend({ snapshot, series }: Look, index: number, columns: number, colour: boolean): string[] {
  const metric = snapshot.metrics[index]?.metric;
  const own = series.find((one) => one.metric === metric && one.project === null);
  const text = own === undefined ? null : sparkline(own);
  return text === null || columns < SPARK_WIDTH + SPARK_TEXT ? [] : [paint("dim", `  ${text}`, colour)];
}

/** A series in one line of blocks, with gaps where it is undefined, and its range; null if nothing is defined. */
function sparkline({ metric, points, gate }: HistorySeries): string | null {
  const values = points.flatMap(({ value }) => value ?? []);
  if (values.length === 0) return null;
  const [low, high] = extremes(values);
  const blocks = columnsOf(points, SPARK_WIDTH).map((column) => {
    if (column === null) return " ";
    const level = high === low ? 0.5 : (column.last - low) / (high - low);
    return BLOCKS[Math.round(level * (BLOCKS.length - 1))] ?? " ";
  });
  const [lowest, highest] = [low, high].map((value) => valueText(metric, value, gate));
  return `${blocks.join("")} ${lowest} to ${highest} in the last ${count(points.length, "merge")}`;
}

/** Puts the mark into the first gap of a line, so that it takes no columns. */
function withMark(line: string, colour: boolean): string {
  const mark = paint(["bold", "yellow"], MARK, colour);
  return FIRST_GAP.test(line)
    ? line.replace(FIRST_GAP, (blanks) => ` ${mark}${blanks.slice(2)}`)
    : `${line} ${mark}`;
}

/** As many lines as fit. @param hidden projects that have no line here. */
function fittingLines(
  head: readonly string[],
  body: readonly string[],
  hidden: number,
  { columns, rows }: Size,
): readonly string[] {
  const lines = [...head, ...body];
  if (hidden === 0 && heightOf(lines, columns) <= rows) return lines;
  let kept = lines.length;
  while (kept > 0 && heightOf(lines.slice(0, kept), columns) > rows - 1) kept -= 1;
  const more = Math.min(body.length, lines.length - kept) + hidden;
  return [...lines.slice(0, kept), `… ${count(more, "more row")} ${more === 1 ? "does" : "do"} not fit`];
}

function heightOf(lines: readonly string[], columns: number): number {
  return lines.reduce((sum, line) => sum + Math.max(1, Math.ceil(widthOf(line) / columns)), 0);
}
