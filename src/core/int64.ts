/** A bigint column's value as two halves, as typed arrays keep it: exact, and cheaper than a BigInt. */

export type Int64 = {
  /** The upper 32 bits without sign, moved so that halves compare as the numbers do. */
  readonly high: number;
  readonly low: number;
};

const CANONICAL = /^(?:0|-?[1-9][0-9]{0,18})$/;
const LARGEST = 2n ** 63n - 1n;
const SIGN = 2 ** 31;
const HALF = 2 ** 32;
/** Digits that a double holds exactly, whatever they are. */
const EXACT_DIGITS = 15;

/** @returns null for text that is not how a bigint is written, or is beyond its range. */
export function int64Of(text: string): Int64 | null {
  if (!CANONICAL.test(text)) return null;
  if (text.length <= EXACT_DIGITS && !text.startsWith("-")) {
    const id = Number(text);
    return { high: Math.floor(id / HALF) + SIGN, low: id >>> 0 };
  }
  const id = BigInt(text);
  if (id > LARGEST || id < -LARGEST - 1n) return null;
  const bits = BigInt.asUintN(64, id);
  return { high: (Number(bits >> 32n) ^ SIGN) >>> 0, low: Number(bits & 0xffffffffn) };
}

/** The decimal text that `int64Of` takes. */
export function textOf({ high, low }: Int64): string {
  return String(BigInt.asIntN(64, (BigInt((high ^ SIGN) >>> 0) << 32n) | BigInt(low)));
}
