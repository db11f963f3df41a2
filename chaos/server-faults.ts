/** Faults of the server: caused by a well-meaning administrator, or by chance. */
import { setTimeout as delay } from "node:timers/promises";
import type pg from "pg";
import type { Database } from "../demo/database.ts";
import { withClient } from "../demo/with-client.ts";
import { administer } from "./administrator.ts";
import { FORGET_ABOVE } from "./ledger.ts";
import { endPrepared } from "./load.ts";
import type { ServerFault } from "./plan.ts";

const ROLE = "damascus_metrics";
const REWINDS_AT_MOST = 80;

/** Merges whose rows a rewind took: as `event|work item`. */
export type Forgiven = Set<string>;

/** @param chance from 0 up to 1, the same for the same seed. */
export async function strikeServer(
  database: Database,
  kind: ServerFault,
  forMs: number,
  chance: number,
  forgiven: Forgiven,
): Promise<void> {
  switch (kind) {
    case "server crash":
      await database.server.stop("immediate");
      await delay(forMs);
      await database.server.start();
      return;
    case "backend killed":
      return administer(database.ownerUrl, async (admin) => {
        await admin.query(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1 ORDER BY pid
           OFFSET floor($2::float8 * (SELECT count(*) FROM pg_stat_activity WHERE usename = $1)) LIMIT 1`,
          [ROLE, chance],
        );
      });
    case "table locked":
      return administer(database.ownerUrl, async (admin) => {
        await admin.query("BEGIN; SET LOCAL lock_timeout = '500ms'");
        await admin.query(chance < 0.5 ? "LOCK TABLE events_outbox" : "LOCK TABLE work_items");
        await admin.query(CHANGES[Math.floor(chance * CHANGES.length)] ?? "");
        await delay(forMs);
        await admin.query("COMMIT");
      });
    case "table rewritten":
      return administer(database.ownerUrl, async (admin) => {
        await admin.query("SET lock_timeout = '1s'");
        await admin.query(REWRITES[Math.floor(chance * REWRITES.length)] ?? "");
      });
    case "rewind":
      return administer(database.ownerUrl, (admin) =>
        alone(database, admin, () => rewind(admin, chance, forgiven)),
      );
  }
}

const CHANGES = [
  "ALTER TABLE events_outbox ADD COLUMN IF NOT EXISTS trace text",
  "ALTER TABLE events_outbox DROP COLUMN IF EXISTS trace",
  "ALTER TABLE work_items ALTER attempts TYPE bigint",
  "ALTER TABLE work_items ALTER attempts TYPE integer",
];
const REWRITES = [
  "VACUUM FULL events_outbox",
  "VACUUM FREEZE events_outbox",
  "CLUSTER events_outbox USING events_outbox_pkey",
  "REINDEX TABLE events_outbox",
];

/** Everybody else is sent away and kept out meanwhile, as by a server that is gone. */
async function alone(database: Database, admin: pg.Client, deed: () => Promise<void>): Promise<void> {
  const { rows } = await admin.query<{ name: string }>("SELECT current_database() AS name");
  const name = rows[0]?.name ?? "";
  // Of a database one is connected to connections cannot be refused.
  const elsewhere = new URL(database.ownerUrl);
  elsewhere.pathname = "/postgres";
  await withClient(elsewhere.href, async (porter) => {
    await porter.query(`ALTER DATABASE ${name} ALLOW_CONNECTIONS false`);
    try {
      await emptied(admin);
      await deed();
    } finally {
      await porter.query(`ALTER DATABASE ${name} ALLOW_CONNECTIONS true`);
    }
  });
}

/** As a failover does that loses the newest commits: rows are gone, and their ids come again. */
async function rewind(admin: pg.Client, chance: number, forgiven: Forgiven): Promise<void> {
  await endPrepared(admin, "ROLLBACK");
  await admin.query("BEGIN");
  const { rows } = await admin.query<{ newest: string }>("SELECT max(id)::text AS newest FROM events_outbox");
  const wish = BigInt(rows[0]?.newest ?? 0) - BigInt(1 + Math.floor(REWINDS_AT_MOST * chance));
  const cut = await betweenTransactions(admin, wish < 1n ? 1n : wish);
  if (!(await leavesCheckpoint(admin, cut))) {
    await admin.query("ROLLBACK");
    return;
  }
  const { rows: lost } = await admin.query<{ told: string | null }>(
    `DELETE FROM events_outbox WHERE id > $1
     RETURNING (payload->'merge'->>'event_id') || '|' || (payload->'merge'->>'work_item_id') AS told`,
    [String(cut)],
  );
  for (const { told } of lost) if (told !== null) forgiven.add(told);
  await admin.query(FORGET_ABOVE, [String(cut)]);
  await admin.query("DELETE FROM chaos.pruned WHERE id > $1", [String(cut)]);
  await admin.query("SELECT setval(pg_get_serial_sequence('events_outbox', 'id'), $1)", [String(cut)]);
  await admin.query("COMMIT");
}

/** A pruned log that loses its last checkpoint as well would be another fault. */
async function leavesCheckpoint(admin: pg.Client, cut: bigint): Promise<boolean> {
  const { rows } = await admin.query<{ leaves: boolean }>(
    `SELECT NOT EXISTS (SELECT FROM chaos.pruned)
         OR EXISTS (SELECT FROM events_outbox WHERE kind = 'metric.checkpoint' AND id <= $1) AS leaves`,
    [String(cut)],
  );
  return rows[0]?.leaves === true;
}

/** A failover loses whole transactions. */
async function betweenTransactions(admin: pg.Client, wish: bigint): Promise<bigint> {
  for (let cut = wish; ; ) {
    const { rows } = await admin.query<{ first: string | null }>(
      `SELECT min(first)::text AS first FROM (
         SELECT min(id) AS first, max(id) AS last FROM events_outbox WHERE kind LIKE 'metric.%' GROUP BY xmin::text
       ) AS written WHERE first <= $1 AND last > $1`,
      [String(cut)],
    );
    const first = rows[0]?.first ?? null;
    if (first === null) return cut;
    cut = BigInt(first) - 1n;
  }
}

/**
 * A session that is beginning passes the gate before it is among the activities, but holds a lock on its database until
 * it is: so the locks are looked at first.
 */
async function emptied(admin: pg.Client): Promise<void> {
  for (let others = 1; others > 0; ) {
    const { rows: beginning } = await admin.query<{ others: number }>(
      `SELECT count(*)::int AS others FROM pg_locks WHERE locktype = 'object' AND classid = 'pg_database'::regclass
          AND objid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND pid <> pg_backend_pid()`,
    );
    const { rows } = await admin.query<{ others: number }>(
      `SELECT count(pg_terminate_backend(pid))::int AS others FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'`,
    );
    others = (beginning[0]?.others ?? 0) + (rows[0]?.others ?? 0);
    await delay(5);
  }
}
