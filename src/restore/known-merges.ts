/**
 * Which merges are recorded, as far as a restore knows. The newest checkpoint knows all of them up to its own place, whichever
 * checkpoint memory began with, and the rows after it give the others.
 */
import { parseCheckpoint } from "../core/checkpoint.ts";
import { Coverage, readCoverage } from "../core/coverage.ts";
import { BEFORE_ALL, idOrNull, LARGEST_ID } from "../core/event-id.ts";
import type { CheckpointInLog, JournalReader } from "../outbox/outbox-log.ts";
import { pagesAfter } from "../outbox/pages.ts";
import type { Journal, Known, Replayed } from "./restored.ts";

/** @param checkpoints newest first. */
export async function knownMerges(
  { log, newest }: Journal,
  { walk, events, firstRow }: Replayed,
  checkpoints: AsyncIterable<CheckpointInLog>,
): Promise<Known> {
  const { analyzer, truncationPoint } = walk;
  const { seq } = analyzer.global;
  const known = await newestCoverage(log, checkpoints, (checkpoint) => checkpoint.seq <= seq);
  if (known === null) {
    const nothingRecorded = seq === 0 && analyzer.skipped === 0;
    return {
      coverage: new Coverage(truncationPoint ?? BEFORE_ALL, events ?? []),
      fromCheckpoint: false,
      exact: nothingRecorded,
      truncationPoint,
      firstRow: analyzer.truncated ? null : firstRow,
      pruned: analyzer.truncated,
      readUpTo: newest,
    };
  }
  const { coverage, checkpoint } = known;
  for (const event of events ?? (await recordedEvents(log, BigInt(checkpoint.row_id), newest)))
    coverage.add(event);
  return {
    coverage,
    fromCheckpoint: true,
    exact: true,
    truncationPoint: idOrNull(checkpoint.floor),
    firstRow: idOrNull(checkpoint.journal_begins),
    pruned: checkpoint.journal_begins === null,
    readUpTo: newest,
  };
}

/**
 * What is recorded by now, for a restore that had no checkpoint and did not read the events of all rows.
 *
 * A checkpoint that a peer has written since lets retention delete rows before they are read here. It is read after the rows, so
 * it covers every row that was deleted before. An older one covers less than the restore.
 * @param readUpTo the last row that the restore read.
 * @returns whether the merge of an event is recorded.
 */
export async function recordedNow(
  log: JournalReader,
  readUpTo: bigint,
): Promise<(eventId: bigint) => boolean> {
  const events = await recordedEvents(log, BEFORE_ALL, await log.newest());
  const since = (checkpoint: CheckpointInLog): boolean => BigInt(checkpoint.rowId) > readUpTo;
  const known = await newestCoverage(log, log.checkpoints(LARGEST_ID), since);
  return (eventId) => events.has(eventId) || known?.coverage.covers(eventId) === true;
}

/** The events that rows with from < id ≤ upTo record. */
export async function recordedEvents(log: JournalReader, from: bigint, upTo: bigint): Promise<Set<bigint>> {
  const events = new Set<bigint>();
  for await (const { after, end } of pagesAfter(log, from, upTo))
    for (const event of await log.recordedEvents(after, end)) events.add(BigInt(event));
  return events;
}

/** The newest checkpoint that matches and can be read, with its coverage. */
export async function newestCoverage(
  log: JournalReader,
  checkpoints: AsyncIterable<CheckpointInLog>,
  matches: (checkpoint: CheckpointInLog) => boolean = () => true,
) {
  for await (const found of checkpoints) {
    if (!matches(found)) continue;
    const checkpoint = parseCheckpoint(await log.checkpoint(found.rowId));
    if (typeof checkpoint === "string") continue;
    const coverage = readCoverage(checkpoint);
    if (coverage !== null) return { checkpoint, coverage };
  }
  return null;
}
