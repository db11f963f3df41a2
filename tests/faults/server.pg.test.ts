/** What a server refuses, runs out of, or does to its tables: retried until it works, and nothing is lost. */
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { DatabaseFailure } from "../../src/outbox/outbox-log.ts";
import { sendAway } from "../support/backends.ts";
import { startDaemon } from "../support/daemon.ts";
import { spawnDaemon } from "../support/daemon-process.ts";
import { createDatabase } from "../support/database.ts";
import { violations } from "../support/oracle.ts";
import { hold, merge, merges, REWORKED, times } from "../support/orchestrator.ts";
import { findProgram, runProgram } from "../support/programs.ts";
import { expectRight } from "../support/right.ts";
import { startServer } from "../support/server.ts";
import { until } from "../support/until.ts";

describe("a failure that passes is retried with backoff:", () => {
  it.each(["40001", "40P01", "53100", "53200", "55000", "57014", "0A000", "XX000"])(
    "SQLSTATE %s within a write",
    async (code) => {
      await using database = await createDatabase();
      let failures = 0;
      await using daemon = startDaemon(database, {
        wrap: (log) => ({
          ...log,
          append: (rows) => {
            failures += 1;
            if (failures > 3) return log.append(rows);
            throw new DatabaseFailure({ code, message: "of the test" });
          },
        }),
      });
      await daemon.ready().catch(() => undefined);
      await merge(database.admin);
      await expectRight(database, daemon);
      const told = daemon
        .all(code === "0A000" ? "db.refused" : "db.disconnected")
        .filter(({ failure }) => failure.code === code);
      expect(told.map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
      expect(daemon.all("merge.recorded")).toHaveLength(1);
    },
  );

  it("a statement that takes longer than its timeout, because the table is locked", async () => {
    await using database = await createDatabase();
    await using daemon = startDaemon(database, { statementTimeoutMs: 150 });
    await daemon.ready();
    await using migration = await hold(database);
    await migration.client.query("LOCK TABLE events_outbox IN ACCESS EXCLUSIVE MODE");
    const { failure } = await daemon.event("db.disconnected");
    expect(failure.code).toBe("57014");
    await migration.commit();
    await merge(database.admin);
    await expectRight(database, daemon);
  });

  it("no connection left for our role (53300)", async () => {
    await using database = await createDatabase();
    await using daemon = startDaemon(database);
    await daemon.ready();
    await database.admin.query(`ALTER ROLE ${database.role} CONNECTION LIMIT 0`);
    await sendAway(database);
    const refused = await daemon.event("db.connect_failed", ({ failure }) => failure.code === "53300");
    expect(refused.retry_in_ms).toBeGreaterThan(0);
    await merge(database.admin);
    await database.admin.query(`ALTER ROLE ${database.role} CONNECTION LIMIT 20`);
    await expectRight(database, daemon);
  });

  it("a server that is on its way down or up (57P03)", async () => {
    await using server = await startServer();
    await using database = await createDatabase({ adminUrl: server.url() });
    await using daemon = startDaemon(database);
    await daemon.ready();
    const last = await hold(database);
    const stopping = server.stop("smart");
    // It waits for those who are connected, and accepts no other.
    await sendAway(database, last.client);
    const refused = await daemon.event("db.connect_failed", ({ failure }) => failure.code === "57P03");
    expect(refused.attempt).toBeGreaterThan(0);
    await last.rollback();
    await server.stop("fast");
    await stopping;
    await server.start();
    await merge(database.admin);
    await expectRight(database, daemon);
  });
});

describe("a table that is rewritten or changed under way:", () => {
  it.each([
    "VACUUM FULL events_outbox",
    "CLUSTER events_outbox USING events_outbox_pkey",
    "CREATE INDEX ON events_outbox (created_at)",
    "REINDEX TABLE events_outbox",
    "ALTER TABLE events_outbox ADD COLUMN trace text DEFAULT 'none'",
    "ALTER TABLE work_items ALTER attempts TYPE bigint, ALTER project TYPE varchar(600)",
    "ALTER TABLE events_outbox ALTER kind TYPE varchar(200)",
  ])("%s", async (statement) => {
    await using database = await createDatabase();
    await using daemon = startDaemon(database, { lockTimeoutMs: 500 });
    await merges(database.admin, times(20));
    await daemon.converged();
    const stop = new AbortController();
    const stream = (async () => {
      while (!stop.signal.aborted) await merge(database.admin, REWORKED);
    })();
    await daemon.event("merge.recorded", ({ attempts }) => attempts === 2);
    await database.admin.query(statement);
    await daemon.event("merge.recorded", undefined, daemon.mark());
    stop.abort();
    await stream;
    await expectRight(database, daemon);
    expect(daemon.all("db.unfit")).toEqual([]);
  });

  it("VACUUM FREEZE, which takes the transaction ids from the rows, changes nothing", async () => {
    await using database = await createDatabase();
    await using daemon = startDaemon(database);
    await using late = await hold(database);
    await merge(late.client);
    await merges(database.admin, times(60));
    await until("sixty are recorded", () => daemon.memory()?.as_of.seq === 60);
    await database.admin.query("VACUUM (FREEZE) events_outbox, work_items");
    await late.commit();
    await merge(database.admin);
    await daemon.converged();
    await database.admin.query("VACUUM (FULL, FREEZE) events_outbox");
    await expectRight(database, daemon);
    expect(daemon.all("history.reset")).toEqual([]);
    await daemon.stop();
    await using next = startDaemon(database);
    await expectRight(database, next);
  });
});

it("a disk that is full on the server: retried, and nothing is lost when there is room again", async (ctx) => {
  const [mount, umount] = [findProgram("mount"), findProgram("umount")];
  if (process.getuid?.() !== 0 || mount === null || umount === null)
    return ctx.skip("a file system of its own needs root and mount");
  const folder = mkdtempSync(join(tmpdir(), "damascus-disk-"));
  if (runProgram(mount, ["-t", "tmpfs", "-o", "size=160m,mode=755", "tmpfs", folder]).status !== 0) {
    rmSync(folder, { recursive: true });
    return ctx.skip("mounting is not permitted here");
  }
  try {
    await using server = await startServer({
      dataDir: join(folder, "data"),
      settings: { min_wal_size: "32MB", max_wal_size: "64MB" },
    });
    await using database = await createDatabase({ adminUrl: server.url() });
    await using daemon = startDaemon(database);
    await merges(database.admin, times(60));
    await daemon.converged();
    await database.admin.query("CHECKPOINT");
    const ballast = join(folder, "ballast");
    fill(ballast);
    const mark = daemon.mark();
    await until("the daemon meets the full disk", async () => {
      // The orchestrator meets it as well.
      await merges(database.admin, times(20)).catch(() => undefined);
      return daemon.events
        .slice(mark)
        .some((one) => one.event === "db.disconnected" && one.failure.code === "53100");
    });
    rmSync(ballast);
    await merge(database.admin);
    await expectRight(database, daemon);
    expect(daemon.memory()?.as_of.seq).toBeGreaterThan(60);
  } finally {
    runProgram(umount, ["-l", folder]);
    rmSync(folder, { recursive: true, force: true });
  }
});

function fill(path: string): void {
  const file = openSync(path, "w");
  for (let size = 1 << 20; size >= 1 << 10; ) {
    try {
      writeSync(file, Buffer.alloc(size));
    } catch {
      size /= 2;
    }
  }
  closeSync(file);
}

describe("a password that is changed", () => {
  it("in the file of PGPASSFILE too is taken up with the next connection, without a restart", async () => {
    await using server = await startServer({ password: "of the superuser" });
    await using database = await createDatabase({ adminUrl: server.url() });
    const folder = mkdtempSync(join(tmpdir(), "damascus-secret-"));
    try {
      const file = join(folder, "pgpass");
      const url = new URL(database.daemonUrl);
      const write = (password: string): void => writeFileSync(file, `*:*:*:*:${password}\n`, { mode: 0o600 });
      write(url.password);
      url.password = "";
      await using daemon = spawnDaemon(url.href, { PGPASSFILE: file });
      await daemon.line("daemon.ready");
      await database.admin.query(`ALTER ROLE ${database.role} PASSWORD 'another-one'`);
      await sendAway(database);
      await daemon.line("db.connect_failed", ({ failure }) => (failure as { code: string }).code === "28P01");
      write("another-one");
      const mark = daemon.mark();
      await daemon.line("restore.completed", undefined, mark);
      await merge(database.admin);
      await daemon.line("merge.recorded");
      expect(await violations(database.admin)).toEqual([]);
      expect(await daemon.stop()).toBe(0);
      expect(daemon.output()).not.toContain("another-one");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("for us alone is no reason to give up: refused again and again, and ready when it is right again", async () => {
    await using server = await startServer({ password: "of the superuser" });
    await using database = await createDatabase({ adminUrl: server.url() });
    const right = new URL(database.daemonUrl).password;
    await using daemon = startDaemon(database);
    await daemon.ready();
    await database.admin.query(`ALTER ROLE ${database.role} PASSWORD 'another-one'`);
    await sendAway(database);
    await daemon.event(
      "db.connect_failed",
      ({ failure, attempt }) => failure.code === "28P01" && attempt >= 3,
    );
    await database.admin.query(`ALTER ROLE ${database.role} PASSWORD '${right}'`);
    await merge(database.admin);
    await expectRight(database, daemon);
    expect(daemon.all("restore.completed")).toHaveLength(2);
  });
});
