/** Our role's connections, from the server's side. */
import type { TestDatabase } from "./database.ts";

export async function backends(database: TestDatabase): Promise<number> {
  const { rows } = await database.admin.query<{ count: number }>(
    "SELECT count(*)::int FROM pg_stat_activity WHERE usename = $1",
    [database.role],
  );
  return rows[0]?.count ?? -1;
}

/** Ends all of them. @param by a connection as superuser. */
export async function sendAway(
  database: TestDatabase,
  by: Pick<TestDatabase["admin"], "query"> = database.admin,
): Promise<void> {
  await by.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1", [
    database.role,
  ]);
}
