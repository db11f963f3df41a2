/** The consumer on a real log, through psql: what two daemons record out of order of ids is followed without a loss. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempDisposableSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect, it, onTestFinished, type TestContext } from "vitest";
import { startDaemon } from "../support/daemon.ts";
import { createDatabase, type TestDatabase } from "../support/database.ts";
import { CONFLICT, hold, merge, merges, REWORKED, times } from "../support/orchestrator.ts";
import { findProgram, runProgram } from "../support/programs.ts";
import { recorded } from "../support/recorded.ts";

const SCRIPT = fileURLToPath(new URL("../../examples/consumer/consume.py", import.meta.url));

type Decision = { readonly to: string; readonly project: string | null; readonly seq: number };

function lookingPython(ctx: TestContext): string {
  const python = findProgram("/usr/bin/python3", "python3");
  if (python === null) return ctx.skip("python3 is not installed");
  if (findProgram("psql") === null) return ctx.skip("psql is not installed (Debian: postgresql-client)");
  return python;
}

const stateIn = (folder: { readonly path: string }): string => join(folder.path, "state.json");

/** What it decides on what has come since the last time. */
function lookOnce(python: string, database: TestDatabase, state: string): Decision[] {
  const place = ["--dsn", database.url, "--state", state];
  const { status, stdout, stderr } = runProgram(python, [SCRIPT, ...place, "--once", "--no-jsonschema"]);
  expect([status, stderr.replace("the log was reset: reading it again\n", "")]).toStrictEqual([0, ""]);
  return stdout.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line)]));
}

it("is up to date after every run, however late merges commit, and starts anew on another log", async (ctx) => {
  const python = lookingPython(ctx);
  using folder = mkdtempDisposableSync(join(tmpdir(), "follower-"));
  await using database = await createDatabase();
  await using one = startDaemon(database);
  await using other = startDaemon(database);
  const look = (): Decision[] => lookOnce(python, database, stateIn(folder));

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

it("notices another log also where the same ids and keys come again, as after a restore", async (ctx) => {
  const python = lookingPython(ctx);
  using folder = mkdtempDisposableSync(join(tmpdir(), "follower-"));
  await using database = await createDatabase();
  await recorded(database, times(110, CONFLICT));
  expect(lookOnce(python, database, stateIn(folder))).toHaveLength(2);
  await database.admin.query("TRUNCATE events_outbox, work_items RESTART IDENTITY");
  await recorded(database, times(110, { ...CONFLICT, project: "zeus" }));
  expect(lookOnce(python, database, stateIn(folder))).toMatchObject([{ project: "zeus", to: "high" }]);
});

it("keeps what it knows of a project whose rows were deleted before it read on", async (ctx) => {
  const python = lookingPython(ctx);
  using folder = mkdtempDisposableSync(join(tmpdir(), "follower-"));
  await using database = await createDatabase();
  await recorded(database, [...times(110, CONFLICT), ...times(110, { project: "zeus" })]);
  lookOnce(python, database, stateIn(folder));
  await recorded(database, times(3, { project: "zeus" }));
  await recorded(database, times(3, { project: "zeus" }));
  await database.admin.query(
    `DELETE FROM events_outbox WHERE id < (SELECT min(id) FROM (
       SELECT id FROM events_outbox WHERE kind = 'metric.checkpoint' ORDER BY id DESC LIMIT 2) AS newest)`,
  );
  expect(lookOnce(python, database, stateIn(folder))).toStrictEqual([]);
  const { policies } = JSON.parse(readFileSync(stateIn(folder), "utf8"));
  expect(policies.projects).toMatchObject({ atlas: { state: "high" }, zeus: { state: "low" } });
});

it("follows until it is interrupted: what comes after a wait is decided as well, and another log is noticed", async (ctx) => {
  const python = lookingPython(ctx);
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
  // Ids begin again, far below what it has read.
  await database.admin.query("TRUNCATE events_outbox, work_items RESTART IDENTITY");
  await merges(database.admin, times(50));
  for (let to = "low"; to !== "high"; ) ({ to } = (await decided()) as Decision);
  follower.kill("SIGINT");
  expect(await gone).toStrictEqual([0, null]);
  await daemon.stop();
});
