/**
 * Reading for verification: our own rows with the column beside the payload, the merge that a work item was recorded with,
 * and which of the orchestrator's rows are left.
 */
import { idOrNull } from "../core/event-id.ts";
import { parseJournalRow } from "../core/journal-row.ts";
import { isId } from "../core/json.ts";
import type { Merge } from "../core/merge.ts";
import type { Survivors } from "../core/reconcile-merges.ts";
import type { AuditRow } from "../core/verifier.ts";
import { pageOf } from "./ids.ts";
import { JOURNAL_COLUMNS, OURS, rawRow, rowsOfItem, selectFrom } from "./journal.ts";
import { CREATED_AT, IS_DATE } from "./merge-source.ts";
import type { Outbox } from "./names.ts";
import { readAround } from "./unreadable.ts";

/** Rows of kind `metric.*` with after < id ≤ upTo, in id order. A row that the server cannot read has the reason for it. */
export function auditRows(outbox: Outbox, after: bigint, upTo: bigint): Promise<readonly AuditRow[]> {
  const rows = async (columns: string, from: bigint, to: bigint): Promise<AuditRow[]> => {
    const withItem = `${columns}, e.work_item_id::text AS work_item_id`;
    const found = await outbox.query(selectFrom(pageOf(outbox, from, to), withItem));
    return found.rows.map((row) => ({ ...rawRow(row), workItemId: row["work_item_id"] ?? null }));
  };
  return readAround<AuditRow>(
    after,
    upTo,
    (from, to) => rows(JOURNAL_COLUMNS, from, to),
    async ({ id, reason }) => {
      const alone = await rows("e.id::text AS row_id, e.kind", BigInt(id) - 1n, BigInt(id));
      return alone.map((row) => ({ ...row, unreadable: reason }));
    },
  );
}

/** The oldest row by id, and by date (milliseconds since 1970), that a page of the outbox has beside rows of ours. */
export async function survivorsIn(outbox: Outbox, after: bigint, upTo: bigint): Promise<Survivors> {
  const { rows } = await outbox.query(
    `SELECT min(e.id)::text AS id,
            min(CASE WHEN ${IS_DATE} THEN floor(extract(epoch FROM ${CREATED_AT}) * 1000) END)::text AS at
       FROM ${pageOf(outbox, after, upTo)} e WHERE NOT ${OURS}`,
  );
  const { id, at = null } = rows[0] ?? {};
  return { id: idOrNull(id), at: at === null ? null : Number(at) };
}

/** A merge as it is recorded, found by the index of its work item; null where it is not recorded. */
export async function recordedMerge(outbox: Outbox, eventId: string): Promise<Merge | null> {
  if (!isId(eventId)) return null;
  for (const raw of await rowsOfItem(outbox, BigInt(eventId), 100)) {
    const parsed = parseJournalRow(raw);
    if (parsed.type === "metric" && parsed.merge.eventId === eventId) return parsed.merge;
  }
  return null;
}
