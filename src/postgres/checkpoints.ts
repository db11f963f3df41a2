/**
 * Finding checkpoints, newest first, wherever they are: by the index (work_item_id, kind, …) where the column allows rows
 * without a work item; otherwise, or without such an index, by walking the log back from its newest row.
 */
import { CHECKPOINT_KIND } from "../core/metric-event.ts";
import type { CheckpointInLog } from "../outbox-log.ts";
import type { Query, TextRow } from "./connection.ts";
import { isBadData } from "./failure.ts";
import { literal, type Names } from "./names.ts";
import { pagesBack } from "./newest-rows.ts";
import type { OutboxColumns } from "./outbox-columns.ts";

/** Checkpoints that one statement reads by the index. */
const FIRST_PAGE = 4;
/** Outbox rows that one statement passes at most. */
const LONGEST_WALK = 32_000;
/** Larger than any checkpoint of ours: 10,000 projects take 1.5 MB. */
const LARGEST_CHECKPOINT = 67_108_864;

const COLUMNS = "e.id::text AS row_id, e.payload->>'seq' AS seq";

/** Checkpoints with id ≤ upTo; some that do not serve may be among them. */
export function checkpoints(
  query: Query,
  names: Names,
  columns: OutboxColumns,
  upTo: bigint,
): AsyncIterable<CheckpointInLog> {
  const indexed = columns.workItemNullable && columns.itemsIndexed;
  return indexed ? byIndex(query, names, upTo) : byWalk(query, names, upTo);
}

/** By the order of the index, which is that of writing: to the planner IS NULL is no constant, so all of its columns are named. */
async function* byIndex(query: Query, { outbox }: Names, upTo: bigint): AsyncGenerator<CheckpointInLog> {
  let [offset, limit] = [0, FIRST_PAGE];
  for (;;) {
    const rows = await read(
      query,
      `SELECT ${COLUMNS} FROM ${outbox} e
        WHERE e.work_item_id IS NULL AND e.kind = '${CHECKPOINT_KIND}' AND e.id <= ${literal(upTo)}
        ORDER BY e.work_item_id DESC, e.kind DESC, e.created_at DESC LIMIT ${literal(limit)} OFFSET ${literal(offset)}`,
    );
    yield* rows.flatMap(checkpointIn);
    if (rows.length < limit) return;
    offset += limit;
    limit *= 2;
  }
}

async function* byWalk(query: Query, names: Names, upTo: bigint): AsyncGenerator<CheckpointInLog> {
  for await (const { first, last } of pagesBack(query, names, upTo, LONGEST_WALK)) {
    const rows = await read(
      query,
      `SELECT ${COLUMNS} FROM ${names.outbox} e
        WHERE e.id >= ${literal(first)} AND e.id <= ${literal(last)} AND e.kind = '${CHECKPOINT_KIND}' ORDER BY e.id DESC`,
    );
    yield* rows.flatMap(checkpointIn);
  }
}

/** A row of kind `metric.checkpoint` that `->>` refuses, which is not ours, takes the short cut away. */
async function read(query: Query, statement: string): Promise<readonly TextRow[]> {
  try {
    return (await query(statement)).rows;
  } catch (error) {
    if (isBadData(error)) return [];
    throw error;
  }
}

function checkpointIn(row: TextRow): CheckpointInLog[] {
  const seq = row["seq"] ?? "";
  return !/^[0-9]{1,16}$/.test(seq) ? [] : [{ rowId: row["row_id"] ?? "", seq: Number(seq) }];
}

/** The payload of one, as text; null where it is gone or absurdly large. */
export async function checkpoint(query: Query, { outbox }: Names, rowId: string): Promise<string | null> {
  const { rows } = await query(
    `SELECT CASE WHEN pg_column_size(e.payload) <= ${literal(LARGEST_CHECKPOINT)} THEN e.payload::text END AS payload
       FROM ${outbox} e WHERE e.id = ${literal(rowId)}::bigint AND e.kind = '${CHECKPOINT_KIND}'`,
  );
  return rows[0]?.["payload"] ?? null;
}
