/**
 * No peer waits for a daemon that is stopped while it holds the writers' lock, and the orchestrator does not wait for a daemon
 * that waits for a row.
 */
import { describe, expect, it } from "vitest";
import { systemClock } from "../../src/clock.ts";
import { begin, type Connection, connect } from "../../src/postgres/connection.ts";
import { configOf, countRecorded, snapshotFromLog, startDaemon, untilRecorded } from "../support/daemon.ts";
import { spawnDaemon } from "../support/daemon-process.ts";
import { createDatabase, type TestDatabase } from "../support/database.ts";
import { violations } from "../support/oracle.ts";
import { hold, merge, merges, times, transitions } from "../support/orchestrator.ts";
import { findProgram } from "../support/programs.ts";
import { isAppend, startProxy } from "../support/proxy.ts";
import { startServer } from "../support/server.ts";
import { until } from "../support/until.ts";
import { LOCK_KEY } from "../support/writers-lock.ts";

const DEBIANS_15 = "/usr/lib/postgresql/15/bin";
const SERVERS: readonly (readonly [string, string | undefined])[] = [
  ["PostgreSQL of the other tests", process.env["TEST_PG_BIN"] || undefined],
  ["PostgreSQL 15", DEBIANS_15],
];

describe.each(SERVERS)("a daemon that is gone in the middle of a write, %s:", (_, binDir) => {
  const missing = binDir === DEBIANS_15 && findProgram(`${DEBIANS_15}/postgres`) === null;

  it.each(["stopped", "with its host"] as const)("%s, within a batch of 500 merges", async (how) => {
    if (missing) return console.log("skipped: Debian's postgresql-15 is not installed");
    await using server = await startServer({ binDir });
    await using database = await createDatabase({ adminUrl: server.url() });
    await merges(database.admin, times(1));
    await using proxy = await startProxy(database.daemonUrl);
    await using gone = spawnDaemon(proxy.url(database.daemonUrl), { METRICS_STATEMENT_TIMEOUT: "1s" });
    await gone.line("daemon.ready");
    let inWrite = false;
    proxy.onMessage = (message) => {
      if (!isAppend(message) || message.text.length < 20_000) return "pass";
      inWrite = true;
      if (how === "stopped") gone.signal("SIGSTOP");
      return "half";
    };
    await merges(database.admin, times(500));
    await until("it is in the middle of a write", () => inWrite);
    await using other = spawnDaemon(database.daemonUrl, { METRICS_STATEMENT_TIMEOUT: "1s" });
    await other.line("merge.recorded");
    await untilRecorded(database);
    expect(await violations(database.admin)).toEqual([]);
    await gone.kill();
  });

  it("whose answers are not taken, with the lock or without: its backend ends within its timeouts", async () => {
    if (missing) return console.log("skipped: Debian's postgresql-15 is not installed");
    await using server = await startServer({ binDir });
    await using database = await createDatabase({ adminUrl: server.url() });
    await using proxy = await startProxy(database.daemonUrl);
    const settings = {
      database: configOf(proxy.url(database.daemonUrl)).database,
      applicationName: "damascus-metrics/run:stalled",
      connectTimeoutMs: 5_000,
      statementTimeoutMs: 1_000,
      lockTimeoutMs: 1_000,
    };
    const MUCH = "SELECT repeat('x', 1000) FROM generate_series(1, 200000)";
    const locked = (connection: Connection) =>
      connection.run(`${begin(settings, "READ WRITE")}; SELECT pg_advisory_xact_lock(${LOCK_KEY}); ${MUCH}`);
    const reading = (connection: Connection) => connection.read(MUCH);
    expect(await stalled(database)).toBe(0);
    for (const stalls of [locked, reading]) {
      const connection = await connect(settings);
      proxy.onMessage = () => "stall";
      const answer = stalls(connection).catch(() => undefined);
      await until("it is on the server", async () => (await stalled(database)) === 1);
      await until("its backend is gone", async () => (await stalled(database)) === 0);
      connection.destroy();
      await answer;
      proxy.onMessage = () => "pass";
    }
  });
});

async function stalled(database: TestDatabase): Promise<number> {
  const { rows } = await database.admin.query<{ count: number }>(
    "SELECT count(*)::int FROM pg_stat_activity WHERE application_name = 'damascus-metrics/run:stalled' AND state = 'active'",
  );
  return rows[0]?.count ?? -1;
}

describe("where rows of the outbox refer to work items,", () => {
  const FOREIGN_KEY = "ALTER TABLE events_outbox ADD FOREIGN KEY (work_item_id) REFERENCES work_items";
  const NO_SEVEN =
    "ALTER TABLE events_outbox ADD CONSTRAINT no_seven CHECK (coalesce(payload->'merge'->>'attempts', '') <> '7')";

  it("one locked item keeps its own merge waiting and no other; it is recorded when it is free", async () => {
    await using database = await createDatabase();
    await database.admin.query(FOREIGN_KEY);
    await using daemon = startDaemon(database, { pollIntervalMs: 600_000 });
    await daemon.event("reconciliation.completed");
    await using busy = await hold(database);
    const ids = await merges(database.admin, times(125));
    const locked = ids[60];
    await busy.client.query("SELECT FROM work_items WHERE id = $1 FOR UPDATE", [locked?.itemId]);
    daemon.ring();
    const refused = await daemon.event("merge.refused");
    expect(refused).toMatchObject({ event_id: locked?.eventId, failure: { code: "55P03" } });
    await until("the others are recorded", async () => (await countRecorded(database)).due === 1);
    await busy.commit();
    await daemon.event("merge.recorded", (one) => one.event_id === locked?.eventId);
    await daemon.converged();
    expect(daemon.all("merge.refused")).toHaveLength(1);
    expect(daemon.all("db.disconnected")).toEqual([]);
    expect(await violations(database.admin)).toEqual([]);
  });

  it("the orchestrator is never the victim of a deadlock with us, and waits for less than 300 ms", async () => {
    await using database = await createDatabase();
    await database.admin.query(FOREIGN_KEY);
    await using daemon = startDaemon(database, { pollIntervalMs: 600_000 });
    await daemon.event("reconciliation.completed");
    const waited: number[] = [];
    for (let round = 0; round < 6; round += 1) {
      const { rows } = await database.admin.query<{ id: string }>(
        "INSERT INTO work_items (project, attempts) SELECT 'atlas', 1 FROM generate_series(1, 2) RETURNING id::text",
      );
      const [a, b] = rows.map(({ id }) => id);
      await transitions(database.admin, [b ?? "", a ?? ""]);
      await using orchestrator = await hold(database);
      await orchestrator.client.query("SELECT FROM work_items WHERE id = $1 FOR UPDATE", [a]);
      daemon.ring();
      await until("the daemon waits for the row", async () => {
        const waiting = await database.admin.query(
          "SELECT FROM pg_stat_activity WHERE usename = $1 AND wait_event_type = 'Lock' AND query LIKE '%INSERT%'",
          [database.role],
        );
        return waiting.rows.length > 0;
      });
      const begun = performance.now();
      await orchestrator.client.query("SELECT FROM work_items WHERE id = $1 FOR UPDATE", [b]);
      waited.push(performance.now() - begun);
      await orchestrator.commit();
      await daemon.converged();
    }
    expect(waited.filter((ms) => ms > 300)).toEqual([]);
    expect(await violations(database.admin)).toEqual([]);
  });

  it("a merge that the table refuses, by a foreign key or a check, stops no other and is tried again", async () => {
    await using database = await createDatabase();
    const gone = await merge(database.admin);
    await database.admin.query("DELETE FROM work_items WHERE id = $1", [gone.itemId]);
    await database.admin.query(`${FOREIGN_KEY} NOT VALID`);
    await database.admin.query(NO_SEVEN);
    const seven = await merge(database.admin, { attempts: 7 });
    await merges(database.admin, times(40));
    await using daemon = startDaemon(database);
    await until("the others are recorded", async () => (await countRecorded(database)).due === 2);
    await daemon.ready();
    const refused = daemon.all("merge.refused");
    expect(refused.map(({ event_id, failure }) => [event_id, failure.code])).toEqual([
      [seven.eventId, "23514"],
      [gone.eventId, "23503"],
    ]);
    // Also after a start that begins with a checkpoint, which knows of both.
    await daemon.stop();
    expect(await snapshotFromLog(database)).toMatchObject({ refused: { total: 2 }, lag: { merges: 2 } });
    await database.admin.query("ALTER TABLE events_outbox DROP CONSTRAINT no_seven");
    await using again = startDaemon(database);
    await again.event("merge.recorded", (one) => one.event_id === seven.eventId);
    expect(again.all("merge.refused").map(({ event_id }) => event_id)).toEqual([gone.eventId]);
    expect(await violations(database.admin, { unfinished: true })).toEqual([]);
  });

  it("where many work items were deleted, finding the refused merges among others takes few transactions", async () => {
    await using database = await createDatabase();
    await merges(database.admin, times(400));
    const { rowCount: deleted } = await database.admin.query("DELETE FROM work_items WHERE id % 10 = 0");
    await database.admin.query(`${FOREIGN_KEY} NOT VALID`);
    let appended = 0;
    await using daemon = startDaemon(database, {
      // On a slow machine the first retries would be due before all are found.
      clock: { ...systemClock, monotonic: () => 0 },
      wrap: (log) => ({
        ...log,
        append: (rows) => {
          appended += 1;
          return log.append(rows);
        },
      }),
    });
    await daemon.ready();
    expect(daemon.all("merge.refused")).toHaveLength(Number(deleted));
    expect((await countRecorded(database)).due).toBe(deleted);
    expect(appended).toBeLessThan(3 * Number(deleted));
  });

  it("a new merge does not wait until all refused merges are retried", async () => {
    await using database = await createDatabase();
    await database.admin.query(NO_SEVEN);
    await merges(database.admin, times(10, { attempts: 7 }));
    let now = 0;
    let attemptTakesMs = 0;
    let attempts = 0;
    let recordedAt: number | null = null;
    await using daemon = startDaemon(database, {
      clock: { ...systemClock, monotonic: () => now },
      wrap: (log) => ({
        ...log,
        append: async (rows) => {
          now += attemptTakesMs;
          attempts += 1;
          if (attempts === 1 && attemptTakesMs > 0) await merge(database.admin);
          const appended = await log.append(rows);
          recordedAt ??= attempts;
          return appended;
        },
      }),
    });
    await daemon.ready();
    expect(daemon.all("merge.refused")).toHaveLength(10);
    [now, attemptTakesMs, attempts] = [1_000, 60, 0];
    daemon.ring();
    await daemon.event("merge.recorded");
    // Two retries take longer than 100 ms; then comes the new merge.
    expect(recordedAt).toBe(3);
    await database.admin.query("ALTER TABLE events_outbox DROP CONSTRAINT no_seven");
    now += 60_000;
    await daemon.converged();
    expect(await violations(database.admin)).toEqual([]);
  });
});
