/**
 * Finding checkpoints without reading the log: by the index (work_item_id, kind, created_at), where the column allows
 * rows without a work item; otherwise among the newest rows.
 */
import { int64Of } from "../core/int64.ts";
import { CHECKPOINT_KIND } from "../core/metric-event.ts";
import type { CheckpointInLog } from "../outbox-log.ts";
import { type Query } from "./connection.ts";
import { isBadData } from "./failure.ts";
import { literal, type Names } from "./names.ts";
import type { OutboxColumns } from "./outbox-columns.ts";

/** More than lies between two checkpoints in a lively log. */
const NEWEST_ROWS = 100_000;
/** Larger than any checkpoint of ours: 10,000 projects take 1.5 MB. */
const LARGEST_CHECKPOINT = 67_108_864;

/** The newest ones, by `seq` descending; some that do not serve may be among them. */
export async function checkpoints(
  query: Query,
  { outbox }: Names,
  columns: OutboxColumns,
  limit: number,
): Promise<CheckpointInLog[]> {
  const where = columns.workItemNullable
    ? "e.work_item_id IS NULL"
    : `e.id > (SELECT max(id) FROM ${outbox}) - ${literal(NEWEST_ROWS)}`;
  // All of the index's columns: to the planner IS NULL is no constant, and by `created_at` alone it would sort them all.
  const order = columns.workItemNullable
    ? "e.work_item_id DESC, e.kind DESC, e.created_at DESC"
    : "e.id DESC";
  try {
    const { rows } = await query(
      `SELECT e.id::text AS row_id, e.payload->>'seq' AS seq, e.payload->>'low_mark' AS low_mark FROM ${outbox} e
        WHERE ${where} AND e.kind = '${CHECKPOINT_KIND}' ORDER BY ${order} LIMIT ${literal(limit)}`,
    );
    return rows
      .filter((row) => isBigint(row["seq"]) && isBigint(row["low_mark"]))
      .map((row) => ({
        rowId: row["row_id"] ?? "",
        seq: Number(row["seq"]),
        lowMark: BigInt(row["low_mark"] ?? 0),
      }))
      .toSorted((a, b) => b.seq - a.seq);
  } catch (error) {
    // Somebody else's row that `->>` refuses: then there is no short cut.
    if (isBadData(error)) return [];
    throw error;
  }
}

/** The payload of one, as text; null where it is gone or absurdly large. */
export async function checkpoint(query: Query, { outbox }: Names, rowId: string): Promise<string | null> {
  const { rows } = await query(
    `SELECT CASE WHEN pg_column_size(e.payload) <= ${literal(LARGEST_CHECKPOINT)} THEN e.payload::text END AS payload
       FROM ${outbox} e WHERE e.id = ${literal(rowId)}::bigint`,
  );
  return rows[0]?.["payload"] ?? null;
}

function isBigint(text: string | null | undefined): boolean {
  return int64Of(text ?? "") !== null;
}
