/**
 * The status screen of `snapshot --watch`: what is about all merges stays on top, the projects fill the rest, and the last
 * line says how many the terminal has no room for. What differs from the last look has a mark.
 */
import { stripVTControlCharacters } from "node:util";
import type { HistorySeries } from "../core/history.ts";
import type { Snapshot } from "../core/snapshot.ts";
import { count, moment, span } from "../text/figures.ts";
import { widthOf } from "./columns.ts";
import { paint } from "./paint.ts";
import { type SnapshotView, snapshotParts } from "./snapshot-text.ts";
import { sparkline } from "./sparkline.ts";

const MARK = "*";
/** Lines from which on a terminal has room for sparklines. */
const TALL = 20;
const SPARK_WIDTH = 30;
/** What is said beside the blocks. */
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
  let [before, seen] = [new Map<string, string>(), new Map<string, string>()];
  let looked: Look | null = null;
  return {
    lines(look, trouble, { columns, rows }) {
      const snapshot = look?.snapshot ?? null;
      const title = folded(
        [
          `every ${everyMs < 1000 ? `${everyMs} ms` : span(everyMs / 1000)}`,
          `${MARK} changed since the last look`,
          "q leaves",
        ],
        snapshot,
        columns,
      );
      const ending = trouble === null ? [] : ["", paint("yellow", trouble, view.colour)];
      if (look === null || snapshot === null) return [paint("bold", title, view.colour), ...ending];
      // A screen that is drawn again without a new look keeps its marks.
      if (look !== looked) [before, seen, looked] = [seen, new Map(), look];
      const marked = (key: string, line: string): string => {
        const text = stripVTControlCharacters(line);
        seen.set(key, text);
        return before.size > 0 && before.get(key) !== text ? withMark(line, view.colour) : line;
      };
      const parts = snapshotParts(snapshot, { ...view, columns });
      const head = [
        paint("bold", title, view.colour),
        ...parts.global.flatMap((line, index) => [
          marked(`global ${index}`, line),
          ...(rows < TALL ? [] : trend(look, index, columns, view.colour)),
        ]),
        ...parts.footer,
      ];
      const table = parts.table === null ? [] : ["", parts.table.heading];
      const body = [
        ...(parts.table?.rows ?? []).map(({ project, text }) => marked(`project ${project}`, text)),
        ...(parts.full.length === 0 ? [] : [""]),
        ...parts.full.map((line, index) => marked(`line ${index}`, line)),
      ];
      const room = rows - heightOf(ending, columns);
      return [...fitting([...head, ...table], body, parts.hidden, { columns, rows: room }), ...ending];
    },
  };
}

/** The line below a global line: how its metric moved lately. */
function trend({ snapshot, series }: Look, index: number, columns: number, colour: boolean): string[] {
  const metric = snapshot.metrics[index]?.metric;
  const own = series.find((one) => one.metric === metric && one.project === null);
  const text = own === undefined ? null : sparkline(own, SPARK_WIDTH);
  return text === null || columns < SPARK_WIDTH + SPARK_TEXT ? [] : [paint("dim", `  ${text}`, colour)];
}

/** Puts the mark into the first gap of a line, so that it takes no columns. */
function withMark(line: string, colour: boolean): string {
  const mark = paint(["bold", "yellow"], MARK, colour);
  return FIRST_GAP.test(line)
    ? line.replace(FIRST_GAP, (blanks) => ` ${mark}${blanks.slice(2)}`)
    : `${line} ${mark}`;
}

/** The time of the look, and as much of the rest as fits into a line. */
function folded(parts: readonly string[], snapshot: Snapshot | null, columns: number): string {
  const time = snapshot === null ? [] : [moment(snapshot.as_of.generated_at, "seconds")];
  for (let kept = parts.length; ; kept -= 1) {
    // The last part is how to leave.
    const line = [...time, ...parts.slice(parts.length - kept)].join(" · ");
    if (kept <= 1 || widthOf(line) <= columns) return line;
  }
}

/** As many lines as there is room for. @param hidden projects that have no line here. */
function fitting(
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
