/** The recorded merges in the order in which they count, gathered from the journal's rows, to be folded again. */
import { type MetricRow, type RawJournalRow, readable } from "./journal-row.ts";
import type { Merge } from "./merge.ts";

export type RecordedMerge = {
  /** Its place in the order of all merges; null where no row of the global scope is left. */
  readonly seq: number | null;
  readonly merge: Merge;
  readonly rows: readonly MetricRow[];
};

/** Gathers rows into merges. Skips rows that cannot be parsed: `verify` reports them. */
export class Timeline {
  #open: MetricRow[] = [];

  /** @returns the previous merge, where this row belongs to another one. */
  accept(raw: RawJournalRow): RecordedMerge | null {
    const row = readable(raw);
    if (row?.type !== "metric") return null;
    const complete = this.#open[0]?.merge.eventId === row.merge.eventId ? null : this.end();
    this.#open.push(row);
    return complete;
  }

  /** @returns the last merge; null where there is none. */
  end(): RecordedMerge | null {
    const rows = this.#open;
    this.#open = [];
    const [first] = rows;
    if (first === undefined) return null;
    return { seq: rows.find(({ scope }) => scope === "global")?.seq ?? null, merge: first.merge, rows };
  }
}
