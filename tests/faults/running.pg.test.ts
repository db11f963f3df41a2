/** The server and others at work around a daemon that runs: it waits, reconnects by itself, and blocks no other. */
import { describe, expect, it } from "vitest";
import { sendAway } from "../support/backends.ts";
import { barrier } from "../support/barrier.ts";
import { countRecorded, startDaemon } from "../support/daemon.ts";
import { createDatabase } from "../support/database.ts";
import { hold, merge, merges, notify, times } from "../support/orchestrator.ts";
import { expectRight } from "../support/right.ts";
import { startServer } from "../support/server.ts";
import { until } from "../support/until.ts";
import { stopsBeforeCommit, stopsBeforeLook } from "../support/writer-gate.ts";
import { LOCK_KEY } from "../support/writers-lock.ts";

describe("the server", () => {
  it.each(["fast", "immediate"] as const)(
    "restarted again and again (%s): reconnects, restores, continues",
    async (mode) => {
      await using server = await startServer();
      await using database = await createDatabase({ adminUrl: server.url() });
      await using daemon = startDaemon(database, { listens: true });
      await daemon.event("listen.connected");
      for (let round = 0; round < 3; round += 1) {
        await merges(database.admin, times(20));
        const mark = daemon.mark();
        await server.restart(mode);
        await daemon.event("restore.completed", undefined, mark);
        await daemon.event("listen.connected", undefined, mark);
      }
      await merge(database.admin);
      await expectRight(database, daemon);
      expect(daemon.memory()?.as_of.seq).toBe(61);
    },
  );

  it("terminates single backends: nothing is lost", async () => {
    await using database = await createDatabase();
    await using daemon = startDaemon(database);
    await daemon.ready();
    for (let round = 0; round < 5; round += 1) {
      const mark = daemon.mark();
      await merge(database.admin);
      await sendAway(database);
      await daemon.event("restore.completed", undefined, mark);
    }
    await expectRight(database, daemon);
    expect(daemon.all("db.disconnected")).toHaveLength(5);
  });
});

describe("locks", () => {
  it("the writers' lock held by another program: its name is reported, and merges are recorded after its release", async () => {
    await using database = await createDatabase();
    await using daemon = startDaemon(database, { lockTimeoutMs: 100 });
    await daemon.ready();
    await using stranger = await hold(database);
    await stranger.client.query("SET LOCAL application_name = 'stranger'");
    const { rows } = await stranger.client.query<{ pid: number }>(
      `SELECT pg_backend_pid() AS pid, pg_advisory_xact_lock(${LOCK_KEY})`,
    );
    await merge(database.admin);
    expect(await daemon.event("writer.blocked")).toMatchObject({
      holders: [{ pid: rows[0]?.pid, application: "stranger", role: new URL(database.url).username }],
    });
    await stranger.rollback();
    await expectRight(database, daemon);
  });

  it("work items rewritten while a look waits for them: the merge is recorded with its facts, not as one without an item", async () => {
    await using database = await createDatabase();
    const gate = barrier();
    let armed = false;
    await using daemon = startDaemon(database, {
      lockTimeoutMs: 60_000,
      statementTimeoutMs: 60_000,
      wrap: stopsBeforeLook(gate.wait, () => armed),
    });
    await merge(database.admin);
    await daemon.converged();
    armed = true;
    await merge(database.admin);
    daemon.ring();
    await gate.reached;
    await using migration = await hold(database);
    await migration.client.query("ALTER TABLE work_items ALTER attempts TYPE bigint");
    gate.open();
    await until("the look waits for the table", async () => {
      const { rows } = await database.admin.query(
        "SELECT FROM pg_locks WHERE locktype = 'relation' AND NOT granted AND relation = 'work_items'::regclass",
      );
      return rows.length > 0;
    });
    await migration.commit();
    await expectRight(database, daemon);
    expect(daemon.all("merge.skipped")).toEqual([]);
  });

  it("the table locked exclusively, then changed: the daemon waits and continues", async () => {
    await using database = await createDatabase();
    await using daemon = startDaemon(database, { lockTimeoutMs: 100 });
    await merges(database.admin, times(5));
    await daemon.converged();
    await using migration = await hold(database);
    await migration.client.query("ALTER TABLE events_outbox ADD COLUMN trace text");
    await migration.client.query("ALTER TABLE work_items ALTER attempts TYPE bigint");
    await daemon.event("db.disconnected");
    await migration.commit();
    await merge(database.admin);
    await database.admin.query("VACUUM FULL events_outbox");
    await database.admin.query("VACUUM FREEZE events_outbox");
    await merge(database.admin);
    await expectRight(database, daemon);
    expect(daemon.memory()).toMatchObject({ as_of: { seq: 7 } });
  });

  it("of the daemon block no other: with a write under way the orchestrator inserts, changes, deletes and notifies", async () => {
    await using database = await createDatabase();
    const gate = barrier();
    await using daemon = startDaemon(database, { wrap: stopsBeforeCommit(gate.wait) });
    await merge(database.admin);
    await gate.reached;
    await using other = await hold(database);
    await other.client.query("SET LOCAL lock_timeout = '100ms'");
    await merge(other.client);
    await other.client.query("UPDATE work_items SET attempts = attempts");
    await other.client.query("UPDATE events_outbox SET kind = kind WHERE kind = 'phase.transition'");
    await other.client.query("DELETE FROM events_outbox WHERE kind = 'nothing'");
    await notify(other.client);
    await other.commit();
    expect(await countRecorded(database)).toMatchObject({ seq: 0 });
    gate.open();
    await expectRight(database, daemon);
  });

  it("privileges revoked while it runs: nothing is written, the reason is reported, and it is ready again after they are granted", async () => {
    await using database = await createDatabase();
    await using daemon = startDaemon(database);
    await merge(database.admin);
    await daemon.converged();
    await database.admin.query(`REVOKE INSERT (payload) ON events_outbox FROM ${database.role}`);
    await merge(database.admin);
    expect(await daemon.event("db.unfit")).toMatchObject({
      reason: "unfit_schema",
      problems: [expect.stringContaining("no INSERT on public.events_outbox (payload)")],
    });
    await database.admin.query(`GRANT INSERT (payload) ON events_outbox TO ${database.role}`);
    await expectRight(database, daemon);
  });
});
