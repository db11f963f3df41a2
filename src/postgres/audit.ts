/** Reading for verification: our own rows with the column beside the payload, and what a work item was recorded with. */
import { parseJournalRow } from "../core/journal-row.ts";
import { isId } from "../core/json.ts";
import type { Merge } from "../core/merge.ts";
import type { AuditRow } from "../core/verified-row.ts";
import type { Query } from "./connection.ts";
import { JOURNAL_COLUMNS, OURS, rawRow } from "./journal.ts";
import { literal, type Names } from "./names.ts";

/** Rows of kind `metric.*` with after < id ≤ upTo, in id order. */
export async function auditRows(
  query: Query,
  { outbox }: Names,
  after: bigint,
  upTo: bigint,
): Promise<AuditRow[]> {
  const { rows } = await query(
    `SELECT ${JOURNAL_COLUMNS}, e.work_item_id::text AS work_item_id FROM ${outbox} e
      WHERE e.id > ${literal(after)} AND e.id <= ${literal(upTo)} AND ${OURS} ORDER BY e.id`,
  );
  return rows.map((row) => ({ ...rawRow(row), workItemId: row["work_item_id"] ?? null }));
}

/** The smallest id that is left in the log; 0 for an empty one. */
export async function oldestId(query: Query, { outbox }: Names): Promise<bigint> {
  const { rows } = await query(`SELECT min(id)::text AS oldest FROM ${outbox}`);
  return BigInt(rows[0]?.["oldest"] ?? 0);
}

/** A merge as it is recorded, found by the index of its work item; null where it is not. */
export async function recordedMerge(query: Query, { outbox }: Names, eventId: string): Promise<Merge | null> {
  if (!isId(eventId)) return null;
  const { rows } = await query(
    `SELECT ${JOURNAL_COLUMNS} FROM ${outbox} e
      WHERE e.work_item_id = (SELECT t.work_item_id FROM ${outbox} t WHERE t.id = ${literal(BigInt(eventId))}) AND ${OURS}
      ORDER BY e.id LIMIT 100`,
  );
  for (const row of rows) {
    const parsed = parseJournalRow(rawRow(row));
    if (parsed.type === "metric" && parsed.merge.eventId === eventId) return parsed.merge;
  }
  return null;
}
