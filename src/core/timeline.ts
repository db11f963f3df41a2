/** The recorded merges in the order in which they count, taken from the journal's rows; for folding them anew. */
import {
  type JournalRow,
  type MetricRow,
  parseJournalRow,
  type RawJournalRow,
  UnfitLog,
} from "./journal-row.ts";
import type { Merge } from "./merge.ts";

/** A merge with all of its rows. */
export type RecordedMerge = { readonly merge: Merge; readonly rows: readonly MetricRow[] };

/** Gathers rows into merges. A row that cannot be read is left out: `verify` tells of it. */
export class Timeline {
  #open: MetricRow[] = [];

  /** @returns the merge that this row shows to be complete, if it does. */
  accept(raw: RawJournalRow): RecordedMerge | null {
    const row = readable(raw);
    if (row?.type !== "metric") return null;
    const [first] = this.#open;
    if (first !== undefined && first.merge.eventId === row.merge.eventId) {
      this.#open.push(row);
      return null;
    }
    const complete = this.end();
    this.#open = [row];
    return complete;
  }

  /** @returns the last merge. */
  end(): RecordedMerge | null {
    const rows = this.#open;
    const [first] = rows;
    this.#open = [];
    return first === undefined ? null : { merge: first.merge, rows };
  }
}

/** A row, parsed; null where it is damaged or a newer version's. */
export function readable(raw: RawJournalRow): JournalRow | null {
  try {
    return parseJournalRow(raw);
  } catch (error) {
    if (error instanceof UnfitLog) return null;
    // A mistake of ours is no damaged row.
    throw error;
  }
}
