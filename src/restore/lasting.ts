/**
 * Contradictions that last. A journal is read page by page, so rows that retention deletes between two pages look like a
 * contradiction. A real one is still there when the journal is read again: only one that is found in the same row twice counts.
 */
import { UnfitLog } from "../core/journal-row.ts";

/** @throws UnfitLog when two readings in a row find the same row unfit. */
export async function lasting<T>(read: () => Promise<T>): Promise<T> {
  for (let found: UnfitLog | null = null; ; ) {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof UnfitLog) || error.rowId === found?.rowId) throw error;
      found = error;
    }
  }
}
