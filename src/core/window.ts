/**
 * The window of one scope: the facts of its last merges in one ring, and for each metric a running figure over the
 * newest `size` of them. A merge costs the same whatever the history: one fact enters, at most one leaves.
 */
import { type Reading, ratioReading, undefinedReading } from "./reading.ts";
import { VERDICT_BITS, VERDICT_NUMBERS, type VerdictSet } from "./verdict-numbers.ts";

/** What the ring keeps of a merge, in one number, so that sliding a window makes no garbage: its attempts, and its verdict's number. */
export type Entry = number;

/** In place of an entry where there is none: a merge took at least one attempt, so no entry is 0. */
export const NO_ENTRY: Entry = 0;

const MAX_INT32 = 2 ** 31 - 1;

/** @param verdict its number, below `VERDICT_NUMBERS`. */
export function packEntry(attempts: number, verdict: number): Entry {
  return attempts * VERDICT_NUMBERS + verdict;
}

/** 1 to 2³¹−1; 0 for no entry. */
export function attemptsIn(entry: Entry): number {
  // Almost always a small number, whose bits are taken much faster.
  return entry <= MAX_INT32 ? entry >> VERDICT_BITS : Math.floor(entry / VERDICT_NUMBERS);
}

/** The number of the last verdict, see `VerdictNumbers`. */
export function verdictIn(entry: Entry): number {
  return entry & (VERDICT_NUMBERS - 1);
}

/** The same entry several times in a row. */
export type Run = { readonly entry: Entry; readonly times: number };

const SMALLEST_RING = 8;

/** The newest merges of a scope, oldest dropped first. Grows as it fills, so that a small project stays small. */
export class MergeRing {
  readonly capacity: number;
  length = 0;
  #next = 0;
  #entries: Entry[];

  constructor(capacity: number) {
    this.capacity = capacity;
    this.#entries = noEntries(Math.min(capacity, SMALLEST_RING));
  }

  push(entry: Entry): void {
    if (this.length === this.#entries.length && this.length < this.capacity) this.#grow();
    this.#entries[this.#next] = entry;
    this.#next += 1;
    if (this.#next === this.#entries.length) this.#next = 0;
    if (this.length < this.#entries.length) this.length += 1;
  }

  /** The merge `age` merges before the newest one (age 0), which must be within `length`. */
  at(age: number): Entry {
    const index = this.#next - 1 - age;
    return this.#entries[index < 0 ? index + this.#entries.length : index] as Entry;
  }

  clone(): MergeRing {
    const copy = new MergeRing(this.capacity);
    copy.length = this.length;
    copy.#next = this.#next;
    copy.#entries = this.#entries.slice();
    return copy;
  }

  #grow(): void {
    const entries = noEntries(Math.min(this.capacity, this.#entries.length * 2));
    for (let age = 0; age < this.length; age += 1) entries[this.length - 1 - age] = this.at(age);
    this.#entries = entries;
    this.#next = this.length;
  }
}

function noEntries(length: number): Entry[] {
  return Array.from({ length }, () => NO_ENTRY);
}

/** A figure kept over the newest `size` merges, given each merge that enters and, once the window is full, the one that leaves. */
export interface RunningFigure {
  /** Merges in a full window. */
  readonly size: number;
  /** @param leaving NO_ENTRY while the window fills. */
  slide(entering: Entry, leaving: Entry): void;
  /** Takes in the same entry several times, while the window fills. */
  add(entry: Entry, times: number): void;
  /** The reading of a window of which `n` merges are there, n ≤ size. */
  reading(n: number): Reading;
  clone(): RunningFigure;
}

/** How many merges in the window count: those of one attempt, or those whose verdict is in a set. */
export class RunningCount implements RunningFigure {
  readonly size: number;
  readonly #verdicts: VerdictSet | null;
  #count = 0;

  /** @param verdicts null to count the merges of one attempt. */
  constructor(size: number, verdicts: VerdictSet | null) {
    this.size = size;
    this.#verdicts = verdicts;
  }

  slide(entering: Entry, leaving: Entry): void {
    this.#count += counted(entering, this.#verdicts) - counted(leaving, this.#verdicts);
  }

  add(entry: Entry, times: number): void {
    this.#count += times * counted(entry, this.#verdicts);
  }

  reading(n: number): Reading {
    return n < this.size ? undefinedReading(n, this.size, this.#count) : ratioReading(this.#count, this.size);
  }

  clone(): RunningCount {
    const copy = new RunningCount(this.size, this.#verdicts);
    copy.#count = this.#count;
    return copy;
  }
}

/** 1 for a merge that counts, else 0. A private method would cost every instance eight bytes. */
function counted(entry: Entry, verdicts: VerdictSet | null): number {
  return verdicts === null ? Number(attemptsIn(entry) === 1) : (verdicts[verdictIn(entry)] as number);
}

/** How often each number of attempts occurs in the window, read as a percentile. */
export class RunningHistogram implements RunningFigure {
  readonly size: number;
  /** Which percentile, in (0, 1]. */
  readonly #p: number;
  /** How many of a full window lie above the percentile. */
  readonly #above: number;
  /** Numbers of attempts, ascending, each followed by how often it occurs. */
  #counts: number[] = [];

  constructor(size: number, p: number) {
    this.size = size;
    this.#p = p;
    this.#above = size - nearestRank(p, size);
  }

  slide(entering: Entry, leaving: Entry): void {
    const enters = attemptsIn(entering);
    const leaves = attemptsIn(leaving);
    if (enters === leaves) return;
    this.#add(enters, 1);
    if (leaving !== NO_ENTRY) this.#add(leaves, -1);
  }

  add(entry: Entry, times: number): void {
    this.#add(attemptsIn(entry), times);
  }

  reading(n: number): Reading {
    if (n < this.size) return undefinedReading(n, this.size, null);
    return { defined: true, value: this.#percentile(), numerator: null, n, window: n };
  }

  /** Of a full window. Counted down from the largest: for a high percentile that passes (1−p)·n merges at most. */
  #percentile(): number {
    const counts = this.#counts;
    let above = this.#above;
    let index = counts.length - 2;
    for (; index > 0; index -= 2) {
      above -= counts[index + 1] as number;
      if (above < 0) break;
    }
    return counts[index] as number;
  }

  clone(): RunningHistogram {
    const copy = new RunningHistogram(this.size, this.#p);
    copy.#counts = this.#counts.slice();
    return copy;
  }

  #add(attempts: number, change: number): void {
    const counts = this.#counts;
    let index = 0;
    while (index < counts.length && (counts[index] as number) < attempts) index += 2;
    if (counts[index] !== attempts) {
      counts.splice(index, 0, attempts, change);
      return;
    }
    const count = (counts[index + 1] as number) + change;
    if (count === 0) counts.splice(index, 2);
    else counts[index + 1] = count;
  }
}

/**
 * The nearest-rank percentile of n values is the ceil(p·n)-th smallest; p in (0, 1].
 * The product is rounded first: in doubles 0.07·100 is 7.000000000000001, whose ceiling would be one rank too high.
 */
export function nearestRank(p: number, n: number): number {
  return Math.ceil(Math.round(p * n * 1e9) / 1e9);
}
