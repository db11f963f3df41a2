/** Lines in aligned columns. Cells may hold colour codes, which take no width. */
import { stripVTControlCharacters } from "node:util";
import { textWidth } from "../text/safe.ts";
import { paint } from "./terminal.ts";

export type Line = readonly string[];

/** Joins cells, each column as wide as its widest cell, without blanks at the end. @param gaps after each column; 2 if left out. */
export function align(lines: readonly Line[], gaps: readonly number[] = []): string[] {
  const widths: number[] = [];
  for (const line of lines)
    for (const [column, cell] of line.entries())
      widths[column] = Math.max(widths[column] ?? 0, widthOf(cell));
  return lines.map((line) => {
    const last = line.findLastIndex((cell) => cell !== "");
    return line
      .slice(0, last + 1)
      .map((cell, column) => {
        const blanks = column === last ? 0 : (widths[column] ?? 0) - widthOf(cell) + (gaps[column] ?? 2);
        return cell + " ".repeat(blanks);
      })
      .join("");
  });
}

/** The same below a line of headings. */
export function table(
  headings: Line,
  lines: readonly Line[],
  { colour, gaps }: { readonly colour: boolean; readonly gaps?: readonly number[] },
): string[] {
  const [first = "", ...others] = align([headings, ...lines], gaps);
  return [paint("bold", first, colour), ...others];
}

/** The first variant that fits a terminal, else the last one. */
export function fitting(variants: readonly (() => string[])[], columns: number): string[] {
  let lines: string[] = [];
  for (const variant of variants) {
    lines = variant();
    if (lines.every((line) => widthOf(line) <= columns)) break;
  }
  return lines;
}

/** Columns of a terminal that a cell takes. */
export function widthOf(text: string): number {
  return textWidth(stripVTControlCharacters(text));
}
