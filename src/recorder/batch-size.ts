/**
 * How many merges one transaction records. Few at first, so that the first of many are recorded soon; more as long as
 * their rows take little time; fewer when they take long, as nobody should wait long for the writers' lock.
 *
 * What counts is the time that rows take. Answers that come from afar come no sooner for smaller batches: where a round
 * trip takes 100 ms, judged by its whole time even a transaction for one merge would be too slow.
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

  /** Only a backlog earns larger transactions; what is new is recorded at once. */
  beginAnew(): void {
    this.#merges = Math.min(this.#merges, FIRST);
  }

  /** @param merges how many there were. */
  took(merges: number, { fenced, appended, committed }: BatchTimes): void {
    // Each is one round trip, and more where the lock or the disk was waited for.
    const roundTrip = Math.min(fenced, committed);
    const rows = appended - roundTrip;
    if (rows > SLOW_MS) this.#merges = Math.max(1, Math.floor(this.#merges / 2));
    else if (rows < FAST_MS)
      this.#merges = Math.max(this.#merges, Math.min(LARGEST, merges * (rows < VERY_FAST_MS ? 4 : 2)));
  }
}
