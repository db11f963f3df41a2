/** The log went back in time together with the connection: said with what was lost, and counted from what is there. */
import { expect, it } from "vitest";
import { startDaemon } from "../support/daemon.ts";
import { createDatabase, type TestDatabase } from "../support/database.ts";
import { merges, REWORKED, times } from "../support/orchestrator.ts";
import { expectRight } from "../support/right.ts";
import { startServer } from "../support/server.ts";

const NEWEST_THREE =
  "kind LIKE 'metric.%' AND (payload->'merge'->>'event_id')::bigint IN (SELECT id FROM events_outbox WHERE kind = 'phase.transition' ORDER BY id DESC LIMIT 3)";

/** Every connection of the daemon's ends, and the next one sees the table as the change left it. */
async function setBack(database: TestDatabase, change: string): Promise<void> {
  await database.admin.query(
    `BEGIN; LOCK TABLE events_outbox IN ACCESS EXCLUSIVE MODE; ${change}; SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = '${database.role}'; COMMIT`,
  );
}

it.each([
  ["truncated", "TRUNCATE events_outbox, work_items RESTART IDENTITY", { seq_now: 0, lost: 20 }],
  [
    "restored to an earlier moment",
    `DELETE FROM events_outbox WHERE ${NEWEST_THREE}; DELETE FROM events_outbox WHERE kind = 'metric.checkpoint'`,
    { seq_now: 17, lost: 3 },
  ],
  [
    "renamed, with another in its place",
    `ALTER TABLE events_outbox RENAME TO old_outbox; CREATE TABLE events_outbox (LIKE old_outbox INCLUDING ALL);
     GRANT SELECT, INSERT (kind, work_item_id, payload) ON events_outbox TO $role;
     ALTER SEQUENCE events_outbox_id_seq OWNED BY events_outbox.id`,
    { seq_now: 0, lost: 20 },
  ],
  ["whole, and no word is said", "SELECT 1", null],
] as const)("a log %s while the connection is lost", async (_, change, lost) => {
  await using database = await createDatabase();
  await using daemon = startDaemon(database);
  await merges(database.admin, times(20));
  await daemon.converged();
  const { rows } = await database.admin.query<{ id: string }>(
    "SELECT max(id)::text AS id FROM events_outbox WHERE kind LIKE 'metric.%'",
  );
  const mark = daemon.mark();
  await setBack(database, change.replaceAll("$role", database.role));
  await daemon.event("restore.completed", undefined, mark);
  await merges(database.admin, times(5, REWORKED));
  await expectRight(database, daemon);
  expect(daemon.all("history.reset")).toEqual(
    lost === null ? [] : [{ event: "history.reset", row_id: rows[0]?.id, seq_before: 20, ...lost }],
  );
});

it("a log that is gone while the connection stays: the same fields, and what is there now is not known yet", async () => {
  await using database = await createDatabase();
  await using daemon = startDaemon(database);
  await merges(database.admin, times(20));
  await daemon.converged();
  await database.admin.query("TRUNCATE events_outbox, work_items RESTART IDENTITY");
  expect(await daemon.event("history.reset")).toMatchObject({ seq_before: 20, seq_now: null, lost: null });
  await merges(database.admin, times(5));
  await expectRight(database, daemon);
  expect(daemon.all("history.reset")).toHaveLength(1);
});

it("an UNLOGGED outbox is warned of, and emptied by a crash of the server it says what was lost", async () => {
  await using server = await startServer();
  await using database = await createDatabase({ adminUrl: server.url() });
  await database.admin.query("ALTER TABLE events_outbox SET UNLOGGED");
  await using daemon = startDaemon(database);
  expect(await daemon.event("db.warning")).toMatchObject({
    warning: expect.stringMatching(/is UNLOGGED: .*ALTER TABLE public\.events_outbox SET LOGGED/),
  });
  await merges(database.admin, times(20));
  await daemon.converged();
  await server.stop("immediate");
  await server.start();
  expect(await daemon.event("history.reset")).toMatchObject({ seq_before: 20, seq_now: 0, lost: 20 });
});
