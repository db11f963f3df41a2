/** The real command: killed, paused, stopped at any moment, several at once, and refusing in the operator's words. */
import { describe, expect, it } from "vitest";
import { backends } from "../support/backends.ts";
import { countRecorded, untilRecorded } from "../support/daemon.ts";
import { spawnDaemon } from "../support/daemon-process.ts";
import { createDatabase } from "../support/database.ts";
import { violations } from "../support/oracle.ts";
import { hold, merge, merges, times } from "../support/orchestrator.ts";
import { isAppend, startProxy } from "../support/proxy.ts";
import { startServer } from "../support/server.ts";
import { until } from "../support/until.ts";
import { LOCK_KEY, waitsForLock } from "../support/writers-lock.ts";

it("killed again and again while it records: each merge once", async () => {
  await using database = await createDatabase();
  const stop = new AbortController();
  const stream = (async () => {
    while (!stop.signal.aborted) await merge(database.admin);
  })();
  for (let round = 0; round < 4; round += 1) {
    await using daemon = spawnDaemon(database.daemonUrl);
    await daemon.line("merge.recorded", () => daemon.lines.length > 10 * (round + 1));
    await daemon.kill();
  }
  stop.abort();
  await stream;
  await using daemon = spawnDaemon(database.daemonUrl);
  await daemon.line("daemon.ready");
  await untilRecorded(database);
  expect(await violations(database.admin)).toEqual([]);
  expect(await daemon.stop()).toBe(0);
});

it("three processes at once: each merge once, none gives up, and all stop in good order", async () => {
  await using database = await createDatabase();
  await merges(database.admin, times(300));
  const daemons = [1, 2, 3].map(() => spawnDaemon(database.daemonUrl));
  try {
    await Promise.all(daemons.map((daemon) => daemon.line("daemon.ready")));
    for (let count = 0; count < 30; count += 1) await merge(database.admin);
    await untilRecorded(database);
    expect(await Promise.all(daemons.map((daemon) => daemon.stop()))).toEqual([0, 0, 0]);
    expect(
      daemons.flatMap(({ lines }) => lines.filter(({ event }) => event === "merge.recorded")),
    ).toHaveLength(330);
    expect(daemons.flatMap(({ lines }) => lines.filter(({ event }) => event === "db.disconnected"))).toEqual(
      [],
    );
    expect(await violations(database.admin)).toEqual([]);
    expect(await backends(database)).toBe(0);
  } finally {
    await Promise.all(daemons.map((daemon) => daemon.kill()));
  }
});

it("paused while it holds the lock, it delays no peer for long, and writes nothing stale when it resumes", async () => {
  await using database = await createDatabase();
  await using proxy = await startProxy(database.daemonUrl);
  await using paused = spawnDaemon(proxy.url(database.daemonUrl), { METRICS_STATEMENT_TIMEOUT: "500ms" });
  await paused.line("daemon.ready");
  let inTransaction = false;
  proxy.onMessage = (message) => {
    if (!inTransaction && isAppend(message)) {
      inTransaction = true;
      paused.signal("SIGSTOP");
    }
    return "pass";
  };
  await merge(database.admin);
  await until("it stands still", () => inTransaction);
  await using other = spawnDaemon(database.daemonUrl);
  await other.line("merge.recorded");
  const mark = paused.mark();
  paused.signal("SIGCONT");
  await paused.line("restore.completed", undefined, mark);
  await merge(database.admin);
  await untilRecorded(database);
  expect(await violations(database.admin)).toEqual([]);
  expect(await paused.stop()).toBe(0);
});

describe("asked to stop, it leaves no backend and exits with 0:", () => {
  it.each(["SIGTERM", "SIGINT"] as const)("%s while it waits for merges, asked twice", async (signal) => {
    await using database = await createDatabase();
    await using daemon = spawnDaemon(database.daemonUrl);
    await daemon.line("listen.connected");
    await daemon.line("daemon.ready");
    daemon.signal(signal);
    daemon.signal(signal);
    expect(await daemon.exit).toBe(0);
    expect(daemon.lines.at(-1)).toMatchObject({ event: "shutdown.completed" });
    await until("no backend is left", async () => (await backends(database)) === 0);
  });

  it("while the database is down", async () => {
    await using daemon = spawnDaemon("postgres://nobody@127.0.0.1:1/nothing");
    await daemon.line("db.connect_failed");
    expect(await daemon.stop()).toBe(0);
  });

  it("while it waits for the writers' lock", async () => {
    await using database = await createDatabase();
    // The lock itself would be waited for longer than this test takes.
    await using daemon = spawnDaemon(database.daemonUrl, {
      METRICS_SHUTDOWN_TIMEOUT: "1s",
      METRICS_LOCK_TIMEOUT: "10m",
      METRICS_STATEMENT_TIMEOUT: "10m",
    });
    await daemon.line("daemon.ready");
    await using stranger = await hold(database);
    await stranger.client.query(`SELECT pg_advisory_xact_lock(${LOCK_KEY})`);
    await merge(database.admin);
    await until("it waits", () => waitsForLock(database));
    expect(await daemon.stop()).toBe(0);
    await stranger.rollback();
    await until("no backend is left", async () => (await backends(database)) === 0);
  });

  it("in the middle of a backlog: what it began is whole, the rest waits for the next", async () => {
    await using database = await createDatabase();
    await merges(database.admin, times(3_000));
    await using proxy = await startProxy(database.daemonUrl);
    await using daemon = spawnDaemon(proxy.url(database.daemonUrl));
    let writes = 0;
    proxy.onMessage = (message) => {
      if (isAppend(message)) writes += 1;
      if (writes === 2) daemon.signal("SIGTERM");
      return "pass";
    };
    expect(await daemon.exit).toBe(0);
    const { due, seq } = await countRecorded(database);
    expect(seq).toBeGreaterThan(0);
    expect(due).toBeGreaterThan(0);
    expect(await violations(database.admin, { unfinished: true })).toEqual([]);
    await until("no backend is left", async () => (await backends(database)) === 0);
  });
});

it("a database that is down at the start is waited for, however often it fails", async () => {
  await using server = await startServer();
  await using database = await createDatabase({ adminUrl: server.url() });
  await merge(database.admin);
  await server.stop();
  await using daemon = spawnDaemon(database.daemonUrl, {
    METRICS_HTTP_ENABLED: "true",
    METRICS_HTTP_PORT: "0",
  });
  const { address } = await daemon.line("http.listening");
  const status = async (path: string): Promise<number> => (await fetch(`${String(address)}${path}`)).status;
  await daemon.line("db.connect_failed", ({ attempt }) => attempt === 3);
  expect([await status("/healthz"), await status("/readyz")]).toEqual([200, 503]);
  await server.start();
  await daemon.line("merge.recorded");
  await until("it is ready", async () => (await status("/readyz")) === 200);
  const attempts = daemon.lines.filter(({ event }) => event === "db.connect_failed");
  expect(attempts.map(({ attempt }) => attempt)).toEqual(attempts.map((_, index) => index + 1));
  expect(await violations(database.admin)).toEqual([]);
  expect(await daemon.stop()).toBe(0);
});

describe("at the start it exits with 3 and one line that says what to do:", () => {
  it.each([
    [
      "a value edited by hand",
      `UPDATE events_outbox SET payload = jsonb_set(payload, '{numerator}', '7')`,
      /numerator|value/,
    ],
    ["a row deleted by hand", "DELETE FROM events_outbox", /set incomplete/],
    [
      "a newer version's row",
      `UPDATE events_outbox SET payload = jsonb_set(payload, '{schema_version}', '99')`,
      /schema_version 99/,
    ],
  ])("%s", async (_, change, says) => {
    await using database = await createDatabase();
    await merges(database.admin, times(10));
    await using daemon = spawnDaemon(database.daemonUrl);
    await daemon.line("daemon.ready");
    await daemon.kill();
    const { rows } = await database.admin.query<{ id: string }>(
      "SELECT id::text FROM events_outbox WHERE kind = 'metric.p95_attempts_to_merge' AND payload->>'seq' = '5'",
    );
    const id = rows[0]?.id ?? "";
    await database.admin.query(`${change} WHERE id = ${id}`);
    await using next = spawnDaemon(database.daemonUrl);
    expect(await next.exit).toBe(3);
    const fatal = next.lines.find(({ event }) => event === "daemon.fatal");
    expect(String(fatal?.["problems"])).toMatch(says);
    expect(String(fatal?.["problems"])).toMatch(/events_outbox row \d+/);
    expect((await countRecorded(database)).seq).toBe(10);
  });

  it("a table that is missing", async () => {
    await using database = await createDatabase();
    await database.admin.query("ALTER TABLE work_items RENAME TO items");
    await using daemon = spawnDaemon(database.daemonUrl);
    expect(await daemon.exit).toBe(3);
    expect(daemon.lines.find(({ event }) => event === "daemon.fatal")).toMatchObject({
      problems: [expect.stringMatching(/public\.work_items does not exist/)],
    });
  });
});
