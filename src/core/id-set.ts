/**
 * A set of millions of ids in little memory. 64 numbers that follow each other share 16 bytes, so that ids drawn from a
 * sequence take less than a byte each. Of a text that is no number 64 bits of hash are kept, 21 to 43 bytes: two of ten
 * million are taken for the same once in 400,000 logs.
 */
import { hash32 } from "./hash.ts";
import { int64Of } from "./int64.ts";

const SMALLEST = 64;

export class IdSet {
  readonly #numbers = new Bits();
  readonly #texts = new Bits();

  /** @returns false where it is there already. */
  add(id: string): boolean {
    const number = int64Of(id);
    return number === null
      ? this.#texts.add(hash32(id, 0x5bd1e995), hash32(id, 0x1b873593))
      : this.#numbers.add(number.high, number.low);
  }

  has(id: string): boolean {
    const number = int64Of(id);
    return number === null
      ? this.#texts.has(hash32(id, 0x5bd1e995), hash32(id, 0x1b873593))
      : this.#numbers.has(number.high, number.low);
  }
}

/** Numbers of 64 bits: a hash table of those that have all but their last 6 bits in common, at most three quarters full. */
class Bits {
  #size = 0;
  #high = new Uint32Array(SMALLEST);
  /** Without the last 6 bits. */
  #low = new Uint32Array(SMALLEST);
  /** Which of the 64 are there; a place is free where none is. */
  #first = new Uint32Array(SMALLEST);
  #second = new Uint32Array(SMALLEST);

  add(high: number, low: number): boolean {
    if (this.#size * 4 >= this.#high.length * 3) this.#grow();
    const page = low >>> 6;
    const place = this.#find(high, page);
    if (this.#isFree(place)) this.#size += 1;
    else if (this.#isSet(place, low)) return false;
    this.#high[place] = high;
    this.#low[place] = page;
    const half = (low & 32) === 0 ? this.#first : this.#second;
    half[place] = (half[place] as number) | (1 << (low & 31));
    return true;
  }

  has(high: number, low: number): boolean {
    return this.#isSet(this.#find(high, low >>> 6), low);
  }

  #isFree(place: number): boolean {
    return this.#first[place] === 0 && this.#second[place] === 0;
  }

  #isSet(place: number, low: number): boolean {
    const half = (low & 32) === 0 ? this.#first : this.#second;
    return ((half[place] as number) & (1 << (low & 31))) !== 0;
  }

  /** Where these 64 are, or the free place where they would be. */
  #find(high: number, page: number): number {
    const mask = this.#high.length - 1;
    let hash = Math.imul(page, 0x9e3779b1) ^ Math.imul(high, 0x85ebca77);
    hash ^= hash >>> 15;
    let place = hash & mask;
    while (!this.#isFree(place) && (this.#high[place] !== high || this.#low[place] !== page)) {
      place = (place + 1) & mask;
    }
    return place;
  }

  #grow(): void {
    const [highs, lows, firsts, seconds] = [this.#high, this.#low, this.#first, this.#second];
    const length = highs.length * 2;
    this.#high = new Uint32Array(length);
    this.#low = new Uint32Array(length);
    this.#first = new Uint32Array(length);
    this.#second = new Uint32Array(length);
    for (let old = 0; old < highs.length; old += 1) {
      const [first, second] = [firsts[old] as number, seconds[old] as number];
      if (first === 0 && second === 0) continue;
      const [high, low] = [highs[old] as number, lows[old] as number];
      const place = this.#find(high, low);
      this.#high[place] = high;
      this.#low[place] = low;
      this.#first[place] = first;
      this.#second[place] = second;
    }
  }
}
