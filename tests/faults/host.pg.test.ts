/** What a host does to the process: a log that no reader takes, a clock that jumps, a long backlog waiting at the start. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, globSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { afterUs } from "../../demo/after-us.ts";
import { ENTRY, environment } from "../../demo/command.ts";
import { systemClock } from "../../src/clock.ts";
import { comparable, countRecorded, snapshotFromLog, startDaemon, untilRecorded } from "../support/daemon.ts";
import { spawnDaemon } from "../support/daemon-process.ts";
import { createDatabase } from "../support/database.ts";
import { violations } from "../support/oracle.ts";
import { hold, merge, merges, REWORKED, times } from "../support/orchestrator.ts";
import { startServer } from "../support/server.ts";

describe("standard output that takes nothing ends no daemon:", () => {
  it.each(["a full device", "a pipe whose reader has gone"])("%s", async (kind) => {
    await using database = await createDatabase();
    await merge(database.admin);
    const child = spawn(process.execPath, [ENTRY, "run"], {
      env: {
        ...environment(database.daemonUrl),
        METRICS_HTTP_ENABLED: "false",
        METRICS_POLL_INTERVAL: "50ms",
        METRICS_LOG_LEVEL: "debug",
      },
      stdio: ["ignore", kind === "a full device" ? openSync("/dev/full", "w") : "pipe", "pipe"],
    });
    const guard = afterUs('read -r _; kill -KILL "$0" 2>/dev/null', String(child.pid));
    const exit = once(child, "close");
    let errors = "";
    child.stderr?.on("data", (bytes: Buffer) => {
      errors += bytes.toString("utf8");
    });
    // Its first line was taken.
    if (child.stdout !== null) child.stdout.once("data", () => child.stdout?.destroy());
    try {
      await untilRecorded(database);
      for (let count = 0; count < 20; count += 1) await merge(database.admin);
      await untilRecorded(database);
      expect(child.exitCode).toBeNull();
      child.kill("SIGTERM");
      expect(await exit).toEqual([0, null]);
      expect(errors).toBe("");
      expect(await violations(database.admin)).toEqual([]);
    } finally {
      child.kill("SIGKILL");
      guard.kill("SIGKILL");
    }
  });
});

const FAKETIME = globSync("/usr/lib/{,*/}faketime/libfaketime.so.1")[0];

/** A wall clock that is off by what the file says, read anew at every look at it. */
function clockFrom(library: string, file: string): Record<string, string> {
  return {
    LD_PRELOAD: library,
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_NO_CACHE: "1",
    FAKETIME_DONT_FAKE_MONOTONIC: "1",
  };
}

describe("a wall clock that jumps changes no number and no interval:", () => {
  it("forwards and back by a day between any two looks, in this process", async () => {
    await using database = await createDatabase();
    let jumps = 0;
    const day = 86_400_000;
    await using daemon = startDaemon(database, {
      clock: {
        ...systemClock,
        now: () => new Date(Date.now() + ((jumps++ % 3) - 1) * day),
      },
    });
    for (const facts of [...times(60), ...times(20, REWORKED)]) await merge(database.admin, facts);
    await daemon.converged();
    expect(await violations(database.admin)).toEqual([]);
    expect(comparable(daemon.memory())).toEqual(comparable(await snapshotFromLog(database)));
  });

  it("the whole process's, a day ahead, then a day behind", async (ctx) => {
    if (FAKETIME === undefined) return ctx.skip("libfaketime is not installed");
    await using database = await createDatabase();
    const folder = mkdtempSync(join(tmpdir(), "damascus-clock-"));
    try {
      const file = join(folder, "offset");
      writeFileSync(file, "+1d\n");
      await using daemon = spawnDaemon(database.daemonUrl, clockFrom(FAKETIME, file));
      await daemon.line("daemon.ready");
      await merges(database.admin, times(60));
      const ahead = await daemon.line("merge.recorded", ({ seq }) => seq === 60);
      writeFileSync(file, "-1d\n");
      const mark = daemon.mark();
      await merge(database.admin, REWORKED);
      const behind = await daemon.line("merge.recorded", undefined, mark);
      const days = (Date.parse(String(ahead["time"])) - Date.parse(String(behind["time"]))) / 86_400_000;
      expect(Math.round(days)).toBe(2);
      expect(daemon.lines.filter(({ event }) => /disconnected|failed|lag/.test(event))).toEqual([]);
      expect(await daemon.stop()).toBe(0);
      expect(await violations(database.admin)).toEqual([]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("the server's, a day ahead, then a day behind, with a merge under way", async (ctx) => {
    if (FAKETIME === undefined) return ctx.skip("libfaketime is not installed");
    const folder = mkdtempSync(join(tmpdir(), "damascus-clock-"));
    try {
      // The server's user reads it too.
      chmodSync(folder, 0o755);
      const file = join(folder, "offset");
      writeFileSync(file, "+1d\n", { mode: 0o644 });
      await using server = await startServer({ env: clockFrom(FAKETIME, file) });
      await using database = await createDatabase({ adminUrl: server.url() });
      await using daemon = startDaemon(database);
      await merges(database.admin, times(60));
      await daemon.converged();
      await using late = await hold(database);
      const { eventId } = await merge(late.client, REWORKED);
      writeFileSync(file, "-1d\n");
      await merges(database.admin, times(20));
      await late.commit();
      await daemon.converged();
      const recorded = daemon.all("merge.recorded");
      expect(recorded.find((one) => one.event_id === eventId)).toMatchObject({ found_by: "poll" });
      const { rows } = await database.admin.query<{ days: number }>(
        "SELECT round(extract(epoch FROM max(created_at) - min(created_at)) / 86400)::int AS days FROM events_outbox",
      );
      expect(rows).toEqual([{ days: 2 }]);
      expect(daemon.all("db.disconnected")).toEqual([]);
      expect(daemon.all("lag.high")).toEqual([]);
      expect(await violations(database.admin)).toEqual([]);
      expect(comparable(daemon.memory())).toEqual(comparable(await snapshotFromLog(database)));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

it("a backlog of 5,000 at the start: in batches, and not ready before the last one", async () => {
  await using database = await createDatabase();
  for (let count = 0; count < 5; count += 1) await merges(database.admin, times(1_000));
  let largest = 0;
  await using daemon = startDaemon(database, {
    wrap: (log) => ({
      ...log,
      append: (rows) => {
        largest = Math.max(largest, rows.length);
        return log.append(rows);
      },
    }),
  });
  const { seq } = await daemon.event("daemon.ready");
  expect(seq).toBe(5_000);
  expect((await countRecorded(database)).due).toBe(0);
  const names = daemon.events.map(({ event }) => event);
  const before = names.slice(0, names.indexOf("daemon.ready"));
  expect(before.filter((name) => name === "merge.recorded")).toHaveLength(5_000);
  // At most 1,000 merges, with four rows each and a crossing now and then.
  expect(largest).toBeLessThan(5_000);
  expect(await violations(database.admin)).toEqual([]);
});
