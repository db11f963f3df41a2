/**
 * Our own rows from the newest back: for verbs that need the end of a long history. No statement passes more than some
 * thousand rows of the outbox, however rare the wanted ones are, and none leaves the planner a choice: what a page holds
 * is decided by ids alone, and its kinds are looked at behind an OFFSET 0, through which no condition moves.
 */
import type { RawJournalRow } from "../core/journal-row.ts";
import type { Query } from "./connection.ts";
import { JOURNAL_COLUMNS, OURS, pageOf, rawRow } from "./journal.ts";
import { literal, literals, type Names } from "./names.ts";
import { type LeaveOut, leftOut, readAround } from "./unreadable.ts";

/** Outbox rows of the first statement, which is often the only one, and of each later one. */
const FIRST_PAGE = 2_000;
const LARGEST_PAGE = 4_000;

export type Wanted = {
  /** Left out for all of kind `metric.*`. */
  readonly kinds?: readonly string[];
  readonly upTo: bigint;
  /** Rows of the outbox that are passed at most. Left out for all. */
  readonly most?: number;
};

/** Rows with id ≤ upTo, newest first; each page is asked for only when it is needed. */
export async function* newestRows(
  query: Query,
  names: Names,
  { kinds, upTo, most = Number.POSITIVE_INFINITY }: Wanted,
  unreadable: LeaveOut,
): AsyncGenerator<RawJournalRow> {
  const wanted = kinds === undefined ? OURS : `e.kind IN (${literals(kinds)})`;
  let passed = 0;
  for await (const { first, last, size } of pagesBack(query, names, upTo, LARGEST_PAGE)) {
    const rows = await readAround(
      first - 1n,
      last,
      (after, end) => rowsOf(query, names, wanted, after, end),
      leftOut(unreadable),
    );
    yield* rows.toReversed();
    passed += size;
    if (passed >= most) return;
  }
}

async function rowsOf(
  query: Query,
  names: Names,
  wanted: string,
  after: bigint,
  upTo: bigint,
): Promise<RawJournalRow[]> {
  const { rows } = await query(
    `SELECT ${JOURNAL_COLUMNS} FROM ${pageOf(names, after, upTo)} e WHERE ${wanted} ORDER BY e.id`,
  );
  return rows.map(rawRow);
}

type Page = { readonly first: bigint; readonly last: bigint; readonly size: number };

/** The ids between which pages of the outbox lie, newest page first. @param largest rows of a page, at most. */
export async function* pagesBack(
  query: Query,
  { outbox }: Names,
  upTo: bigint,
  largest: number,
): AsyncGenerator<Page> {
  for (let last = upTo, size = FIRST_PAGE; ; size = Math.min(size * 2, largest)) {
    const { rows } = await query(
      `SELECT min(page.id)::text AS first, count(*)::text AS size FROM
        (SELECT o.id FROM ${outbox} o WHERE o.id <= ${literal(last)} ORDER BY o.id DESC LIMIT ${literal(size)}) page`,
    );
    const first = rows[0]?.["first"] ?? null;
    if (first === null) return;
    const found = Number(rows[0]?.["size"]);
    yield { first: BigInt(first), last, size: found };
    if (found < size) return;
    last = BigInt(first) - 1n;
  }
}
