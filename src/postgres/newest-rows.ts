/**
 * Rows from the newest back, for those who need the end of a long history. No statement covers more than a few thousand
 * rows of the outbox, however rare the wanted rows are, and none leaves the planner a choice: ids alone decide which rows
 * a page has (`pageOf`), and the kinds are compared afterwards.
 */
import { idOrNull } from "../core/event-id.ts";
import type { RawJournalRow } from "../core/journal-row.ts";
import type { TextRow } from "./connection.ts";
import { pageOf } from "./ids.ts";
import { JOURNAL_COLUMNS, OURS, rawRow, selectFrom } from "./journal.ts";
import { literal, literals, type Outbox } from "./names.ts";
import { aroundDamage } from "./unreadable.ts";

/** Outbox rows of the first page, which is often the only one; each later page is twice as large as the one before. */
const FIRST_PAGE = 2_000;
/** Outbox rows of a page where payloads are read. */
const LARGEST_PAGE = 4_000;

export type Wanted = {
  /** Left out for all kinds `metric.*`. */
  readonly kinds?: readonly string[];
  readonly upTo: bigint;
  /** How many outbox rows to cover at most. Left out for all. */
  readonly most?: number;
};

/** Rows with id ≤ upTo, newest first. Each page is asked for when it is needed. */
export async function* newestRows(outbox: Outbox, wanted: Wanted): AsyncGenerator<RawJournalRow> {
  const back = { ...wanted, columns: JOURNAL_COLUMNS, largest: LARGEST_PAGE };
  for await (const row of rowsBack(outbox, back)) yield rawRow(row);
}

/** Columns of such rows. @param back with the largest number of outbox rows in a page. */
export async function* rowsBack(
  outbox: Outbox,
  back: Wanted & { readonly columns: string; readonly largest: number },
): AsyncGenerator<TextRow> {
  const { kinds, upTo, most = Number.POSITIVE_INFINITY, columns, largest } = back;
  const isWanted = kinds === undefined ? OURS : `e.kind IN (${literals(kinds)})`;
  const read = async (after: bigint, end: bigint): Promise<readonly TextRow[]> =>
    (await outbox.query(selectFrom(pageOf(outbox, after, end), columns, isWanted))).rows;
  let size = FIRST_PAGE;
  for (let last = upTo, covered = 0; covered < most; size = Math.min(size * 2, largest)) {
    const ids = `SELECT o.id FROM ${outbox.outbox} o WHERE o.id <= ${literal(last)} ORDER BY o.id DESC LIMIT ${literal(size)}`;
    const page = await outbox.query(
      `SELECT min(ids.id)::text AS first, count(*)::text AS size FROM (${ids}) ids`,
    );
    const first = idOrNull(page.rows[0]?.["first"]);
    if (first === null) return;
    const after = first - 1n;
    yield* (await aroundDamage(outbox, after, last, read)).toReversed();
    const found = Number(page.rows[0]?.["size"]);
    if (found < size) return;
    covered += found;
    last = after;
  }
}
