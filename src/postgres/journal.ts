/** Reading our own rows back. */
import type { RawJournalRow } from "../core/journal-row.ts";
import { CHECKPOINT_KIND } from "../core/metric-event.ts";
import type { Since } from "../outbox-log.ts";
import type { Query, TextRow } from "./connection.ts";
import { literal, type Names } from "./names.ts";
import type { Statement } from "./prepared.ts";
import { expectServer, STARTED } from "./server-identity.ts";

/** SHA-256 of a payload's text, to tell whether a row is still the one that was folded. Needs the alias `e`. */
export const PAYLOAD_FINGERPRINT = "encode(sha256(convert_to(e.payload::text, 'UTF8')), 'hex')";

/**
 * A payload as text, parsed by us: no row, however odd, can make the statement fail. Rows of ours are small; what is
 * larger is somebody else's and is not transferred.
 */
export const LARGEST_PAYLOAD = 65_536;
/** Needs the alias `e`. */
export const JOURNAL_COLUMNS = `e.id::text AS row_id, e.kind,
  CASE WHEN e.kind <> '${CHECKPOINT_KIND}' AND pg_column_size(e.payload) <= ${LARGEST_PAYLOAD} THEN e.payload::text END AS payload`;
export const OURS = "starts_with(e.kind, 'metric.')";

/**
 * A page of the outbox as a table in a statement: its rows are decided by ids alone, and no condition moves through the OFFSET 0.
 * @param columns of the alias `o`.
 */
export function pageOf(
  { outbox }: Names,
  after: bigint,
  upTo: bigint,
  columns = "o.id, o.kind, o.payload",
): string {
  return `(SELECT ${columns} FROM ${outbox} o WHERE o.id > ${literal(after)} AND o.id <= ${literal(upTo)} ORDER BY o.id OFFSET 0)`;
}

/** Our rows of the work item that an event is about, in id order, by the index. */
export async function rowsOfItem(
  query: Query,
  { outbox }: Names,
  eventId: bigint,
  limit: number,
): Promise<RawJournalRow[]> {
  const { rows } = await query(
    `SELECT ${JOURNAL_COLUMNS} FROM
       (SELECT o.id, o.kind, o.payload FROM ${outbox} o
         WHERE o.work_item_id = ANY (ARRAY(SELECT t.work_item_id FROM ${outbox} t WHERE t.id = ${literal(eventId)})) OFFSET 0) e
      WHERE ${OURS} ORDER BY e.id LIMIT ${literal(limit)}`,
  );
  return rows.map(rawRow);
}

/** Rows with after < id ≤ upTo, in id order. */
export async function journal(
  query: Query,
  { outbox }: Names,
  after: bigint,
  upTo: bigint,
): Promise<readonly RawJournalRow[]> {
  const { rows } = await query(
    `SELECT ${JOURNAL_COLUMNS} FROM ${outbox} e WHERE e.id > ${literal(after)} AND e.id <= ${literal(upTo)} AND ${OURS} ORDER BY e.id`,
  );
  return rows.map(rawRow);
}

/** Outbox rows among which the journal's newest are looked for: a log without any is not read to its beginning. */
export const NEWEST_ROWS = 100_000;

/** The newest rows, newest first; none where only others are among the newest of the outbox. */
export async function newestJournal(query: Query, names: Names, limit: number): Promise<RawJournalRow[]> {
  const { rows } = await query(newestJournalStatement(names, limit));
  return rows.map(rawRow);
}

export function newestJournalStatement({ outbox }: Names, limit: number): string {
  return `SELECT ${JOURNAL_COLUMNS} FROM (SELECT * FROM ${outbox} o ORDER BY o.id DESC LIMIT ${literal(NEWEST_ROWS)}) e
      WHERE ${OURS} ORDER BY e.id DESC LIMIT ${literal(limit)}`;
}

/** Under a megabyte: they are read with the writers' lock in hand. */
const SINCE_ROWS = 1_000;

/** The head, with since when the server runs, and what follows it in one statement, so that all is of one moment. */
export function sinceStatement({ outbox }: Names): Statement {
  return {
    name: "since",
    types: ["bigint", "bigint"],
    text: (
      head,
      after,
    ) => `SELECT 'head' AS part, e.id AS place, e.id::text AS row_id, ${STARTED} AS kind, ${PAYLOAD_FINGERPRINT} AS payload
       FROM ${outbox} e WHERE e.id = ${head}::bigint AND ${OURS}
     UNION ALL
     (SELECT 'row', e.id, ${JOURNAL_COLUMNS} FROM ${outbox} e WHERE e.id > ${after} AND ${OURS}
       ORDER BY e.id LIMIT ${literal(SINCE_ROWS)})
     ORDER BY part, place`,
  };
}

/** @throws DatabaseFailure when another server answers than the one that runs since `started`. */
export function sinceIn(rows: readonly TextRow[], started: string): Since {
  const since = rows.filter((row) => row["part"] === "row");
  const head = rows.find((row) => row["part"] === "head");
  if (head !== undefined) expectServer(head["kind"], started);
  return {
    appliedFingerprint: head?.["payload"] ?? null,
    rows: since.map(rawRow),
    more: since.length === SINCE_ROWS,
  };
}

export function rawRow(row: TextRow): RawJournalRow {
  return { id: row["row_id"] ?? "", kind: row["kind"] ?? "", payload: row["payload"] ?? null };
}
