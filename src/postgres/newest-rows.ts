/** Our own rows from the newest back, page by page, of some kinds only: for who needs the end of a long history. */
import type { RawJournalRow } from "../core/journal-row.ts";
import type { Query } from "./connection.ts";
import { JOURNAL_COLUMNS, rawRow } from "./journal.ts";
import { literal, literals, type Names } from "./names.ts";

const PAGE_ROWS = 5_000;

/** Rows with id ≤ upTo, newest first; each page is asked for only when it is needed. */
export async function* newestRows(
  query: Query,
  { outbox }: Names,
  kinds: readonly string[],
  upTo: bigint,
): AsyncGenerator<RawJournalRow> {
  for (let last = upTo; ; ) {
    const { rows } = await query(
      `SELECT ${JOURNAL_COLUMNS} FROM ${outbox} e WHERE e.id <= ${literal(last)} AND e.kind IN (${literals(kinds)})
        ORDER BY e.id DESC LIMIT ${literal(PAGE_ROWS)}`,
    );
    for (const row of rows) yield rawRow(row);
    const oldest = rows.at(-1);
    if (oldest === undefined || rows.length < PAGE_ROWS) return;
    last = BigInt(oldest["row_id"] ?? 0) - 1n;
  }
}
