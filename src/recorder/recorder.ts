/**
 * The recorder: one connection's memory, and the protocol that keeps it equal to the log.
 *
 * # One poll
 *
 *   poll the log · read the merges that are new · drop those that are recorded · write the rest in fenced transactions ·
 *   raise the low-water mark · apply what peers have written
 *
 * Each part has a file: memory (`projection.ts`), the fence around a write (`fence.ts`), a transaction and an unknown commit
 * outcome (`writer.ts`), what polls cannot find (`reconciliation.ts`), up to which id the log is settled
 * (`core/low-water-mark.ts`), which merges are due (`restore/due-merges.ts`).
 *
 * # Failures
 *
 * Every failure ends the recorder: its connection is destroyed, and a new one restores from the log. An unknown COMMIT, a
 * failover that reuses ids, a killed backend and a bug in the network are all handled by this one path.
 */
import { LowWaterMark } from "../core/low-water-mark.ts";
import type { FoundMerge, OutboxLog, Poll } from "../outbox/outbox-log.ts";
import { pagesAfter } from "../outbox/pages.ts";
import type { ClassifiedMerges } from "../restore/due-merges.ts";
import { CHECKED } from "../restore/restore.ts";
import { backlogOf } from "./backlog.ts";
import { checkpointWriter, MOST_UNCOVERED } from "./checkpoint-writer.ts";
import { fenceOf } from "./fence.ts";
import { longTransactionWatch } from "./long-transactions.ts";
import { HistoryReset, type Projection } from "./projection.ts";
import { reconciliationOf } from "./reconciliation.ts";
import { refusedMerges } from "./refused-merges.ts";
import { proveProjection, restoreProjection } from "./restore-projection.ts";
import type { RecorderPorts, RecorderSettings, Session } from "./session.ts";
import { rehearse, writerOf } from "./writer.ts";

export type Recorder = ReturnType<typeof recorderOf>;

/**
 * Rehearses writing to the log, and restores memory from it.
 * @param isSuspect whether the log has contradicted itself.
 * @throws UnfitDatabase when the table does not take our rows.
 * @throws UnfitLog when the journal contradicts itself or a newer version has written to it.
 */
export async function restoreRecorder(
  log: OutboxLog,
  settings: RecorderSettings,
  ports: RecorderPorts,
  isSuspect = false,
): Promise<Recorder> {
  const session = { ...settings, ...ports, log };
  const { checkpoint } = await rehearse(session);
  const recorder = recorderOf(session, await restoreProjection(session, isSuspect));
  if (checkpoint !== null) recorder.checkpoints.refused(checkpoint);
  return recorder;
}

/** @returns the recorder that may write: another one, unless this one may. @throws UnfitLog */
export async function prove(recorder: Recorder): Promise<Recorder> {
  const { session, projection } = recorder;
  return projection.isProven ? recorder : recorderOf(session, await proveProjection(session));
}

function recorderOf(session: Session, projection: Projection) {
  const { report, reported, stop } = session;
  const { dueMerges } = projection;
  const lowWaterMark = new LowWaterMark(dueMerges.coverage.low);
  const fence = fenceOf(session, projection);
  const refused = refusedMerges(session, dueMerges.coverage);
  const checkpoints = checkpointWriter(session, projection, fence);
  const writer = writerOf(session, { projection, fence, checkpoints, refused });
  const checkLongTransactions = longTransactionWatch(session, lowWaterMark);
  const { record } = writer;

  /** Whether the last poll recorded any: the next one begins with the lock. */
  let expectsMerges = false;

  async function poll(): Promise<number | "unproven"> {
    writer.beginAnew();
    projection.peerWrites.forget();
    const { top } = lowWaterMark;
    const { lastApplied, appliedPosition } = projection;
    const { firstRow } = dueMerges;
    const basis = { lastApplied, after: top, appliedPosition, firstRow };
    const polled = (expectsMerges ? await fence.poll(basis) : null) ?? (await session.log.poll(basis));
    const newest = newestIn(polled);
    const readAfter = lowWaterMark.observe(newest, polled.holders, polled.drawn ?? undefined);
    let recorded = 0;
    let readUpTo = readAfter;
    // Where a long transaction has ended, older rows come first.
    if (readAfter === top) {
      const { due } = await classify(polled.found, polled.hasFirstRow);
      if (!projection.isProven && due.length > 0) return "unproven";
      recorded = await record(due, "poll");
      ({ readUpTo } = polled);
    }
    await fence.release();
    if (!projection.isProven && readUpTo < newest) return "unproven";
    recorded += await recordRange(readUpTo, newest);
    if (projection.isProven) recorded += await retryRefused();
    expectsMerges = recorded > 0;
    if (stop.aborted) return recorded;
    lowWaterMark.settle();
    dueMerges.coverage.rise(lowWaterMark.low);
    dueMerges.allSeen();
    if (recorded === 0) {
      // Pages were read after the poll had asked for peer writes: what they showed as recorded may be new.
      if (polled.peerWrites || readUpTo < newest) await fence.applyPeerWrites();
      // The next poll need not scan the settled ids again.
      projection.settle(lowWaterMark.drawnLow);
    }
    await checkpoints.writeIfDue(recorded);
    await checkLongTransactions();
    return recorded;
  }

  /**
   * The newest id that a poll saw.
   * @throws HistoryReset when memory describes another log: the last applied row is missing or changed, or the newest id went
   * down, as it does only where a log is reset or cut at its new end.
   */
  function newestIn({ newest, appliedFingerprint }: Poll): bigint {
    projection.checkLastApplied(appliedFingerprint);
    const { lastApplied, appliedPosition } = projection;
    const { top } = lowWaterMark;
    const beforeAll = session.log.leastId - 1n;
    const seen = newest < beforeAll ? beforeAll : newest;
    const least = lastApplied === null && appliedPosition > top ? appliedPosition : top;
    if (seen < least) throw new HistoryReset(String(least));
    return seen;
  }

  /** Classifies merges; duplicates, and merges that are taken as recorded, are reported once by each process. */
  async function classify(found: readonly FoundMerge[], hasFirstRow?: boolean): Promise<ClassifiedMerges> {
    const classified = await dueMerges.classify(found, hasFirstRow);
    for (const { eventId: event_id, workItemId: work_item_id } of classified.duplicates)
      if (reported.first("duplicate", event_id))
        report({ event: "merge.duplicate_ignored", event_id, work_item_id });
    for (const { eventId: event_id, workItemId: work_item_id } of classified.presumed)
      if (reported.first("presumed", event_id))
        report({ event: "merge.presumed_recorded", event_id, work_item_id, reason: "older_than_journal" });
    return { ...classified, due: classified.due.filter((merge) => !refused.has(merge)) };
  }

  /** Records what is due with from < id ≤ upTo, page by page. */
  async function recordRange(from: bigint, upTo: bigint): Promise<number> {
    const backlog = backlogOf(session, from, upTo);
    let total = 0;
    for await (const { after, end } of pagesAfter(session.log, from, upTo)) {
      if (stop.aborted) break;
      backlog.begins(end);
      projection.peerWrites.forget();
      const { due } = await classify(await session.log.merges(after, end));
      const endsBacklog = end === upTo && total + due.length > MOST_UNCOVERED;
      const recorded = await (endsBacklog ? recordLast(due) : record(due, "poll"));
      total += recorded;
      if (stop.aborted) break;
      lowWaterMark.read(end);
      dueMerges.coverage.rise(lowWaterMark.low);
      backlog.passed(end, recorded);
    }
    return total;
  }

  /**
   * The last merges of a backlog, with checkpoints as far back as the next restart needs them. The one that serves values is
   * written whatever its size.
   */
  async function recordLast(due: readonly FoundMerge[]): Promise<number> {
    const [toWrite, toServe] = [-CHECKED.toWrite, -CHECKED.toServe];
    let recorded = await record(due.slice(0, toWrite), "poll");
    await checkpoints.writeIfDue(0);
    recorded += await record(due.slice(toWrite, toServe), "poll");
    await checkpoints.writeIfDue(MOST_UNCOVERED);
    recorded += await record(due.slice(toServe), "poll");
    return recorded;
  }

  /** Retries merges that the table has refused, each by itself, as long as one poll may spend on them. */
  async function retryRefused(): Promise<number> {
    let recorded = 0;
    for (const eventId of refused.dueForRetry()) {
      if (stop.aborted) break;
      projection.peerWrites.forget();
      const { due } = await dueMerges.classify(await session.log.merges(eventId - 1n, eventId));
      recorded += await record(due, "poll");
      // Recorded by now, by this daemon or a peer, or gone.
      if (due.length === 0 || dueMerges.coverage.covers(eventId)) refused.delete(eventId);
    }
    return recorded;
  }

  return {
    session,
    projection,
    writer,
    refused,
    checkpoints,
    /**
     * Polls the log and records everything that is due.
     * @returns how many merges this recorder recorded or skipped; "unproven" where memory must be proven first.
     */
    poll,
    /** Compares one page of the log, of so many rows, with the journal. @returns whether it was the last one. */
    reconcilePage: reconciliationOf(session, { projection, lowWaterMark, classify, record }),
  };
}
