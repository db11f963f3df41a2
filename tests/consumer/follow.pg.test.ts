/** The consumer on a real log, through psql: what two daemons record out of order of ids is followed without a loss. */
import { mkdtempDisposableSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
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
  await using third = startDaemon(database);
  await third.converged();
  expect(look().map(({ to }) => to)).toContain("low");
});
