/** Lines whose parts stand under each other. */
import { textWidth } from "../text/safe.ts";

export type Cell = { readonly text: string; readonly paint?: (text: string) => string };
export type Line = readonly Cell[];

/** Joins cells with their gaps (2 unless said), each column as wide as its widest cell; empty cells at the end leave no blanks. */
export function align(lines: readonly Line[], gaps: readonly number[] = []): string[] {
  const widths: number[] = [];
  for (const line of lines) {
    line.forEach(({ text }, column) => {
      widths[column] = Math.max(widths[column] ?? 0, textWidth(text));
    });
  }
  return lines.map((line) => {
    const last = line.findLastIndex(({ text }) => text !== "");
    return line
      .slice(0, last + 1)
      .map(({ text, paint = (plain) => plain }, column) => {
        const blanks = column === last ? 0 : (widths[column] ?? 0) - textWidth(text) + (gaps[column] ?? 2);
        return paint(text) + " ".repeat(blanks);
      })
      .join("");
  });
}

/** How many columns these lines take. */
export function widthOf(lines: readonly Line[], gaps: readonly number[] = []): number {
  const plain = lines.map((line) => line.map(({ text }) => ({ text })));
  return Math.max(0, ...align(plain, gaps).map(textWidth));
}
