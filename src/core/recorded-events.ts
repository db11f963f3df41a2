/**
 * Events with 32 bits and a time about each, millions of them in little memory: 20 bytes an event. They come almost in the order
 * of their ids, as merges are recorded in that order but for those that commit late. So they are kept in a few ascending
 * runs and found by bisection, where a hash table would stand half empty.
 */
import { type Int64, int64Of, textOf } from "./int64.ts";

/** More are needed only where ids come in no order at all. */
const MOST_RUNS = 32;

/** An event that was not met, with the time that was added with it. */
export type Untaken = { readonly eventId: string; readonly at: number };

export class RecordedEvents {
  readonly #runs: Run[] = [];
  /** What fits in no run, and ids that are no bigint. */
  readonly #others = new Map<string, { readonly value: number; readonly at: number; taken: boolean }>();

  /** Adds an event that is not there. @param at milliseconds since 1970; NaN where no time is known. */
  add(eventId: string, value: number, at: number): void {
    const id = int64Of(eventId);
    const run = id === null ? null : this.#runFor(id);
    if (id === null || run === null) this.#others.set(eventId, { value, at, taken: false });
    else run.append(id, value, at);
  }

  has(eventId: string): boolean {
    const id = int64Of(eventId);
    return (id !== null && this.#runs.some((run) => run.find(id) !== null)) || this.#others.has(eventId);
  }

  /** Marks an event as met. @returns what was added with it, null where it was not. */
  take(eventId: string): number | null {
    const id = int64Of(eventId);
    for (const run of id === null ? [] : this.#runs) {
      const index = run.find(id as Int64);
      if (index !== null) return run.take(index);
    }
    const other = this.#others.get(eventId);
    if (other === undefined) return null;
    other.taken = true;
    return other.value;
  }

  /** The events that were not met, each run's in the order of their ids. */
  *untaken(): Generator<Untaken> {
    for (const run of this.#runs) yield* run.untaken();
    for (const [eventId, { at, taken }] of this.#others) if (!taken) yield { eventId, at };
  }

  /** The run that ends closest before this id, so that the others stay open for smaller ones; a new one where none does. */
  #runFor(id: Int64): Run | null {
    let closest: Run | null = null;
    for (const run of this.#runs) {
      if (compare(run.last, id) < 0 && (closest === null || compare(closest.last, run.last) < 0))
        closest = run;
    }
    if (closest === null && this.#runs.length < MOST_RUNS) {
      closest = new Run();
      this.#runs.push(closest);
    }
    return closest;
  }
}

const CHUNK_BITS = 12;
const CHUNK = 2 ** CHUNK_BITS;

/** Chunks are added, never copied: growing costs nothing but the new one. */
class Run {
  last: Int64 = { high: 0, low: 0 };
  #length = 0;
  readonly #highs: Uint32Array[] = [];
  readonly #lows: Uint32Array[] = [];
  readonly #values: Int32Array[] = [];
  readonly #times: Float64Array[] = [];
  readonly #taken: Uint8Array[] = [];

  append(id: Int64, value: number, at: number): void {
    const [chunk, place] = [this.#length >>> CHUNK_BITS, this.#length % CHUNK];
    if (place === 0) {
      this.#highs.push(new Uint32Array(CHUNK));
      this.#lows.push(new Uint32Array(CHUNK));
      this.#values.push(new Int32Array(CHUNK));
      this.#times.push(new Float64Array(CHUNK));
      this.#taken.push(new Uint8Array(CHUNK / 8));
    }
    (this.#highs[chunk] as Uint32Array)[place] = id.high;
    (this.#lows[chunk] as Uint32Array)[place] = id.low;
    (this.#values[chunk] as Int32Array)[place] = value;
    (this.#times[chunk] as Float64Array)[place] = at;
    this.last = id;
    this.#length += 1;
  }

  /** The place of an id; null where it is not there. */
  find(id: Int64): number | null {
    if (compare(this.last, id) < 0) return null;
    let [from, to] = [0, this.#length];
    while (from < to) {
      const middle = (from + to) >>> 1;
      const order = compare(this.#at(middle), id);
      if (order === 0) return middle;
      if (order < 0) from = middle + 1;
      else to = middle;
    }
    return null;
  }

  take(index: number): number {
    const [chunk, at] = [index >>> CHUNK_BITS, index % CHUNK];
    const taken = this.#taken[chunk] as Uint8Array;
    taken[at >>> 3] = (taken[at >>> 3] as number) | (1 << (at & 7));
    return (this.#values[chunk] as Int32Array)[at] as number;
  }

  *untaken(): Generator<Untaken> {
    for (let index = 0; index < this.#length; index += 1) {
      const bits = (this.#taken[index >>> CHUNK_BITS] as Uint8Array)[(index % CHUNK) >>> 3] as number;
      if ((bits & (1 << (index & 7))) !== 0) continue;
      const at = (this.#times[index >>> CHUNK_BITS] as Float64Array)[index % CHUNK] as number;
      yield { eventId: textOf(this.#at(index)), at };
    }
  }

  #at(index: number): Int64 {
    const [chunk, at] = [index >>> CHUNK_BITS, index % CHUNK];
    return {
      high: (this.#highs[chunk] as Uint32Array)[at] as number,
      low: (this.#lows[chunk] as Uint32Array)[at] as number,
    };
  }
}

function compare(a: Int64, b: Int64): number {
  return a.high - b.high || a.low - b.low;
}
