/** A connection that is lost is known at once, whichever of ours it is and however rarely the daemon looks. */
import { expect, it } from "vitest";
import { startDaemon, type TestDaemon } from "../support/daemon.ts";
import { spawnDaemon } from "../support/daemon-process.ts";
import { createDatabase, type TestDatabase } from "../support/database.ts";
import { merge } from "../support/orchestrator.ts";
import { startProxy } from "../support/proxy.ts";
import { expectRight } from "../support/right.ts";
import { startServer } from "../support/server.ts";
import { until } from "../support/until.ts";

/** Longer than any of these tests: nothing is found by polling. */
const NEVER_MS = 600_000;
/** The wish is a second; this machine is shared. */
const AT_ONCE_MS = 1_000;

const idle = async (daemon: TestDaemon): Promise<void> => {
  await daemon.event("listen.connected");
  await daemon.event("reconciliation.completed");
};

/**
 * Ends the only backend of our role whose last statement is like this, when it is idle: what was heard may still cause
 * a poll, and a connection just opened has not listened yet. @returns when.
 */
async function terminate(database: TestDatabase, statement: string): Promise<number> {
  await until("it alone is idle", async () => {
    const { rowCount } = await database.admin.query(
      `WITH ours AS (
         SELECT pid, state, (query ~ '^(UN)?LISTEN|^NOTIFY') = ($2 = 'listener') AS meant FROM pg_stat_activity WHERE usename = $1
       )
       SELECT pg_terminate_backend(pid) FROM ours
        WHERE meant AND state = 'idle' AND (SELECT count(*) FROM ours WHERE meant) = 1`,
      [database.role, statement],
    );
    return rowCount === 1;
  });
  return performance.now();
}

/** How often each of these was told since `mark`. */
const told = (daemon: TestDaemon, mark: number, ...names: readonly string[]): readonly string[] =>
  daemon.events.slice(mark).flatMap(({ event }) => (names.includes(event) ? [event] : []));

it("the writer's, ended while it is idle: reported once, at once, with the server's reason, and connected again", async () => {
  await using database = await createDatabase();
  await using daemon = startDaemon(database, { listens: true, pollIntervalMs: NEVER_MS });
  await idle(daemon);
  const mark = daemon.mark();
  const endedAt = await terminate(database, "writer");
  const { failure } = await daemon.event("db.disconnected", undefined, mark);
  expect(performance.now() - endedAt).toBeLessThan(AT_ONCE_MS);
  expect(failure.code).toBe("57P01");
  await daemon.event("restore.completed", undefined, mark);
  expect(told(daemon, mark, "db.disconnected", "listen.lost")).toEqual(["db.disconnected"]);
  await merge(database.admin);
  daemon.ring();
  await expectRight(database, daemon);
});

it("the listener's, ended while it is idle: reported once, at once, with the server's reason, and listening again", async () => {
  await using database = await createDatabase();
  let looks = 0;
  await using daemon = startDaemon(database, {
    listens: true,
    pollIntervalMs: NEVER_MS,
    selfCheck: { everyMs: NEVER_MS, withinMs: 1_000 },
    backoff: { firstMs: 5_000, capMs: 5_000 },
    wrap: (log) => ({ ...log, poll: (...of) => ((looks += 1), log.poll(...of)) }),
  });
  await idle(daemon);
  const [mark, looked] = [daemon.mark(), looks];
  const endedAt = await terminate(database, "listener");
  const { failure } = await daemon.event("listen.lost", undefined, mark);
  expect(performance.now() - endedAt).toBeLessThan(AT_ONCE_MS);
  expect(failure.code).toBe("57P01");
  await until("a look at the database", () => looks > looked);
  await daemon.event("listen.connected", undefined, mark);
  expect(told(daemon, mark, "db.disconnected", "listen.lost")).toEqual(["listen.lost"]);
});

it("both, as the server restarts: one line of each, at once, and not ready meanwhile", async () => {
  await using server = await startServer();
  await using database = await createDatabase({ adminUrl: server.url() });
  await using daemon = spawnDaemon(database.daemonUrl, {
    METRICS_POLL_INTERVAL: "30s",
    METRICS_HTTP_ENABLED: "true",
    METRICS_HTTP_PORT: "0",
  });
  const { address } = await daemon.line("http.listening");
  const readiness = async (): Promise<number> => (await fetch(`${String(address)}/readyz`)).status;
  await daemon.line("listen.connected");
  await daemon.line("reconciliation.completed");
  expect(await readiness()).toBe(200);
  const mark = daemon.mark();
  await server.stop("fast");
  const stoppedAt = performance.now();
  for (const event of ["db.disconnected", "listen.lost"]) {
    const line = await daemon.line(event, undefined, mark);
    expect((line["failure"] as { code: string }).code).toBe("57P01");
  }
  expect(performance.now() - stoppedAt).toBeLessThan(AT_ONCE_MS);
  expect(await readiness()).toBe(503);
  await server.start();
  await daemon.line("restore.completed", undefined, mark);
  await daemon.line("listen.connected", undefined, mark);
  await merge(database.admin);
  const lost = daemon.lines.slice(mark).filter(({ event }) => event === "listen.lost");
  expect(lost).toHaveLength(1);
  expect(await daemon.stop()).toBe(0);
});

it("all of them, by a network that swallows everything: found by the listener's check, and the database is looked at", async () => {
  await using database = await createDatabase();
  await using proxy = await startProxy(database.daemonUrl);
  await using daemon = startDaemon(database, {
    url: proxy.url(database.daemonUrl),
    listens: true,
    pollIntervalMs: NEVER_MS,
    selfCheck: { everyMs: 100, withinMs: 200 },
    statementTimeoutMs: 100,
    connectTimeoutMs: 200,
  });
  await idle(daemon);
  const mark = daemon.mark();
  proxy.mode = "blackhole";
  await until("the listener gave up", () => told(daemon, mark, "listen.lost", "listen.degraded").length > 0);
  const { failure } = await daemon.event("db.disconnected", undefined, mark);
  expect(failure.code).toBe("ANSWER_TIMEOUT");
  proxy.mode = "cut";
  proxy.mode = "pass";
  await daemon.event("restore.completed", undefined, mark);
  await merge(database.admin);
  daemon.ring();
  await expectRight(database, daemon);
});
