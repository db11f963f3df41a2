/** A series in one line of blocks: the lowest value is the lowest block, a gap is where nothing is defined. */

import { columnsOf } from "../chart/columns.ts";
import { extremes } from "../chart/domain.ts";
import type { HistorySeries } from "../core/history.ts";
import { count } from "../text/figures.ts";
import { valueText } from "./reading-text.ts";

const BLOCKS = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

/** The newest merges of a series, and the values between which it moved; null where nothing is defined. */
export function sparkline({ metric, points, gate }: HistorySeries, width: number): string | null {
  const values = points.flatMap(({ value }) => (value === null ? [] : [value]));
  if (values.length === 0) return null;
  const [low, high] = extremes(values);
  const blocks = columnsOf(points, width).map((column) => {
    if (column === null) return " ";
    const level = high === low ? 0.5 : (column.last - low) / (high - low);
    return BLOCKS[Math.round(level * (BLOCKS.length - 1))] ?? " ";
  });
  const [lowest, highest] = [low, high].map((value) => valueText(metric, value, gate));
  return `${blocks.join("")} ${lowest} to ${highest} in the last ${count(points.length, "merge")}`;
}
