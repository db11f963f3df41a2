/**
 * Reading for verification: our own rows with the column beside the payload, what a work item was recorded with, and what
 * is left of the orchestrator's rows.
 */
import { idOrNull } from "../core/event-id.ts";
import { parseJournalRow } from "../core/journal-row.ts";
import { isId } from "../core/json.ts";
import type { Merge } from "../core/merge.ts";
import type { Survivors } from "../core/reconcile-merges.ts";
import type { AuditRow } from "../core/verifier.ts";
import type { Query, TextRow } from "./connection.ts";
import { JOURNAL_COLUMNS, OURS, pageOf, rawRow, rowsOfItem } from "./journal.ts";
import { CREATED_AT, IS_DATE } from "./merge-source.ts";
import { literal, type Names } from "./names.ts";
import { readAround } from "./unreadable.ts";

/** Rows of kind `metric.*` with after < id ≤ upTo, in id order; those that the server cannot read say why. */
export function auditRows(
  query: Query,
  names: Names,
  after: bigint,
  upTo: bigint,
): Promise<readonly AuditRow[]> {
  const rows = (columns: string, from: bigint, to: bigint) => ours(query, names, columns, from, to);
  return readAround(
    after,
    upTo,
    async (from, to) => (await rows(JOURNAL_COLUMNS, from, to)).map(auditRow),
    async ({ id, reason }) => {
      const alone = await rows("e.id::text AS row_id, e.kind", BigInt(id) - 1n, BigInt(id));
      return alone.map((row) => ({ ...auditRow(row), unreadable: reason }));
    },
  );
}

async function ours(
  query: Query,
  names: Names,
  columns: string,
  after: bigint,
  upTo: bigint,
): Promise<readonly TextRow[]> {
  const { rows } = await query(
    `SELECT ${columns}, e.work_item_id::text AS work_item_id
       FROM ${pageOf(names, after, upTo, "o.id, o.kind, o.payload, o.work_item_id")} e WHERE ${OURS} ORDER BY e.id`,
  );
  return rows;
}

function auditRow(row: TextRow): AuditRow {
  return { ...rawRow(row), workItemId: row["work_item_id"] ?? null };
}

/** Whether there is a row with this id. */
export async function rowExists(query: Query, { outbox }: Names, id: string): Promise<boolean> {
  const { rows } = await query(
    `SELECT e.id::text AS row_id FROM ${outbox} e WHERE e.id = ${literal(BigInt(id))}`,
  );
  return rows.length > 0;
}

/** What a page of the outbox holds beside rows of ours. */
export async function survivorsIn(
  query: Query,
  names: Names,
  after: bigint,
  upTo: bigint,
): Promise<Survivors> {
  const { rows } = await query(
    `SELECT min(e.id)::text AS id,
            min(CASE WHEN ${IS_DATE} THEN floor(extract(epoch FROM ${CREATED_AT}) * 1000) END)::text AS at
       FROM ${pageOf(names, after, upTo, "o.id, o.kind, o.created_at")} e WHERE NOT ${OURS}`,
  );
  const { id, at = null } = rows[0] ?? {};
  return { id: idOrNull(id), at: at === null ? null : Number(at) };
}

/** A merge as it is recorded, found by the index of its work item; null where it is not. */
export async function recordedMerge(query: Query, names: Names, eventId: string): Promise<Merge | null> {
  if (!isId(eventId)) return null;
  for (const raw of await rowsOfItem(query, names, BigInt(eventId), 100)) {
    const parsed = parseJournalRow(raw);
    if (parsed.type === "metric" && parsed.merge.eventId === eventId) return parsed.merge;
  }
  return null;
}
