/** Ids of outbox rows: bigints of any sign, as decimal text in JSON and as BigInt where they are compared. */

export const SMALLEST_ID = -(2n ** 63n);
export const LARGEST_ID = 2n ** 63n - 1n;

/** Below every id: where a walk along the log begins, and the low-water mark of a log of which nothing is settled. */
export const BEFORE_ALL = SMALLEST_ID - 1n;

/** An id that there may be. */
export function idOrNull(text: string | null | undefined): bigint | null {
  return text == null ? null : BigInt(text);
}
