/**
 * A metric over the merges in characters: braille dots, four to a cell's height, or plain ASCII. A value at a bound is
 * drawn on the bound and a value below it is drawn below it, whatever the rounding.
 */
import type { HistoryPoint } from "../core/history.ts";
import { columnsOf } from "./columns.ts";

/** What a character shows, so that a terminal may colour it. The characters alone say the same. */
export type CellKind = "blank" | "data" | "bound";

export type PlotRow = {
  readonly text: string;
  /** One for each character of the text. */
  readonly kinds: readonly CellKind[];
};

export type PlotOptions = {
  /** Characters. */
  readonly width: number;
  readonly height: number;
  readonly ascii: boolean;
  /** Lowest and highest value that the plot has room for. */
  readonly domain: readonly [number, number];
  /** Values that a line is drawn at. */
  readonly bounds: readonly number[];
};

/** Dots of a braille character: Unicode 2800–28FF, bits by column and, from below, by row. */
const BITS = [
  [0x40, 0x04, 0x02, 0x01],
  [0x80, 0x20, 0x10, 0x08],
] as const;
const ASCII = { data: "*", bound: "-", blank: " " };

/** The dots of a character. */
function dotsOf({ ascii }: PlotOptions): readonly [across: 1 | 2, down: 1 | 4] {
  return ascii ? [1, 1] : [2, 4];
}

/** The plot's rows, the highest first. */
export function plot(points: readonly Pick<HistoryPoint, "value">[], options: PlotOptions): PlotRow[] {
  const { width, height, ascii } = options;
  const [perColumn, perRow] = dotsOf(options);
  const [across, down] = [width * perColumn, height * perRow];
  const [data, bounds] = [grid(across, down), grid(across, down)];
  const levelOf = levels(options);
  for (const bound of options.bounds) {
    const level = levelOf(bound);
    // Dashed, to differ from the curve: two dots drawn, two left out.
    for (let x = 0; x < across; x += 1) if (ascii || x % 4 < 2) mark(bounds, x, level);
  }
  let before: number | null = null;
  for (const [x, column] of spread(points, across).entries()) {
    if (column !== null) {
      const low = levelOf(Math.min(column.low, before ?? column.low));
      const high = levelOf(Math.max(column.high, before ?? column.high));
      for (let level = low; level <= high; level += 1) mark(data, x, level);
    }
    before = column?.last ?? null;
  }
  return Array.from({ length: height }, (_, row) => {
    const cells = Array.from({ length: width }, (__, x) => {
      const [line, limit] = [data, bounds].map((on) => bitsOf(on, x, height - 1 - row, options));
      return { line: line ?? 0, limit: limit ?? 0 };
    });
    const kinds = cells.map(
      ({ line, limit }): CellKind => (line > 0 ? "data" : limit > 0 ? "bound" : "blank"),
    );
    const characters = cells.map(({ line, limit }, x) =>
      ascii || line + limit === 0 ? ASCII[kinds[x] ?? "blank"] : String.fromCodePoint(0x2800 | line | limit),
    );
    return { text: characters.join(""), kinds };
  });
}

/** For each dot across, what is drawn there; fewer points than dots are stretched. */
function spread(points: readonly Pick<HistoryPoint, "value">[], across: number) {
  const columns = columnsOf(points, across);
  if (columns.length === 0) return [];
  return Array.from({ length: across }, (_, x) => columns[Math.floor((x * columns.length) / across)] ?? null);
}

/** The row in which a value is drawn. */
export function rowOf(value: number, options: PlotOptions): number {
  const [, perRow] = dotsOf(options);
  return options.height - 1 - Math.floor(levels(options)(value) / perRow);
}

/** The character column in which the `index`-th of `length` points begins. */
export function characterOf(index: number, length: number, options: PlotOptions): number {
  const [perColumn] = dotsOf(options);
  const across = options.width * perColumn;
  const column =
    length <= across ? Math.ceil((index * across) / length) : Math.floor((index * across) / length);
  return Math.floor(column / perColumn);
}

/**
 * The level of a value, 0 the lowest. Rounding could lift a value onto a bound that it has not reached, or drop it onto one
 * that it has passed: such a value stays a level apart wherever there is room.
 */
function levels(options: PlotOptions): (value: number) => number {
  const { domain, bounds, height } = options;
  const [bottom, top] = domain;
  const down = height * dotsOf(options)[1];
  const rounded = (value: number): number =>
    Math.max(0, Math.min(down - 1, Math.round(((value - bottom) / (top - bottom)) * (down - 1))));
  return (value) => {
    let level = rounded(value);
    for (const bound of bounds) {
      if (value < bound && level >= rounded(bound)) level = Math.max(0, rounded(bound) - 1);
      if (value > bound && level <= rounded(bound)) level = Math.min(down - 1, rounded(bound) + 1);
    }
    return level;
  };
}

type Grid = boolean[][];

function grid(across: number, down: number): Grid {
  return Array.from({ length: down }, () => Array.from({ length: across }, () => false));
}

function mark(on: Grid, x: number, level: number): void {
  const row = on[level];
  if (row !== undefined && x < row.length) row[x] = true;
}

/** What is marked of a character's dots. */
function bitsOf(on: Grid, column: number, row: number, options: PlotOptions): number {
  const [perColumn, perRow] = dotsOf(options);
  let bits = 0;
  for (let x = 0; x < perColumn; x += 1)
    for (let y = 0; y < perRow; y += 1)
      if (on[row * perRow + y]?.[column * perColumn + x] === true) bits |= BITS[x]?.[y] ?? 0;
  return bits;
}
