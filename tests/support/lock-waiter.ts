/** Whether somebody waits for the writers' lock: in this database, as others on the same server have their own. */
import type { TestDatabase } from "./database.ts";

export async function waitsForLock(database: TestDatabase): Promise<boolean> {
  const { rows } = await database.admin.query(
    `SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
  );
  return rows.length > 0;
}
