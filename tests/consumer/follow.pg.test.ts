/** The consumer on a real log, through psql: what two daemons record out of order of ids is followed without a loss. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempDisposableSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect, it, onTestFinished } from "vitest";
import { startDaemon } from "../support/daemon.ts";
import { createDatabase } from "../support/database.ts";
import { CONFLICT, hold, merge, merges, REWORKED, times } from "../support/orchestrator.ts";
import { findProgram, runProgram } from "../support/programs.ts";

const SCRIPT = fileURLToPath(new URL("../../examples/consumer/consume.py", import.meta.url));

it("is up to date after every look, however late merges commit, and starts anew on another log", async (ctx) => {
  const python = findProgram("/usr/bin/python3", "python3");
  if (python === null) return ctx.skip("python3 is not installed");
  if (findProgram("psql") === null) return ctx.skip("psql is not installed (Debian: postgresql-client)");
  using folder = mkdtempDisposableSync(join(tmpdir(), "follower-"));
  await using database = await createDatabase();
  await using one = startDaemon(database);
  await using other = startDaemon(database);
  const look = (): { to: string; project: string | null; seq: number }[] => {
    const state = join(folder.path, "state.json");
    const { status, stdout, stderr } = runProgram(python, [
      SCRIPT,
      "--dsn",
      database.url,
      "--state",
      state,
      "--once",
      "--no-jsonschema",
    ]);
    expect([status, stderr.replace("the log was reset: reading it again\n", "")]).toStrictEqual([0, ""]);
    return stdout.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line)]));
  };

  await using late = await hold(database);
  await merge(late.client, { project: "borealis" });
  await merges(database.admin, times(49));
  await one.converged();
  expect(look()).toStrictEqual([]);
  // The fiftieth merge has the lowest id of all.
  await late.commit();
  await other.converged();
  expect(look()).toMatchObject([{ policy: "trust", to: "high", seq: 50 }]);
  await merges(database.admin, [...times(40, REWORKED), ...times(10, CONFLICT)]);
  await one.converged();
  expect(look()).toMatchObject([
    { policy: "trust", to: "low" },
    { policy: "scope_overlap", project: "atlas", to: "high", basis: "global", seq: 100 },
    { policy: "scope_overlap", project: "borealis", to: "high", basis: "global", seq: 100 },
  ]);
  expect(look()).toStrictEqual([]);

  await one.stop();
  await other.stop();
  await database.admin.query("DELETE FROM events_outbox WHERE kind LIKE 'metric.%'");
  await merges(database.admin, times(45));
  await using third = startDaemon(database);
  await third.converged();
  // What was decided on the way is not said again: only what is otherwise now.
  expect(look()).toMatchObject([{ policy: "trust", from: "low", to: "high", seq: 145 }]);
  expect(look()).toStrictEqual([]);
});

it("follows until it is interrupted: what comes after a wait is decided as well", async (ctx) => {
  const python = findProgram("/usr/bin/python3", "python3");
  if (python === null) return ctx.skip("python3 is not installed");
  await using database = await createDatabase();
  await using daemon = startDaemon(database);
  const follower = spawn(python, [SCRIPT, "--dsn", database.url, "--poll", "0.1", "--no-jsonschema"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => {
    follower.kill("SIGKILL");
  });
  const gone = once(follower, "exit");
  const lines = createInterface(follower.stdout)[Symbol.asyncIterator]();
  const decided = async (): Promise<unknown> => JSON.parse((await lines.next()).value ?? "null");
  await merges(database.admin, times(50));
  expect(await decided()).toMatchObject({ policy: "trust", to: "high", seq: 50 });
  await merges(database.admin, times(16, REWORKED));
  expect(await decided()).toMatchObject({ policy: "trust", to: "low", seq: 66 });
  follower.kill("SIGINT");
  expect(await gone).toStrictEqual([0, null]);
  await daemon.stop();
});
