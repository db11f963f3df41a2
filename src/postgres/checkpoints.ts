/**
 * Finding checkpoints, newest first, wherever they are: by the index (work_item_id, kind, …) where the column allows rows
 * without a work item; otherwise, or without such an index, by walking the log back from its newest row.
 */
import { CHECKPOINT_KIND } from "../core/metric-event.ts";
import type { CheckpointInLog } from "../outbox/outbox-log.ts";
import type { TextRow } from "./connection.ts";
import { faultOf } from "./failure.ts";
import { literal, type Outbox } from "./names.ts";
import { rowsBack } from "./newest-rows.ts";
import type { OutboxColumns } from "./outbox-columns.ts";

/** Checkpoints that the first statement reads by the index. */
const FIRST_PAGE = 4;
/** Outbox rows that one statement covers at most where the log is walked back. */
const LARGEST_PAGE = 32_000;
/** Bytes. Larger than any checkpoint of ours: 10,000 projects take 1.5 MB. */
const LARGEST_CHECKPOINT = 67_108_864;

const COLUMNS = "e.id::text AS row_id, e.payload->>'seq' AS seq";

/** Checkpoints with id ≤ upTo; unusable ones may be among them. From the first damaged one on, the log is walked back. */
export async function* checkpoints(
  outbox: Outbox,
  { workItemNullable, itemsIndexed }: OutboxColumns,
  upTo: bigint,
): AsyncGenerator<CheckpointInLog> {
  const asked = withoutValues(outbox);
  let last = upTo;
  if (workItemNullable && itemsIndexed) {
    try {
      for await (const found of byIndex(asked, upTo)) {
        yield found;
        last = BigInt(found.rowId) - 1n;
      }
      return;
    } catch (error) {
      if (outbox.unreadable === undefined || faultOf(error) !== "storage") throw error;
    }
  }
  const back = { kinds: [CHECKPOINT_KIND], upTo: last, columns: COLUMNS, largest: LARGEST_PAGE };
  for await (const row of rowsBack(asked, back)) yield* checkpointIn(row);
}

/** Newest first in the order of the index. IS NULL is not a constant to the planner, so all columns are in the order. */
async function* byIndex({ query, outbox }: Outbox, upTo: bigint): AsyncGenerator<CheckpointInLog> {
  for (let offset = 0, limit = FIRST_PAGE; ; offset += limit, limit *= 2) {
    const { rows } = await query(
      `SELECT ${COLUMNS} FROM ${outbox} e
        WHERE e.work_item_id IS NULL AND e.kind = '${CHECKPOINT_KIND}' AND e.id <= ${literal(upTo)}
        ORDER BY e.work_item_id DESC, e.kind DESC, e.created_at DESC LIMIT ${literal(limit)} OFFSET ${literal(offset)}`,
    );
    yield* rows.flatMap(checkpointIn);
    if (rows.length < limit) return;
  }
}

/** A checkpoint in a `json` column that `->>` cannot take in is not ours. Its statement finds nothing; restoring takes longer. */
function withoutValues(outbox: Outbox): Outbox {
  return {
    ...outbox,
    query: async (text) => {
      try {
        return await outbox.query(text);
      } catch (error) {
        if (faultOf(error) === "value") return { rows: [], command: "" };
        throw error;
      }
    },
  };
}

function checkpointIn(row: TextRow): CheckpointInLog[] {
  const seq = row["seq"] ?? "";
  return /^[0-9]{1,16}$/.test(seq) ? [{ rowId: row["row_id"] ?? "", seq: Number(seq) }] : [];
}

/** The payload of a checkpoint, as text; null where it is gone or absurdly large. */
export async function checkpoint({ query, outbox }: Outbox, rowId: string): Promise<string | null> {
  const { rows } = await query(
    `SELECT CASE WHEN pg_column_size(e.payload) <= ${literal(LARGEST_CHECKPOINT)} THEN e.payload::text END AS payload
       FROM ${outbox} e WHERE e.id = ${literal(rowId)}::bigint AND e.kind = '${CHECKPOINT_KIND}'`,
  );
  return rows[0]?.["payload"] ?? null;
}
