/** The writers' lock as a stranger on the server sees it. */
import type { TestDatabase } from "./database.ts";

/** Its key, computed by the server from the name of the table. */
export const LOCK_KEY = `('x' || left(encode(sha256('damascus-metrics:public.events_outbox'), 'hex'), 16))::bit(64)::bigint`;

/** Whether a backend waits for it: in this database, as others on the same server have their own. */
export async function waitsForLock(database: TestDatabase): Promise<boolean> {
  const { rows } = await database.admin.query(
    `SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
  );
  return rows.length > 0;
}
