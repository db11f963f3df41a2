/** The orchestrator's tables as the run's variant has them. */
import { readFileSync } from "node:fs";
import type pg from "pg";
import { widenAhead } from "./partitions.ts";
import type { Variant } from "./variant.ts";

/** Work items that were deleted before the foreign key came, their merges unrecorded. */
const DELETED_BEFORE = 3;

/** Changes the shipped tables, which are still empty. */
export async function makeVariant(admin: pg.ClientBase, variant: Variant): Promise<void> {
  if (variant.partitions !== "none") {
    await admin.query(partitioned(variant.partitions));
    await admin.query(readFileSync(new URL("../config/grants.sql", import.meta.url), "utf8"));
    await widenAhead(admin, variant.partitions);
  }
  const reference = `ALTER TABLE events_outbox ADD CONSTRAINT events_outbox_work_item
    FOREIGN KEY (work_item_id) REFERENCES work_items (id)`;
  if (variant.foreignKey === "plain") await admin.query(reference);
  if (variant.foreignKey === "set-null") await admin.query(`${reference} ON DELETE SET NULL`);
  if (variant.foreignKey === "not-valid") {
    // PostgreSQL 15 has no NOT VALID for partitioned tables; what later rows meet is the same.
    await admin.query(variant.partitions === "none" ? `${reference} NOT VALID` : reference);
    for (let count = 0; count < DELETED_BEFORE; count += 1) await mergeDeleted(admin);
  }
}

/** A merge whose work item is deleted in the same transaction, past the foreign key. */
export async function mergeDeleted(client: pg.ClientBase): Promise<void> {
  await client.query(
    `BEGIN;
     SET LOCAL session_replication_role = replica;
     WITH item AS (INSERT INTO work_items (project, attempts) VALUES ('atlas', 1) RETURNING id)
     INSERT INTO events_outbox (kind, work_item_id, payload) SELECT 'phase.transition', id, '{"target": "merged"}' FROM item;
     DELETE FROM work_items WHERE id = currval(pg_get_serial_sequence('work_items', 'id'));
     COMMIT`,
  );
}

function partitioned(by: "id" | "age"): string {
  const key = by === "id" ? "id" : "created_at, id";
  return `
    DROP TABLE events_outbox;
    CREATE TABLE events_outbox (
      id bigserial, kind text NOT NULL, work_item_id bigint, payload jsonb NOT NULL DEFAULT '{}',
      created_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (${key})
    ) PARTITION BY RANGE (${by === "id" ? "id" : "created_at"});
    CREATE INDEX ON events_outbox (work_item_id, kind, created_at);
    ${by === "id" ? "" : "CREATE INDEX ON events_outbox (id);"}`;
}
