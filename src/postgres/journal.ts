/** Reading our own rows back. */
import { LARGEST_ID } from "../core/event-id.ts";
import type { RawJournalRow } from "../core/journal-row.ts";
import { CHECKPOINT_KIND } from "../core/metric-event.ts";
import type { Since } from "../outbox/outbox-log.ts";
import type { Query, TextRow } from "./connection.ts";
import { COLUMNS, pageOf } from "./ids.ts";
import { literal, type Names, type Outbox } from "./names.ts";
import type { Statement } from "./prepared.ts";
import { expectServer, STARTED } from "./server-identity.ts";

/** SHA-256 of a payload's text in hex: it shows whether a row is still the one that was applied. Needs the alias `e`. */
export const PAYLOAD_FINGERPRINT = "encode(sha256(convert_to(e.payload::text, 'UTF8')), 'hex')";

/** Bytes. A larger payload is not ours, whatever its kind, and is not transferred. */
export const LARGEST_PAYLOAD = 65_536;

/**
 * Needs the alias `e`. The payload is transferred as text and parsed here, so that no content of a row makes a statement
 * fail. A checkpoint's payload is read on its own.
 */
export const JOURNAL_COLUMNS = `e.id::text AS row_id, e.kind,
  CASE WHEN e.kind <> '${CHECKPOINT_KIND}' AND pg_column_size(e.payload) <= ${LARGEST_PAYLOAD} THEN e.payload::text END AS payload`;
export const OURS = "starts_with(e.kind, 'metric.')";

/** Selects rows of kind `metric.*`, in id order. @param from a table that gets the alias `e`. */
export function selectFrom(from: string, columns = JOURNAL_COLUMNS, wanted = OURS): string {
  return `SELECT ${columns} FROM ${from} e WHERE ${wanted} ORDER BY e.id`;
}

/** A row of a statement that selects `JOURNAL_COLUMNS`. */
export function rawRow(row: TextRow): RawJournalRow {
  return { id: row["row_id"] ?? "", kind: row["kind"] ?? "", payload: row["payload"] ?? null };
}

/** Runs a statement that selects `JOURNAL_COLUMNS`. */
export async function journalRows(query: Query, statement: string): Promise<RawJournalRow[]> {
  return (await query(statement)).rows.map(rawRow);
}

/** Rows of kind `metric.*` of the work item that an event is about, in id order, found by the index. */
export function rowsOfItem(
  { query, outbox }: Outbox,
  eventId: bigint,
  limit: number,
): Promise<RawJournalRow[]> {
  const item = `ARRAY(SELECT t.work_item_id FROM ${outbox} t WHERE t.id = ${literal(eventId)})`;
  const rows = `(SELECT ${COLUMNS} FROM ${outbox} o WHERE o.work_item_id = ANY (${item}) OFFSET 0)`;
  return journalRows(query, `${selectFrom(rows)} LIMIT ${literal(limit)}`);
}

/** Rows of kind `metric.*` with after < id ≤ upTo, in id order. */
export function journal(outbox: Outbox, after: bigint, upTo: bigint): Promise<RawJournalRow[]> {
  return journalRows(outbox.query, selectFrom(pageOf(outbox, after, upTo)));
}

/** Outbox rows among which the newest rows of the journal are looked for: a log without any is not read as a whole. */
export const NEWEST_ROWS = 100_000;

/** The newest rows of kind `metric.*` with id ≤ upTo, newest first. */
export function newestJournalStatement({ outbox }: Names, limit: number, upTo = LARGEST_ID): string {
  const newest = `(SELECT ${COLUMNS} FROM ${outbox} o WHERE o.id <= ${literal(upTo)} ORDER BY o.id DESC LIMIT ${literal(NEWEST_ROWS)})`;
  return `${selectFrom(newest)} DESC LIMIT ${literal(limit)}`;
}

/** Rows that one statement brings: less than a megabyte, because they are read while holding the writers' lock. */
const SINCE_ROWS = 1_000;

/**
 * The last applied row, with the time since when the server runs, and the rows of kind `metric.*` after an id: in one
 * statement, so that all of it is from one moment.
 */
export function sinceStatement({ outbox }: Names): Statement {
  return {
    name: "since",
    types: ["bigint", "bigint"],
    text: (
      applied,
      after,
    ) => `SELECT 'applied' AS part, e.id AS place, e.id::text AS row_id, ${STARTED} AS kind, ${PAYLOAD_FINGERPRINT} AS payload
       FROM ${outbox} e WHERE e.id = ${applied}::bigint AND ${OURS}
     UNION ALL
     (SELECT 'row', e.id, ${JOURNAL_COLUMNS} FROM ${outbox} e WHERE e.id > ${after} AND ${OURS}
       ORDER BY e.id LIMIT ${literal(SINCE_ROWS)})
     ORDER BY part, place`,
  };
}

/** What `sinceStatement` found. @throws DatabaseFailure when a server answers that did not start at `started`. */
export function sinceIn(rows: readonly TextRow[], started: string): Since {
  const since = rows.filter((row) => row["part"] === "row");
  const applied = rows.find((row) => row["part"] === "applied");
  if (applied !== undefined) expectServer(applied["kind"], started);
  return {
    appliedFingerprint: applied?.["payload"] ?? null,
    rows: since.map(rawRow),
    more: since.length === SINCE_ROWS,
  };
}
