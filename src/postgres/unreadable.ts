/**
 * Rows that a statement cannot read. One such row fails every statement that covers it, so a range that fails is halved
 * down to that row, and the rows beside it are read. As a rule the server's storage is damaged, most often because parts
 * of a large value are gone.
 */

import type { Fault } from "../events/meaning.ts";
import { failureOf, faultOf } from "./failure.ts";
import type { Outbox } from "./names.ts";

export type UnreadableRow = {
  readonly id: string;
  /** The server's own words, with the SQLSTATE. */
  readonly reason: string;
};

export type LeaveOut = (row: UnreadableRow) => unknown;

type Page<T> = (after: bigint, upTo: bigint) => Promise<readonly T[]>;

/** Reads the rows with after < id ≤ upTo; where the outbox leaves unreadable rows out, around these. */
export async function aroundDamage<T>(
  { unreadable }: Pick<Outbox, "unreadable">,
  after: bigint,
  upTo: bigint,
  read: Page<T>,
): Promise<T[]> {
  if (unreadable === undefined) return [...(await read(after, upTo))];
  return readAround(after, upTo, read, (row) => {
    unreadable(row);
    return [];
  });
}

/**
 * Reads the rows with after < id ≤ upTo around those that cannot be read.
 * @param read reads a range of ids with one statement.
 * @param instead gives what an unreadable row is read as.
 * @param fault the failures that single out a row. Others are thrown.
 */
export async function readAround<T>(
  after: bigint,
  upTo: bigint,
  read: Page<T>,
  instead: (row: UnreadableRow) => Promise<readonly T[]> | readonly T[],
  fault: Fault = "storage",
): Promise<T[]> {
  try {
    return [...(await read(after, upTo))];
  } catch (error) {
    if (faultOf(error) !== fault) throw error;
    if (upTo - after <= 1n) {
      const { code, message } = failureOf(error);
      return [...(await instead({ id: String(upTo), reason: `${code}: ${message}` }))];
    }
    const middle = (after + upTo) >> 1n;
    const first = await readAround(after, middle, read, instead, fault);
    return [...first, ...(await readAround(middle, upTo, read, instead, fault))];
  }
}
