/**
 * Contradictions that last. A journal is read page by page, so rows that retention deletes between two pages leave what
 * looks like a contradiction. A real one stays where it is: it is one when it is found in the same row again.
 */
import { UnfitLog } from "../core/journal-row.ts";

/** @throws UnfitLog when a second reading finds the same row unfit. */
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
