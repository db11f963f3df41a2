/**
 * The status screen of `snapshot --watch`: what is about all merges stays on top, the projects fill the rest, and the last
 * line says how many the terminal has no room for. What differs from the last look has a mark.
 */
import { stripVTControlCharacters } from "node:util";
import type { Snapshot } from "../core/snapshot.ts";
import { count, moment, span } from "../text/figures.ts";
import { widthOf } from "./columns.ts";
import { paint } from "./paint.ts";
import { type SnapshotView, snapshotParts } from "./snapshot-text.ts";

const MARK = "*";
/** The blanks between a name or a reading and what follows it. */
const FIRST_GAP = / {3,}/;

export type Screen = {
  /** @param trouble why the newest look failed; the snapshot is then an older one, or null. */
  readonly lines: (snapshot: Snapshot | null, trouble: string | null, size: Size) => string[];
};

type Size = { readonly columns: number; readonly rows: number };

export function watchScreen(view: Omit<SnapshotView, "columns">, everyMs: number): Screen {
  let [before, seen] = [new Map<string, string>(), new Map<string, string>()];
  let looked: Snapshot | null = null;
  return {
    lines(snapshot, trouble, { columns, rows }) {
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
      if (snapshot === null) return [paint("bold", title, view.colour), ...ending];
      // A screen that is drawn again without a new look keeps its marks.
      if (snapshot !== looked) [before, seen, looked] = [seen, new Map(), snapshot];
      const marked = (key: string, line: string): string => {
        const text = stripVTControlCharacters(line);
        seen.set(key, text);
        return before.size > 0 && before.get(key) !== text ? withMark(line, view.colour) : line;
      };
      const parts = snapshotParts(snapshot, { ...view, columns });
      const head = [
        paint("bold", title, view.colour),
        ...parts.global.map((line, index) => marked(`global ${index}`, line)),
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
