/**
 * A set of millions of ids or texts in little memory: 17 bytes a place, at most half of them taken. Ids are kept as they
 * are; of other texts a 64-bit hash is kept, so that two of ten million are taken for the same once in 400,000 logs.
 */

const SMALLEST = 1024;

/** Where a key is; valid until the next `add`. */
export type Place = number;

export class KeyTable {
  size = 0;
  #high = new Uint32Array(SMALLEST);
  #low = new Uint32Array(SMALLEST);
  #values = new Int32Array(SMALLEST);
  /** 0 free, 1 taken, 2 taken and marked. */
  #state = new Uint8Array(SMALLEST);

  /** Adds a key with a value of 32 bits. @returns false where it is there already; its value stays. */
  add(key: string, value = 0): boolean {
    if (this.size * 2 >= this.#state.length) this.#grow();
    const [high, low] = halves(key);
    const place = this.#find(high, low);
    if (this.#state[place] !== 0) return false;
    this.#put(place, high, low, value, 1);
    this.size += 1;
    return true;
  }

  /** @returns null where the key is not there. */
  find(key: string): Place | null {
    const [high, low] = halves(key);
    const place = this.#find(high, low);
    return this.#state[place] === 0 ? null : place;
  }

  has(key: string): boolean {
    return this.find(key) !== null;
  }

  value(place: Place): number {
    return this.#values[place] as number;
  }

  mark(place: Place): void {
    this.#state[place] = 2;
  }

  /** The ids among the keys that are not marked, as decimal text, in no order. */
  *unmarkedIds(): Generator<string> {
    for (let place = 0; place < this.#state.length; place += 1) {
      if (this.#state[place] !== 1) continue;
      const id = (BigInt(this.#high[place] as number) << 32n) | BigInt(this.#low[place] as number);
      yield String(BigInt.asIntN(64, id));
    }
  }

  #find(high: number, low: number): Place {
    const mask = this.#state.length - 1;
    let place = (Math.imul(low, 0x9e3779b1) ^ Math.imul(high, 0x85ebca77)) & mask;
    while (this.#state[place] !== 0 && (this.#high[place] !== high || this.#low[place] !== low)) {
      place = (place + 1) & mask;
    }
    return place;
  }

  #put(place: Place, high: number, low: number, value: number, state: number): void {
    this.#high[place] = high;
    this.#low[place] = low;
    this.#values[place] = value;
    this.#state[place] = state;
  }

  #grow(): void {
    const [highs, lows, values, states] = [this.#high, this.#low, this.#values, this.#state];
    const length = states.length * 2;
    this.#high = new Uint32Array(length);
    this.#low = new Uint32Array(length);
    this.#values = new Int32Array(length);
    this.#state = new Uint8Array(length);
    for (let old = 0; old < states.length; old += 1) {
      const state = states[old] as number;
      if (state === 0) continue;
      const [high, low] = [highs[old] as number, lows[old] as number];
      this.#put(this.#find(high, low), high, low, values[old] as number, state);
    }
  }
}

const ID = /^(?:0|-?[1-9][0-9]{0,17})$/;

function halves(key: string): [number, number] {
  if (!ID.test(key)) return [hash32(key, 0x5bd1e995), hash32(key, 0x1b873593)];
  const id = BigInt.asUintN(64, BigInt(key));
  return [Number(id >> 32n), Number(id & 0xffffffffn)];
}

/** A hash of a text's UTF-16 units, 32 bits without sign; MurmurHash3's mixing steps. */
export function hash32(text: string, seed = 0): number {
  let hash = seed ^ text.length;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0xcc9e2d51);
    hash = ((hash << 15) | (hash >>> 17)) ^ (hash >>> 3);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
