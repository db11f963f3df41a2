/**
 * How many merges one transaction records: few at first, so that the first of many are recorded soon; more as long as their
 * rows take little time; fewer when they take long, as peers must not wait long for the writers' lock.
 *
 * Only the time that rows take counts. A distant server does not answer sooner for smaller batches: where a round trip takes
 * 100 ms, even a transaction for one merge would seem too slow by its whole time.
 */

const FIRST = 25;
const LARGEST = 1000;
const VERY_FAST_MS = 25;
const FAST_MS = 100;
const SLOW_MS = 250;

/** What the parts of a transaction took, in milliseconds. */
export type BatchTimes = {
  /** Beginning it, with the lock and the fence. */
  readonly fenced: number;
  readonly appended: number;
  readonly committed: number;
};

export class BatchSize {
  #merges = FIRST;

  get merges(): number {
    return this.#merges;
  }

  /** Larger transactions are for a backlog alone: a new merge is recorded at once. */
  beginAnew(): void {
    this.#merges = Math.min(this.#merges, FIRST);
  }

  /** @param merges recorded by the transaction. */
  took(merges: number, { fenced, appended, committed }: BatchTimes): void {
    // Each of the two is one round trip, and more where the lock or the disk was waited for.
    const roundTrip = Math.min(fenced, committed);
    const rows = appended - roundTrip;
    if (rows > SLOW_MS) this.#merges = Math.max(1, Math.floor(this.#merges / 2));
    else if (rows < FAST_MS)
      this.#merges = Math.max(this.#merges, Math.min(LARGEST, merges * (rows < VERY_FAST_MS ? 4 : 2)));
  }
}
