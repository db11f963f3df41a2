/** Aligns lines in columns. Cells may hold colour codes, which take no width. */
import { stripVTControlCharacters } from "node:util";
import { textWidth } from "../text/safe.ts";

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

/** Aligns the first variant of the lines that takes at most so many columns of a terminal; the last one where none does. */
export function alignFitting(variants: readonly (readonly Line[])[], columns: number): string[] {
  let aligned: string[] = [];
  for (const lines of variants) {
    aligned = align(lines);
    if (fits(aligned, columns)) break;
  }
  return aligned;
}

/** Whether every line takes at most so many columns of a terminal. */
export function fits(lines: readonly string[], columns: number): boolean {
  return lines.every((line) => widthOf(line) <= columns);
}

/** Columns of a terminal that a cell takes. */
export function widthOf(text: string): number {
  return textWidth(stripVTControlCharacters(text));
}
