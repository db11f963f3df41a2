/**
 * A metric over the merges in characters: braille dots, four to a cell's height, or plain ASCII. A value at a bound is
 * drawn on the bound and a value below it is drawn below it, whatever the rounding.
 */
import type { HistoryPoint } from "../core/history.ts";
import { columnsOf } from "./columns.ts";

/** What a cell shows, so that a terminal may colour it. The characters alone say the same. */
export type CellKind = "blank" | "data" | "bound";

export type PlotRow = {
  readonly text: string;
  /** One for each character of the text. */
  readonly kinds: readonly CellKind[];
  /** The value in the middle of this row. */
  readonly middle: number;
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

/** Dots of a braille cell: Unicode 2800–28FF, bits by column and row. */
const DOTS = [
  [0x01, 0x02, 0x04, 0x40],
  [0x08, 0x10, 0x20, 0x80],
] as const;

/** The plot's rows, the highest first. */
export function plot(points: readonly Pick<HistoryPoint, "value">[], options: PlotOptions): PlotRow[] {
  const { width, height, ascii } = options;
  const [across, down] = ascii ? [width, height] : [width * 2, height * 4];
  const data = grid(across, down);
  const bounds = grid(across, down);
  const levelOf = levels(options, down);
  for (const bound of options.bounds) {
    const level = levelOf(bound);
    // Dashed, to differ from the curve: two dots drawn, two left out.
    for (let x = 0; x < across; x += 1) if (ascii || x % 4 < 2) mark(bounds, x, level);
  }
  let before: number | null = null;
  spread(points, across).forEach((column, x) => {
    if (column === null) {
      before = null;
      return;
    }
    const [low, high]: [number, number] = [
      Math.min(column.low, before ?? column.low),
      Math.max(column.high, before ?? column.high),
    ];
    for (let level = levelOf(low); level <= levelOf(high); level += 1) mark(data, x, level);
    before = column.last;
  });
  const [bottom, top] = options.domain;
  const perRow = ascii ? 1 : 4;
  return Array.from({ length: height }, (_, row) => {
    const lowest = (height - 1 - row) * perRow;
    return {
      ...(ascii ? asciiRow(data, bounds, lowest) : brailleRow(data, bounds, width, height - 1 - row)),
      middle: bottom + ((top - bottom) * (lowest + (perRow - 1) / 2)) / Math.max(1, down - 1),
    };
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
  const perRow = options.ascii ? 1 : 4;
  const level = levels(options, options.height * perRow)(value);
  return options.height - 1 - Math.floor(level / perRow);
}

/** The character column in which the `index`-th of `length` points begins. */
export function characterOf(index: number, length: number, { width, ascii }: PlotOptions): number {
  const across = ascii ? width : width * 2;
  const column =
    length <= across ? Math.ceil((index * across) / length) : Math.floor((index * across) / length);
  return ascii ? column : Math.floor(column / 2);
}

/**
 * The level of a value, 0 the lowest. Rounding could lift a value onto a bound that it has not reached, or drop it onto one
 * that it has passed: such a value stays a level apart wherever there is room.
 */
function levels({ domain: [bottom, top], bounds }: PlotOptions, down: number): (value: number) => number {
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

function asciiRow(data: Grid, bounds: Grid, level: number): Pick<PlotRow, "text" | "kinds"> {
  const kinds = (data[level] ?? []).map(
    (dot, x): CellKind => (dot ? "data" : bounds[level]?.[x] === true ? "bound" : "blank"),
  );
  const signs = { data: "*", bound: "-", blank: " " };
  return { text: kinds.map((kind) => signs[kind]).join(""), kinds };
}

function brailleRow(
  data: Grid,
  bounds: Grid,
  width: number,
  cellRow: number,
): Pick<PlotRow, "text" | "kinds"> {
  const kinds: CellKind[] = [];
  let text = "";
  for (let cell = 0; cell < width; cell += 1) {
    const [line, limit] = [data, bounds].map((on) => cellBits(on, cell, cellRow)) as [number, number];
    kinds.push(line > 0 ? "data" : limit > 0 ? "bound" : "blank");
    text += line + limit === 0 ? " " : String.fromCodePoint(0x2800 | line | limit);
  }
  return { text, kinds };
}

function cellBits(on: Grid, cell: number, cellRow: number): number {
  let bits = 0;
  DOTS.forEach((column, x) => {
    column.forEach((bit, y) => {
      if (on[cellRow * 4 + (3 - y)]?.[cell * 2 + x] === true) bits |= bit;
    });
  });
  return bits;
}
