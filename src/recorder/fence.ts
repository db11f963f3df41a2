/**
 * The fence: how a writer makes sure that memory equals the log at the moment it writes.
 *
 * # The transaction
 *
 * Any number of daemons may write to one log. No leader is elected; each write takes a lock that lasts for one transaction,
 * and passes a fence inside it:
 *
 *   BEGIN (READ COMMITTED) · the lock, alone in its statement · in a later statement, the journal's rows after the last
 *   applied one · record what is still due · COMMIT
 *
 * # Why the lock is alone in its statement
 *
 * A statement takes its snapshot before it runs. If the statement that waits for the lock also read the journal, or under
 * REPEATABLE READ, it would see the journal as it was before the peer's commit, and the merge would be recorded twice. The
 * lock ends with the transaction, however that ends: it needs no lease and no clock.
 *
 * # What the fence reads
 *
 * The last applied row, and what follows it (`projection.ts` says why that is enough). While the lock is held only a little is
 * read: where more follows than one statement brings, it is first read without the lock. What follows then is read under the
 * lock to its end: what peers have written in between, and the unmarked rows once more. Read without the lock, unmarked rows do
 * not advance the applied position, so releasing the lock again would never end.
 *
 * Without a last applied row nothing proves the log, and the ids of one that was reset begin again. Then a short log is read
 * whole, and the writer checks once more that its merges exist (`writer.ts`).
 */
import { BEFORE_ALL } from "../core/event-id.ts";
import { parseJournalRow, type RawJournalRow } from "../core/journal-row.ts";
import type { Poll, PollBasis, Since } from "../outbox/outbox-log.ts";
import { pagesAfter } from "../outbox/pages.ts";
import { HistoryReset, type Projection } from "./projection.ts";
import type { Session } from "./session.ts";

/** Ids that the fence reads again at most: a tenth of a second. */
const FENCED_IDS = 500_000n;

export type Fence = ReturnType<typeof fenceOf>;

export function fenceOf(session: Session, projection: Projection) {
  /** Whether a poll has left the writers' transaction open. */
  let isOpen = false;

  /**
   * Begins the writers' transaction, with everything applied that peers have committed until then.
   * @throws HistoryReset | LockBlocked
   */
  async function begin(): Promise<void> {
    if (isOpen) {
      isOpen = false;
      return;
    }
    const { log } = session;
    const since = await beginLocked();
    projection.checkLastApplied(since.appliedFingerprint);
    if (!since.more) return projection.apply([since.rows]);
    await log.rollback();
    await applyPeerWrites();
    await log.beginLocked();
    return applyPeerWrites();
  }

  /**
   * Polls inside the writers' transaction and leaves it open for the next `begin`: where merges follow each other, this saves a
   * message for each. The last applied row and everything after it are read under the lock, as in `begin`.
   * @returns null where that shows anything but new merges: then nothing is open, and a poll without the lock decides.
   */
  async function poll(basis: PollBasis): Promise<Poll | null> {
    const { lastApplied } = basis;
    if (lastApplied === null) return null;
    const polled = await session.log.pollLocked({ ...basis, appliedPosition: BigInt(lastApplied.id) });
    if (polled === null) return null;
    isOpen = true;
    if (polled.appliedFingerprint === lastApplied.fingerprint && !polled.peerWrites) return polled;
    await release();
    return null;
  }

  /** Ends the transaction that a poll has left open and nothing has used. */
  async function release(): Promise<void> {
    if (!isOpen) return;
    isOpen = false;
    await session.log.rollback();
  }

  async function beginLocked(): Promise<Since> {
    const { log } = session;
    const { lastApplied, appliedPosition } = projection;
    if (lastApplied !== null) {
      const last = BigInt(lastApplied.id);
      // From the last applied row on; after a long stretch without a merge that would take too long under the lock.
      const after = appliedPosition - last > FENCED_IDS ? appliedPosition : last;
      const since = await log.beginFenced(lastApplied, after);
      return { ...since, rows: unapplied(since.rows) };
    }
    await log.beginLocked();
    const newest = await log.newest();
    const { done, value: firstPage } = await pagesAfter(log, BEFORE_ALL, newest).next();
    const isShort = done === true || firstPage.end === newest;
    const rows: RawJournalRow[] = [];
    for await (const { after, end } of pagesAfter(log, isShort ? BEFORE_ALL : appliedPosition, newest))
      rows.push(...(await log.journal(after, end)));
    return { appliedFingerprint: null, rows, more: false };
  }

  /**
   * The rows above the applied position. Behind a pooler a connection outlives a failover or a restore that loses rows after
   * the last applied one, and their ids are given again: then a merge's row appears where none can be.
   */
  function unapplied(rows: readonly RawJournalRow[]): readonly RawJournalRow[] {
    return rows.filter((raw) => {
      if (BigInt(raw.id) > projection.appliedPosition) return true;
      const { type } = parseJournalRow(raw);
      if (type === "metric" || type === "skipped") throw new HistoryReset(raw.id);
      return false;
    });
  }

  /** Applies what peers have committed since, however much it is. @throws HistoryReset */
  function applyPeerWrites(): Promise<void> {
    return projection.apply(peerWrites());
  }

  async function* peerWrites(): AsyncGenerator<readonly RawJournalRow[]> {
    for (let [more, after] = [true, projection.appliedPosition]; more; ) {
      const since = await readSince(after);
      projection.checkLastApplied(since.appliedFingerprint);
      yield since.rows;
      ({ more } = since);
      after = BigInt(since.rows.at(-1)?.id ?? after);
    }
  }

  /** Without a last applied row, page by page: a log may be long and have no row of ours yet. */
  async function readSince(after: bigint): Promise<Since> {
    const { log } = session;
    if (projection.lastApplied !== null) return log.journalSince(projection.lastApplied, after);
    for await (const page of pagesAfter(log, after, await log.newest())) {
      const rows = await log.journal(page.after, page.end);
      if (rows.length > 0) return { appliedFingerprint: null, rows, more: true };
    }
    return { appliedFingerprint: null, rows: [], more: false };
  }

  return { begin, poll, release, isOpen: () => isOpen, applyPeerWrites };
}
