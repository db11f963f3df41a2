/**
 * The reconciliation: the whole log is compared with the journal, at the start and from time to time, one page between two
 * polls.
 *
 * It finds what no lock announces: ids from a sequence with a cache, ids given by hand, rows of a transaction that was given
 * up on. It reads all of the log, as a transaction that keeps the low-water mark low must not hide the rows of others.
 *
 * A merge below the low-water mark that no row names by its work item may lack its record, unless it is older than the oldest row
 * that is left. A later row may name its event, so it is decided about at the end, when all of the log has been read
 * (`DueMerges.dueWithoutRow`).
 */
import { BEFORE_ALL } from "../core/event-id.ts";
import type { LowWaterMark } from "../core/low-water-mark.ts";
import type { FoundMerge } from "../outbox/outbox-log.ts";
import { type PageBounds, pagesAfter } from "../outbox/pages.ts";
import type { ClassifiedMerges } from "../restore/due-merges.ts";
import { recordedEvents } from "../restore/known-merges.ts";
import type { FoundBy } from "./batch.ts";
import { checkOrder } from "./check-order.ts";
import type { Projection } from "./projection.ts";
import type { Session } from "./session.ts";

type Parts = {
  readonly projection: Projection;
  readonly lowWaterMark: LowWaterMark;
  readonly classify: (found: readonly FoundMerge[]) => Promise<ClassifiedMerges>;
  readonly record: (due: readonly FoundMerge[], foundBy: FoundBy) => Promise<number>;
};

type Run = {
  readonly pages: AsyncGenerator<PageBounds, undefined>;
  /** Up to where polls had read at the beginning: later merges are theirs. */
  readonly upTo: bigint;
  readonly startedAt: number;
  /** Events of merges that may lack their record. */
  readonly withoutRow: Set<bigint>;
  /** Merges that polls had missed. */
  found: number;
};

/** @returns compares one page of so many rows; whether it was the last one, after which the next call begins anew. */
export function reconciliationOf(
  session: Session,
  { projection, lowWaterMark, classify, record }: Parts,
): (rows: number) => Promise<boolean> {
  let current: Run | null = null;
  let pageRows = 0;
  return async (rows) => {
    pageRows = rows;
    current ??= begin();
    const run = current;
    const { done, value: page } = await run.pages.next();
    if (done !== true) {
      await compare(run, page);
      if (page.end < run.upTo) return false;
    }
    if (run.withoutRow.size > 0) await decideWithoutRow(run);
    current = null;
    const took_ms = Math.round(session.clock.monotonic() - run.startedAt);
    session.report({ event: "reconciliation.completed", found: run.found, took_ms });
    return true;
  };

  function begin(): Run {
    const { top: upTo } = lowWaterMark;
    const pages = pagesAfter(session.log, BEFORE_ALL, upTo, () => pageRows);
    return { pages, upTo, startedAt: session.clock.monotonic(), withoutRow: new Set(), found: 0 };
  }

  async function compare(run: Run, { after, end }: PageBounds): Promise<void> {
    projection.peerWrites.forget();
    const { due, withoutRow } = await classify(await session.log.merges(after, end));
    for (const { eventId } of await projection.dueMerges.afterOldestRow(withoutRow))
      run.withoutRow.add(BigInt(eventId));
    // Above the low-water mark the next poll would find it too: then it came late, and no poll missed it.
    const { low } = lowWaterMark;
    const missed = due.filter(({ eventId }) => BigInt(eventId) <= low);
    await recordMissed(run, missed);
    await record(due.slice(missed.length), "poll");
    await dropRecorded(run, after, end);
  }

  /** Drops those whose events are named by rows with after < id ≤ upTo: such rows follow the merges that they record. */
  async function dropRecorded({ withoutRow }: Run, after: bigint, upTo: bigint): Promise<void> {
    if (withoutRow.size === 0) return;
    for (const event of await recordedEvents(session.log, after, upTo)) withoutRow.delete(event);
  }

  /** @throws UnfitLog where their rows are gone from the middle of the journal: its order has a gap then. */
  async function decideWithoutRow(run: Run): Promise<void> {
    const { log } = session;
    const { dueMerges } = projection;
    projection.peerWrites.forget();
    await dropRecorded(run, run.upTo, await log.newest());
    // Read again: a peer may have recorded them since their page was read.
    const found: FoundMerge[] = [];
    for (const id of run.withoutRow) found.push(...(await log.merges(id - 1n, id)));
    const due = await dueMerges.dueWithoutRow((await dueMerges.classify(found)).withoutRow);
    if (due.length > 0) await checkOrder(log);
    await recordMissed(run, due);
  }

  /** Until they are recorded, no checkpoint may cover them: the process may stop before. */
  async function recordMissed(run: Run, missed: readonly FoundMerge[]): Promise<void> {
    for (const { eventId } of missed) projection.dueMerges.coverage.except(BigInt(eventId));
    run.found += await record(missed, "reconciliation");
  }
}
