/**
 * From a checkpoint: memory as it was saved then, and the rows after it.
 *
 * A checkpoint is not trusted blindly. The rows after it are checked as in any replay: if they contradict it, it is skipped. And
 * the last row that it includes must still exist, or at least the checkpoint itself, because it vouches for rows that are not
 * read.
 */
import { analyzerFrom, parseCheckpoint } from "../core/checkpoint.ts";
import { UnfitLog } from "../core/journal-row.ts";
import { Walk } from "../core/walk.ts";
import { openJournal, replayPages } from "./from-rows.ts";
import type { Journal, Replayed } from "./restored.ts";

export type Unusable = {
  readonly unusable: string;
  /** Whether the rows after it contradict it: then either may be wrong. */
  readonly contradicted: boolean;
};

/**
 * @returns the reason in words where the checkpoint is unusable.
 * @throws UnfitLog for rows of a newer version.
 */
export async function fromCheckpoint(journal: Journal, rowId: string): Promise<Replayed | Unusable> {
  const checkpoint = parseCheckpoint(await journal.log.checkpoint(rowId));
  if (typeof checkpoint === "string") return unusable(checkpoint);
  const { pages, capacity } = await openJournal(journal, BigInt(checkpoint.row_id) - 1n);
  const analyzer = analyzerFrom(checkpoint, journal.metrics, capacity);
  if (typeof analyzer === "string") return unusable(analyzer);
  const walk = new Walk(analyzer);
  try {
    const replayed = await replayPages(walk, pages, checkpoint.row_id);
    // Without a last applied row nothing else proves this log: the checkpoint must not have gone meanwhile, as by TRUNCATE.
    if (replayed.lastApplied === null && (await journal.log.checkpoint(rowId)) === null)
      return unusable("it is gone");
    return { ...replayed, walk, startedFrom: checkpoint.seq };
  } catch (error) {
    if (!(error instanceof UnfitLog) || error.reason !== "contradiction") throw error;
    return { unusable: `the rows after it contradict it: ${error.message}`, contradicted: true };
  }
}

function unusable(reason: string): Unusable {
  return { unusable: reason, contradicted: false };
}
