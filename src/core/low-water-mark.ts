/**
 * Settling: up to which id can no new row appear?
 *
 * # The problem
 *
 * Ids are drawn from a sequence before their transactions commit, so a row may become visible below rows that were read long ago.
 * Three obvious answers are wrong:
 *
 *   - `id > last` loses such a row.
 *   - An xmin horizon loses rows too, because a transaction draws its id before it has an xid. It also stalls behind every old
 *     transaction in the database.
 *   - The locks on the table alone miss a transaction that has called `nextval` but has not touched the table yet.
 *
 * # The guarantee
 *
 * `nextval` takes RowExclusiveLock on the sequence before it draws, and an insert takes it on the table. Both locks are kept to the
 * end of the transaction. One statement reads `u`, the newest visible id, together with the set of transactions that hold such a lock.
 * Any transaction that drew an id ≤ u is either in that set or has ended, and every later statement sees its rows. A lock is released
 * only after the commit is visible. Hence: once every transaction of the set has ended, a later statement that reads the rows up to u
 * reads all rows that will ever exist there.
 *
 * # What is not promised
 *
 * This is exact for a sequence with cache 1. A cache, ids given explicitly, and a restored dump can still add rows below the mark. The
 * periodic reconciliation of the whole log finds those.
 *
 * # Segments
 *
 * With one set for the whole range, a single long transaction would make every poll read everything above its first poll again. So the
 * range is kept in segments, each with the transactions that may still bring rows to it. A segment is read again only when one of its
 * transactions has ended. A segment without any is settled.
 */

import { BEFORE_ALL } from "./event-id.ts";

/**
 * A transaction as `pg_locks.virtualtransaction` names it. PREPARE TRANSACTION keeps the name; a start or recovery of the
 * server makes it `-1/<xid>` (measured on PostgreSQL 15.18 and 18.4, after smart, fast and immediate stops and a crash).
 */
export type TransactionName = string;

type Segment = {
  /** The segment's last id; it begins after the segment before it. */
  readonly upTo: bigint;
  /** The last id up to there that the sequence had given. */
  readonly drawn: bigint;
  readonly holders: Set<TransactionName>;
};

export class LowWaterMark {
  /** Every row up to here is settled, and has been read by a statement that came later. */
  low: bigint;
  /**
   * Every id up to here that the sequence has given or will give is settled. `low` does not say so where an id was given by hand: it
   * may be above ids that the sequence gives later. Otherwise both are the same.
   */
  drawnLow = BEFORE_ALL;
  #segments: Segment[] = [];
  #prepared = new Set<TransactionName>();
  #givenUp: ReadonlySet<TransactionName> = new Set();

  constructor(low: bigint) {
    this.low = low;
  }

  /** The newest id that was polled. */
  get top(): bigint {
    return this.#segments.at(-1)?.upTo ?? this.low;
  }

  /** The transactions that keep the low-water mark from reaching the top. */
  get holders(): ReadonlySet<TransactionName> {
    return new Set(this.#segments.flatMap((segment) => [...segment.holders]));
  }

  /**
   * Takes in the newest visible id and the lock holders of the same statement.
   * @param drawn the id that the sequence had given last before the holders were read, where that is known.
   * @returns the id after which rows must be read, up to `newest`, by a later statement.
   */
  observe(newest: bigint, holders: ReadonlySet<TransactionName>, drawn = BEFORE_ALL): bigint {
    let readAfter = this.top;
    let after = this.low;
    for (const segment of this.#segments) {
      const ended = [...segment.holders].filter((holder) => !holders.has(holder));
      for (const holder of ended) segment.holders.delete(holder);
      if (ended.length > 0 && after < readAfter) readAfter = after;
      after = segment.upTo;
    }
    // Behind a pooler this object outlives the server's recovery from a crash, which renames prepared transactions. Their old names are
    // not recorded anywhere, and a new transaction may by now use one of them. So a new prepared name keeps back every segment.
    const prepared = new Set([...holders].filter((holder) => holder.startsWith("-1/")));
    for (const holder of prepared) {
      if (!this.#prepared.has(holder)) for (const segment of this.#segments) segment.holders.add(holder);
    }
    this.#prepared = prepared;
    this.#givenUp = this.#givenUp.intersection(holders);
    const upTo = newest > this.top ? newest : this.top;
    const given = drawn < upTo ? drawn : upTo;
    const givenBefore = this.#segments.at(-1)?.drawn ?? this.drawnLow;
    // Where an id was given by hand, the sequence may give ids below the top.
    if (upTo > this.top || given > givenBefore)
      this.#segments.push({ upTo, drawn: given, holders: holders.difference(this.#givenUp) });
    return readAfter;
  }

  /**
   * Every row up to here has been read, from where the last poll asked, and recorded. If no transaction keeps the first segment back,
   * that much is settled: a long backlog is settled page by page.
   */
  read(upTo: bigint): void {
    const [first] = this.#segments;
    if (first === undefined || first.holders.size > 0) return;
    const low = upTo < first.upTo ? upTo : first.upTo;
    if (low > this.low) this.low = low;
  }

  /** All rows that the last poll asked for have been read and recorded: settled segments are dropped, the low-water mark rises. */
  settle(): void {
    while (this.#segments[0]?.holders.size === 0) {
      const { upTo, drawn } = this.#segments.shift() as Segment;
      this.low = upTo;
      if (drawn > this.drawnLow) this.drawnLow = drawn;
    }
    const merged: Segment[] = [];
    for (const segment of this.#segments) {
      const before = merged.at(-1);
      if (before !== undefined && sameSet(before.holders, segment.holders)) merged.pop();
      merged.push(segment);
    }
    this.#segments = merged;
  }

  /** Stops waiting for a transaction until it has ended. Rows that it still brings are left to the reconciliation. */
  giveUpOn(holder: TransactionName): void {
    this.#givenUp = new Set([...this.#givenUp, holder]);
    for (const segment of this.#segments) segment.holders.delete(holder);
  }
}

function sameSet(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && a.isSubsetOf(b);
}
