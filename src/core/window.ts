/**
 * The window of one scope: the facts of its last merges in one ring, and for each metric a running figure over the
 * newest `size` of them. A merge costs the same whatever the history: one fact enters, at most one leaves.
 */

import { type Reading, readingOf } from "./reading.ts";

/** What the ring keeps of a merge: 5 bytes. */
export type Entry = {
  readonly attempts: number;
  /** One bit for each set of verdicts that somebody asks about, see `verdictFlags`. */
  readonly flags: number;
};

const SMALLEST_RING = 8;

/** The newest merges of a scope, oldest dropped first. Grows as it fills, so that a small project stays small. */
export class MergeRing {
  readonly capacity: number;
  length = 0;
  #next = 0;
  #attempts: Int32Array;
  #flags: Uint8Array;

  constructor(capacity: number) {
    this.capacity = capacity;
    const size = Math.min(capacity, SMALLEST_RING);
    this.#attempts = new Int32Array(size);
    this.#flags = new Uint8Array(size);
  }

  push(entry: Entry): void {
    if (this.length === this.#attempts.length && this.length < this.capacity) this.#grow();
    this.#attempts[this.#next] = entry.attempts;
    this.#flags[this.#next] = entry.flags;
    this.#next = (this.#next + 1) % this.#attempts.length;
    if (this.length < this.#attempts.length) this.length += 1;
  }

  /** The merge `age` merges before the newest one (age 0), which must be within `length`. */
  at(age: number): Entry {
    const size = this.#attempts.length;
    const index = (this.#next - 1 - age + 2 * size) % size;
    return { attempts: this.#attempts[index] as number, flags: this.#flags[index] as number };
  }

  clone(): MergeRing {
    const copy = new MergeRing(this.capacity);
    copy.length = this.length;
    copy.#next = this.#next;
    copy.#attempts = this.#attempts.slice();
    copy.#flags = this.#flags.slice();
    return copy;
  }

  #grow(): void {
    const size = Math.min(this.capacity, this.#attempts.length * 2);
    const attempts = new Int32Array(size);
    const flags = new Uint8Array(size);
    for (let age = this.length - 1; age >= 0; age -= 1) {
      const entry = this.at(age);
      attempts[this.length - 1 - age] = entry.attempts;
      flags[this.length - 1 - age] = entry.flags;
    }
    this.#attempts = attempts;
    this.#flags = flags;
    this.#next = this.length;
  }
}

/** A figure kept over the newest `size` merges: told what enters and, once the window is full, what leaves. */
export interface RunningFigure {
  /** Merges in a full window. */
  readonly size: number;
  slide(entering: Entry, leaving: Entry | null): void;
  /** The reading of a window of which `n` merges are there, n ≤ size. */
  reading(n: number): Reading;
  clone(): RunningFigure;
}

/** How many merges in the window match. */
export class RunningCount implements RunningFigure {
  readonly size: number;
  readonly #matches: (entry: Entry) => boolean;
  count = 0;

  constructor(size: number, matches: (entry: Entry) => boolean) {
    this.size = size;
    this.#matches = matches;
  }

  slide(entering: Entry, leaving: Entry | null): void {
    if (this.#matches(entering)) this.count += 1;
    if (leaving !== null && this.#matches(leaving)) this.count -= 1;
  }

  reading(n: number): Reading {
    return readingOf(n, this.size, this.count, () => this.count / this.size);
  }

  clone(): RunningCount {
    const copy = new RunningCount(this.size, this.#matches);
    copy.count = this.count;
    return copy;
  }
}

/** How often each number of attempts occurs in the window, ascending; read as a percentile. */
export class RunningHistogram implements RunningFigure {
  readonly size: number;
  /** Which percentile, in (0, 1]. */
  readonly p: number;
  /** How many of a full window lie above the percentile. */
  readonly #above: number;
  #values: number[] = [];
  #counts: number[] = [];

  constructor(size: number, p: number) {
    this.size = size;
    this.p = p;
    this.#above = size - nearestRank(p, size);
  }

  slide(entering: Entry, leaving: Entry | null): void {
    this.#add(entering.attempts, 1);
    if (leaving !== null) this.#add(leaving.attempts, -1);
  }

  reading(n: number): Reading {
    return readingOf(n, this.size, null, () => this.#percentile());
  }

  /** Of a full window. Counted down from the largest: for a high percentile that passes (1−p)·n merges at most. */
  #percentile(): number {
    let above = this.#above;
    let index = this.#values.length - 1;
    for (; index > 0; index -= 1) {
      above -= this.#counts[index] as number;
      if (above < 0) break;
    }
    return this.#values[index] as number;
  }

  clone(): RunningHistogram {
    const copy = new RunningHistogram(this.size, this.p);
    copy.#values = this.#values.slice();
    copy.#counts = this.#counts.slice();
    return copy;
  }

  #add(value: number, change: 1 | -1): void {
    let index = 0;
    while (index < this.#values.length && (this.#values[index] as number) < value) index += 1;
    if (this.#values[index] !== value) {
      this.#values.splice(index, 0, value);
      this.#counts.splice(index, 0, 0);
    }
    const count = (this.#counts[index] as number) + change;
    this.#counts[index] = count;
    if (count === 0) {
      this.#values.splice(index, 1);
      this.#counts.splice(index, 1);
    }
  }
}

/**
 * The nearest-rank percentile of n values is the ceil(p·n)-th smallest; p in (0, 1].
 * The product is rounded first: in doubles 0.07·100 is 7.000000000000001, whose ceiling would be one rank too high.
 */
export function nearestRank(p: number, n: number): number {
  return Math.ceil(Number((p * n).toFixed(9)));
}
