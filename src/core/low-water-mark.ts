/**
 * Settling: up to which id can nothing new appear?
 *
 * Ids are drawn from a sequence before their transactions commit, so a row may become visible below rows that were
 * read long ago. `id > last` loses it. An xmin horizon loses rows too (a transaction draws its id before it has an
 * xid) and stalls behind every old transaction in the database. The locks on the table alone miss a transaction that
 * called `nextval` first and has not touched the table yet.
 *
 * What does hold: `nextval` takes RowExclusiveLock on the sequence before it draws, and an insert takes it on the
 * table; both are kept to the end of the transaction. So one statement looks at `u`, the newest visible id, and at the
 * set of transactions that hold such a lock. Whoever drew an id ≤ u and can still bring it is in that set, or had ended
 * by then and is seen by every later statement. A lock is released only after the commit is visible. Hence: once all of
 * the set are gone, a later statement that reads the rows up to u reads all that there will ever be.
 *
 * That is exact for a sequence with cache 1. For the rest (a cache, ids given explicitly, a restore) the whole log is
 * compared from time to time.
 *
 * One set for the whole range would make a single long transaction expensive: everything above its first look would be
 * read again on every look. So the range is kept in segments, each with the transactions that may still bring rows to
 * it; only a segment of which one has ended is read again. A segment without any is settled.
 */

/**
 * A transaction as `pg_locks.virtualtransaction` names it. PREPARE TRANSACTION keeps the name; a start or recovery of the
 * server makes it `-1/<xid>` (measured on PostgreSQL 15.18 and 18.4, after smart, fast and immediate stops and a crash).
 */
export type TransactionName = string;

type Segment = {
  /** The segment's last id; it begins after the segment before it. */
  readonly upTo: bigint;
  readonly holders: Set<TransactionName>;
};

export class LowWaterMark {
  /** Every row up to here is settled, and has been read by a statement that came later. */
  low: bigint;
  #segments: Segment[] = [];
  #prepared = new Set<TransactionName>();
  #unusable: ReadonlySet<TransactionName> = new Set();

  constructor(low: bigint) {
    this.low = low;
  }

  /** The newest id that has been looked at. */
  get top(): bigint {
    return this.#segments.at(-1)?.upTo ?? this.low;
  }

  /** The transactions that keep the low mark from reaching the top. */
  get holders(): ReadonlySet<TransactionName> {
    return new Set(this.#segments.flatMap((segment) => [...segment.holders]));
  }

  /**
   * Takes in one look at the newest visible id and the lock holders of the same statement.
   * @returns the id after which rows must be read, up to `newest`, by a later statement.
   */
  observe(newest: bigint, holders: ReadonlySet<TransactionName>): bigint {
    let readAfter = this.top;
    let after = this.low;
    for (const segment of this.#segments) {
      const ended = [...segment.holders].filter((holder) => !holders.has(holder));
      for (const holder of ended) segment.holders.delete(holder);
      if (ended.length > 0 && after < readAfter) readAfter = after;
      after = segment.upTo;
    }
    // Behind a pooler this outlives the server's recovery from the crash of one of its processes, after which a prepared
    // transaction bears another name. Which one it bore is not told, so whoever is new under such a name may be anyone's;
    // it keeps every segment, as the old name may by now be a stranger's, who would make the segment look as it was.
    const prepared = new Set([...holders].filter((holder) => holder.startsWith("-1/")));
    for (const holder of prepared) {
      if (!this.#prepared.has(holder)) for (const segment of this.#segments) segment.holders.add(holder);
    }
    this.#prepared = prepared;
    this.#unusable = this.#unusable.intersection(holders);
    if (newest > this.top) this.#segments.push({ upTo: newest, holders: holders.difference(this.#unusable) });
    return readAfter;
  }

  /**
   * Every row up to here has been read, from where the last look asked, and recorded. Where no transaction holds the first
   * segment back that much is settled: a long backlog is settled page by page.
   */
  read(upTo: bigint): void {
    const [first] = this.#segments;
    if (first === undefined || first.holders.size > 0) return;
    const low = upTo < first.upTo ? upTo : first.upTo;
    if (low > this.low) this.low = low;
  }

  /** All that the last look asked to be read has been read and recorded: settled segments go, the low mark rises. */
  settle(): void {
    while (this.#segments[0]?.holders.size === 0) this.low = (this.#segments.shift() as Segment).upTo;
    const merged: Segment[] = [];
    for (const segment of this.#segments) {
      const before = merged.at(-1);
      if (before !== undefined && sameSet(before.holders, segment.holders)) merged.pop();
      merged.push(segment);
    }
    this.#segments = merged;
  }

  /** Waits for a transaction no more, until it is gone; what it still brings is left to the comparison of the whole log. */
  passOver(holder: TransactionName): void {
    this.#unusable = new Set([...this.#unusable, holder]);
    for (const segment of this.#segments) segment.holders.delete(holder);
  }
}

function sameSet(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && a.isSubsetOf(b);
}
