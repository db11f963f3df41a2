/**
 * From a checkpoint: memory as it was written down then, and the rows after it on top.
 *
 * It is never taken at its word. The rows that follow are held against it as against any fold: where it says something
 * else than they do, it is passed over. And the row that it stands on must be there, or at least the checkpoint itself:
 * it speaks for rows that nobody reads.
 */
import { analyzerFrom, parseCheckpoint } from "../core/checkpoint.ts";
import { UnfitLog } from "../core/journal-row.ts";
import { Walk } from "../core/walk.ts";
import type { CheckpointInLog } from "../outbox-log.ts";
import { capacityOf, foldPages, readPage } from "./from-rows.ts";
import type { Folded, Journal } from "./restored.ts";

export type PassedOver = {
  readonly unusable: string;
  /** Whether it is the rows after it that speak against it: one of both is wrong. */
  readonly contradicted: boolean;
};

/**
 * @returns the reason in words where it does not serve.
 * @throws UnfitLog for rows of a newer version.
 */
export async function fromCheckpoint(
  journal: Journal,
  { rowId }: CheckpointInLog,
): Promise<Folded | PassedOver> {
  const checkpoint = parseCheckpoint(await journal.log.checkpoint(rowId));
  if (typeof checkpoint === "string") return notServing(checkpoint);
  const first = await readPage(journal, BigInt(checkpoint.row_id) - 1n);
  const analyzer = analyzerFrom(checkpoint, journal.metrics, await capacityOf(journal, first));
  if (typeof analyzer === "string") return notServing(analyzer);
  const walk = new Walk(analyzer);
  try {
    const folded = await foldPages(journal, walk, first, checkpoint.row_id);
    // Without a row to stand on, the checkpoint alone speaks for the log: it must not have gone meanwhile, as by TRUNCATE.
    if (folded.head === null && (await journal.log.checkpoint(rowId)) === null)
      return notServing("it is gone");
    return { ...folded, walk, startedFrom: checkpoint.seq };
  } catch (error) {
    if (!(error instanceof UnfitLog) || error.reason !== "contradiction") throw error;
    return { unusable: `the rows after it contradict it: ${error.message}`, contradicted: true };
  }
}

function notServing(reason: string): PassedOver {
  return { unusable: reason, contradicted: false };
}
