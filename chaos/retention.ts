/**
 * Retention: an administrator removes rows from the old end of the log. A merge that is visible and not recorded yet is
 * never removed, nor anything younger; one in an open transaction is not visible.
 */
import type pg from "pg";
import { current, LOCK_IN_ORDER, numberOf, partitionNames } from "./partitions.ts";
import type { Variant } from "./variant.ts";

/** @param chance from 0 up to 1. @returns how many rows went. */
export async function prune(admin: pg.ClientBase, variant: Variant, chance: number): Promise<number> {
  if (variant.retention === "none") return 0;
  await admin.query("BEGIN; SET LOCAL lock_timeout = '800ms'");
  try {
    const gone =
      variant.cut === "partition"
        ? await detachOldest(admin, variant)
        : await deleteOldest(admin, variant, chance);
    await admin.query("COMMIT");
    return gone;
  } catch (error) {
    await admin.query("ROLLBACK");
    throw error;
  }
}

/** Since when a transaction is open that may still write; a prepared one began some time before it was prepared. */
const OPEN_SINCE = `(SELECT least(min(xact_start), (SELECT min(prepared) - interval '15 seconds' FROM pg_prepared_xacts))
  FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid())`;

async function deleteOldest(admin: pg.ClientBase, variant: Variant, chance: number): Promise<number> {
  const column = variant.cut === "age" ? "created_at" : "id";
  const kept = variant.checkpoints === "kept";
  // Up to some checkpoint, which stays; or up to and with the newest one, and some of what came after it.
  const boundary = kept
    ? `SELECT ${column} AS bound FROM events_outbox WHERE kind = 'metric.checkpoint' ORDER BY id DESC OFFSET ${Math.floor(3 * chance ** 2)} LIMIT 1`
    : `SELECT e.${column} AS bound FROM events_outbox e,
        (SELECT id, created_at FROM events_outbox WHERE kind = 'metric.checkpoint' ORDER BY id DESC LIMIT 1) AS newest
        WHERE e.id > newest.id AND e.created_at > newest.created_at ORDER BY e.id OFFSET ${Math.floor(100 * chance)} LIMIT 1`;
  const open =
    column === "id" ? `(SELECT min(id) FROM events_outbox WHERE created_at >= ${OPEN_SINCE})` : OPEN_SINCE;
  // Retention that overtakes open transactions leaves what `metrics verify` cannot tell from invented records.
  const most = variant.readers === "yes" ? `boundary.bound, due.bound, ${open}` : "boundary.bound, due.bound";
  const { rows } = await admin.query<{ gone: number }>(
    `WITH boundary AS (${boundary}), due AS (SELECT min(${column}) AS bound FROM chaos.unrecorded WHERE NOT deleted),
     gone AS (
       DELETE FROM events_outbox WHERE ${column} < (SELECT least(${most}) FROM boundary, due)
         AND ${kept ? "true" : "(SELECT due.bound IS NULL OR due.bound > boundary.bound FROM boundary, due)"}
         AND ${variant.retention === "metrics" ? "kind LIKE 'metric.%'" : "true"} RETURNING id
     ), marked AS (INSERT INTO chaos.pruned (id) SELECT id FROM gone ON CONFLICT DO NOTHING)
     SELECT count(*)::int AS gone FROM gone`,
  );
  return rows[0]?.gone ?? 0;
}

async function detachOldest(admin: pg.ClientBase, { partitions }: Variant): Promise<number> {
  const [oldest] = await partitionNames(admin);
  if (partitions === "none" || oldest === undefined || numberOf(oldest) >= (await current(admin, partitions)))
    return 0;
  // Waits, shortly, for the transactions that have written to it.
  await admin.query(LOCK_IN_ORDER);
  // Another administrator may have been faster.
  if ((await partitionNames(admin))[0] !== oldest) return 0;
  await admin.query(`ALTER TABLE events_outbox DETACH PARTITION ${oldest}`);
  const { rows } = await admin.query<{ allowed: boolean }>(
    `SELECT EXISTS (SELECT FROM events_outbox WHERE kind = 'metric.checkpoint')
        AND NOT EXISTS (SELECT FROM ${oldest} JOIN chaos.unrecorded USING (id) WHERE NOT deleted) AS allowed`,
  );
  if (rows[0]?.allowed !== true) {
    await admin.query("ROLLBACK; BEGIN");
    return 0;
  }
  const marked = await admin.query(
    `INSERT INTO chaos.pruned (id) SELECT id FROM ${oldest} ON CONFLICT DO NOTHING`,
  );
  await admin.query(`DROP TABLE ${oldest}`);
  return marked.rowCount ?? 0;
}
