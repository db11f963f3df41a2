/** Storage that is really damaged: a row whose large value has lost its parts, so that reading it fails with XX001. */
import type { TestDatabase } from "./database.ts";
import { until } from "./until.ts";

/** Makes the payload of this row large, and takes its parts away behind the server's back. */
export async function damage(database: TestDatabase, rowId: string): Promise<void> {
  const client = await database.admin.connect();
  try {
    const { rows } = await client.query<{ parts: string }>(
      "SELECT reltoastrelid::regclass::text AS parts FROM pg_class WHERE oid = 'events_outbox'::regclass",
    );
    const parts = rows[0]?.parts ?? "";
    const before = await client.query<{ chunk_id: string }>(`SELECT DISTINCT chunk_id::text FROM ${parts}`);
    await client.query(
      `UPDATE events_outbox SET payload = payload || jsonb_build_object('padding',
         (SELECT string_agg(md5(random()::text), '') FROM generate_series(1, 500))) WHERE id = $1`,
      [rowId],
    );
    // A table of parts takes no statement that changes it, so for one transaction it is an ordinary table.
    const relkind = (kind: string) =>
      client.query("UPDATE pg_class SET relkind = $1 WHERE oid = $2::regclass", [kind, parts]);
    await client.query("BEGIN; SET LOCAL allow_system_table_mods = on");
    await relkind("r");
    const deleted = await client.query(`DELETE FROM ${parts} WHERE chunk_id::text <> ALL ($1)`, [
      before.rows.map(({ chunk_id: chunk }) => chunk),
    ]);
    await relkind("t");
    await client.query("COMMIT");
    if (deleted.rowCount === 0) throw new Error("the value was not stored in parts");
    // A value is put together without a look at deletions: its parts are gone when their room is. VACUUM leaves out
    // a page that the server is just writing to disk (FREEZE waits for it), and rows that an open snapshot still sees.
    await until("the value has lost all its parts", async () => {
      await client.query(`VACUUM (FREEZE) ${parts}`);
      const why = await client.query("SELECT payload::text FROM events_outbox WHERE id = $1", [rowId]).then(
        () => "",
        (error: unknown) => String(error),
      );
      return why.includes("missing chunk number 0 ");
    });
  } finally {
    client.release();
  }
}
