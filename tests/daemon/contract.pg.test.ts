/** The contract on a real server, through the daemon as the real role: decided histories, and what they must give. */
import { describe, expect, it } from "vitest";
import { comparable, snapshotFromLog, startDaemon } from "../support/daemon.ts";
import { createDatabase, type TestDatabase } from "../support/database.ts";
import { naiveReadings, violations } from "../support/oracle.ts";
import { CONFLICT, merges, REWORKED, times } from "../support/orchestrator.ts";
import { recorded, rows, values } from "../support/recorded.ts";

async function crossings(database: TestDatabase, scope?: string): Promise<unknown[]> {
  const all = await rows(database, "metric.threshold_crossed", scope);
  return all.map(({ gate, seq, from, to, direction, value }) => [gate, seq, from, to, direction, value]);
}

describe("the trust gate", () => {
  it("is undefined until the 50th merge, exact at both bounds, and unchanged between them", async () => {
    await using database = await createDatabase();
    // 50 × first pass; then 15 reworked: 35/50 is not below 0.70; the 16th: 34/50 is. Back: 42/50 is not 0.85, 43/50 is.
    await recorded(database, [...times(50), ...times(16, REWORKED), ...times(43), ...times(1, REWORKED)]);
    const series = await values(database, "metric.first_pass_merge_rate");
    expect(series.slice(0, 49)).toEqual(times(49).map(() => null));
    expect(series[49]).toBe(1);
    expect(series[64]).toBe(0.7);
    expect(series[65]).toBe(0.68);
    expect(await crossings(database)).toEqual([
      ["trust", 50, "unknown", "high", "up", 1],
      ["trust", 66, "high", "low", "down", 0.68],
      ["scope_overlap", 100, "unknown", "low", "down", 0],
      ["trust", 109, "low", "high", "up", 0.86],
    ]);
    expect(series.slice(107, 110)).toEqual([0.84, 0.86, 0.86]);
    const last = (await rows(database, "metric.threshold_crossed")).at(-1);
    expect(last).toMatchObject({ previous: { event_id: "66" }, upper: 0.85, lower: 0.7, schema_version: 1 });
  });

  it("becomes known only at a bound: inside the band it stays unknown", async () => {
    await using database = await createDatabase();
    await recorded(database, [...times(10, REWORKED), ...times(40), ...times(3)]);
    expect((await values(database, "metric.first_pass_merge_rate")).slice(49)).toEqual([
      0.8, 0.82, 0.84, 0.86,
    ]);
    expect(await crossings(database)).toEqual([["trust", 53, "unknown", "high", "up", 0.86]]);
  });
});

describe("the scope overlap gate", () => {
  it("rises at 10 of 100 and falls below 5 of 100, for the world and for a project of its own", async () => {
    await using database = await createDatabase();
    await recorded(database, [...times(100), ...times(10, CONFLICT), ...times(95), ...times(1)]);
    expect(await crossings(database)).toEqual([
      ["trust", 50, "unknown", "high", "up", 1],
      ["scope_overlap", 100, "unknown", "low", "down", 0],
      ["scope_overlap", 110, "low", "high", "up", 0.1],
      ["scope_overlap", 206, "high", "low", "down", 0.04],
    ]);
    expect(await crossings(database, "project")).toEqual([
      ["scope_overlap", 100, "unknown", "low", "down", 0],
      ["scope_overlap", 110, "low", "high", "up", 0.1],
      ["scope_overlap", 206, "high", "low", "down", 0.04],
    ]);
    expect((await values(database, "metric.rebase_conflict_rate", "project")).slice(203)).toEqual([
      0.06, 0.05, 0.04,
    ]);
  });

  it("a young project follows the global rate, a grown one its own, taking over the state inside the band", async () => {
    await using database = await createDatabase();
    const young = { project: "young" };
    // The world is high from its 100th merge on. Young's 100 merges hold 7 conflicts: inside the band.
    await recorded(database, [
      ...times(1, young),
      ...times(12, CONFLICT),
      ...times(87),
      ...times(7, { ...CONFLICT, ...young }),
      ...times(91, young),
      ...times(1, young),
      ...times(3, young),
    ]);
    const project = (await rows(database, "metric.rebase_conflict_rate", "project")).filter(
      (row) => row["project"] === "young",
    );
    expect(project[0]?.["effective"]).toEqual({ scope: null, value: null, state: "unknown" });
    expect(project[1]?.["effective"]).toEqual({ scope: "global", value: 0.13, state: "high" });
    expect(project[99]).toMatchObject({ n: 100, value: 0.07, state: "high" });
    expect(project[99]?.["effective"]).toEqual({ scope: "project", value: 0.07, state: "high" });
    expect(await crossings(database, "project")).toEqual([]);
  });
});

it("p95 is the 95th smallest of the last 100 attempts, and no average", async () => {
  await using database = await createDatabase();
  await recorded(database, [
    ...times(94),
    ...[9, 8, 7, 6, 5, 4].map((attempts) => ({ attempts })),
    { attempts: 9 },
  ]);
  const series = await values(database, "metric.p95_attempts_to_merge");
  expect(series[98]).toBeNull();
  expect(series.slice(99)).toEqual([4, 5]);
});

it("a restart without new merges leaves the log untouched and memory as it was", async () => {
  await using database = await createDatabase();
  await merges(database.admin, [
    ...times(120),
    ...times(20, { ...REWORKED, project: "zeus" }),
    { attempts: 0 },
  ]);
  const log = async (): Promise<unknown> =>
    (await database.admin.query("SELECT id, payload::text FROM events_outbox ORDER BY id")).rows;
  await using first = startDaemon(database);
  await first.converged();
  const memory = comparable(first.memory());
  await first.stop();
  const before = await log();
  await using second = startDaemon(database);
  await second.event("reconciliation.completed");
  expect(comparable(second.memory())).toEqual(memory);
  await second.stop();
  expect(await log()).toEqual(before);
  await using crashed = startDaemon(database);
  await crashed.ready();
  await crashed.crash();
  expect(await log()).toEqual(before);
});

it("the snapshot from the log, the daemon's memory and the oracle say the same", async () => {
  await using database = await createDatabase();
  await merges(
    database.admin,
    Array.from({ length: 260 }, (_, index) => ({
      project: index % 5 === 0 ? "zeus" : "atlas",
      attempts: 1 + ((index * 7) % 11 === 0 ? 3 : (index * 5) % 3 === 0 ? 1 : 0),
      lastVerdict: (index * 13) % 17 < 2 ? "rebase_conflict" : null,
    })),
  );
  await using daemon = startDaemon(database);
  await daemon.converged();
  const snapshot = await snapshotFromLog(database);
  expect(comparable(daemon.memory())).toEqual(comparable(snapshot));
  expect(snapshot.lag).toEqual({ merges: 0, seconds: null });
  expect(
    snapshot.metrics.map(({ metric, project, value, numerator, n }) => ({
      metric,
      project,
      value,
      numerator,
      n,
    })),
  ).toEqual(await naiveReadings(database.admin));
  expect(await violations(database.admin)).toEqual([]);
});
