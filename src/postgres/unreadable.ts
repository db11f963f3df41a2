/**
 * Rows that the server cannot read: storage is damaged, most often a large value whose parts are gone. One such row fails
 * every statement that passes it, so a page that fails is halved down to that row; the rows beside it are read.
 */
import { failureOf, isDamaged } from "./failure.ts";

export type UnreadableRow = {
  readonly id: string;
  /** The server's own words, with the SQLSTATE. */
  readonly reason: string;
};

/** Called with each row that is left out. A row is named as often as it is met. */
export type LeaveOut = (row: UnreadableRow) => unknown;

/** For `readAround`: a damaged row is reported, and read as nothing. */
export function leftOut(report: LeaveOut): (row: UnreadableRow) => [] {
  return (row) => {
    report(row);
    return [];
  };
}

/**
 * Reads the rows with after < id ≤ upTo around damaged ones.
 * @param read a statement for a range of ids.
 * @param instead what a damaged row is read as.
 */
export async function readAround<T>(
  after: bigint,
  upTo: bigint,
  read: (after: bigint, upTo: bigint) => Promise<readonly T[]>,
  instead: (row: UnreadableRow) => Promise<readonly T[]> | readonly T[],
): Promise<readonly T[]> {
  try {
    return await read(after, upTo);
  } catch (error) {
    if (!isDamaged(error)) throw error;
    if (upTo - after <= 1n) {
      const { code, message } = failureOf(error);
      return instead({ id: String(upTo), reason: `${code}: ${message}` });
    }
    const middle = (after + upTo) >> 1n;
    return [
      ...(await readAround(after, middle, read, instead)),
      ...(await readAround(middle, upTo, read, instead)),
    ];
  }
}
