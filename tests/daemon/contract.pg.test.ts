/** The contract on a real server, through the daemon as the real role: decided histories, and what they must give. */
import { describe, expect, it } from "vitest";
import { comparable, snapshotFromLog, startDaemon, type TestDaemonOptions } from "../support/daemon.ts";
import { createDatabase, type TestDatabase } from "../support/database.ts";
import { naiveReadings, violations } from "../support/oracle.ts";
import {
  CONFLICT,
  event,
  type GivenFacts,
  merge,
  merges,
  REWORKED,
  times,
  transitions,
} from "../support/orchestrator.ts";

type Row = Readonly<Record<string, unknown>> & { readonly value: number | null; readonly seq: number };

async function record(database: TestDatabase, options?: TestDaemonOptions): Promise<void> {
  await using daemon = startDaemon(database, options);
  await daemon.converged();
  expect(comparable(daemon.memory())).toEqual(comparable(await snapshotFromLog(database)));
  await daemon.stop();
}

/** A history recorded in one go, and what the oracle makes of it: nothing. */
async function recorded(database: TestDatabase, history: readonly GivenFacts[]): Promise<void> {
  await merges(database.admin, history);
  await record(database);
  expect(await violations(database.admin)).toEqual([]);
}

/** Payloads of a kind, in the order of the log. */
async function rows(database: TestDatabase, kind: string, scope = "global"): Promise<Row[]> {
  const result = await database.admin.query<{ payload: Row }>(
    "SELECT payload FROM events_outbox WHERE kind = $1 AND payload->>'scope' = $2 ORDER BY id",
    [kind, scope],
  );
  return result.rows.map((row) => row.payload);
}

async function values(database: TestDatabase, kind: string, scope?: string): Promise<(number | null)[]> {
  return (await rows(database, kind, scope)).map((row) => row.value);
}

async function crossings(database: TestDatabase, scope?: string): Promise<unknown[]> {
  const all = await rows(database, "metric.threshold_crossed", scope);
  return all.map(({ gate, seq, from, to, direction, value }) => [gate, seq, from, to, direction, value]);
}

describe("the trust gate", () => {
  it("is undefined until the 50th merge, exact at both bounds, and stands still inside the band", async () => {
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

it("the facts are those of the moment of recording: what changes later in work_items changes nothing", async () => {
  await using database = await createDatabase();
  await merges(database.admin, times(60));
  await record(database);
  await database.admin.query(
    "UPDATE work_items SET attempts = 9, project = 'renamed', last_verdict = 'rebase_conflict'",
  );
  await merge(database.admin);
  await record(database);
  expect(await violations(database.admin)).toEqual([]);
  expect((await values(database, "metric.first_pass_merge_rate")).slice(49)).toEqual(times(12).map(() => 1));
});

it("only the first transition of a work item counts; a repeat is ignored and told once", async () => {
  await using database = await createDatabase();
  const made = await merges(database.admin, times(3));
  await transitions(database.admin, [made[0]?.itemId ?? "", made[0]?.itemId ?? ""]);
  await using daemon = startDaemon(database, { auditIntervalMs: 30 });
  await daemon.converged();
  await transitions(database.admin, [made[1]?.itemId ?? ""]);
  await daemon.event(
    "merge.repeat_ignored",
    (one) => one.event_id === "6" || one.work_item_id === made[1]?.itemId,
  );
  const before = daemon.all("comparison.completed").length;
  await daemon.event("comparison.completed", () => daemon.all("comparison.completed").length > before + 1);
  expect(daemon.all("merge.repeat_ignored")).toHaveLength(3);
  expect(daemon.all("merge.recorded")).toHaveLength(3);
  expect(await violations(database.admin)).toEqual([]);
});

it("what only looks like a merge is none", async () => {
  await using database = await createDatabase();
  const { itemId } = await merge(database.admin);
  for (const payload of [
    '{"target": "Merged"}',
    '{"target": "merged "}',
    '{"target": ["merged"]}',
    '{"target": {"merged": true}}',
    '{"source": "merged"}',
    '["merged"]',
    '"merged"',
    "null",
    "7",
  ]) {
    await event(database.admin, { kind: "phase.transition", itemId, payload });
  }
  await event(database.admin, { kind: "phase.transition.undone", itemId, payload: '{"target": "merged"}' });
  await using daemon = startDaemon(database);
  await daemon.event("comparison.completed");
  expect(daemon.all("merge.recorded")).toHaveLength(1);
  expect(daemon.all("merge.repeat_ignored")).toEqual([]);
});

describe("unusable facts are skipped for good, with the reason, and shrink no window", () => {
  it.each([
    ["no attempts", "attempts_invalid", { attempts: 0 }],
    ["fewer than none", "attempts_invalid", { attempts: -1 }],
    ["attempts unknown", "attempts_invalid", { attempts: null }],
    ["no project", "project_missing", { project: null }],
    ["an empty project", "project_missing", { project: "" }],
    ["a project of 513 letters", "project_too_long", { project: "x".repeat(513) }],
    ["a project of 513 emoji", "project_too_long", { project: "😀".repeat(513) }],
  ] as const)("%s: %s", async (_, reason, facts) => {
    await using database = await createDatabase();
    await merges(database.admin, [{}, facts, {}]);
    await using daemon = startDaemon(database);
    await daemon.converged();
    expect(daemon.all("merge.skipped")).toMatchObject([{ event_id: "2", reason }]);
    await database.admin.query("UPDATE work_items SET attempts = 1, project = 'mended'");
    await transitions(database.admin, ["2"]);
    await daemon.event("merge.repeat_ignored");
    expect(daemon.memory()).toMatchObject({ as_of: { seq: 2 }, skipped: { total: 1 } });
    expect(await violations(database.admin)).toEqual([]);
    expect(comparable(daemon.memory())).toEqual(comparable(await snapshotFromLog(database)));
  });

  it("a work item that is not there, and a merge that names none", async () => {
    await using database = await createDatabase();
    await transitions(database.admin, ["4711", null, null]);
    await merge(database.admin);
    await using daemon = startDaemon(database);
    await daemon.converged();
    expect(daemon.all("merge.skipped")).toEqual([
      { event: "merge.skipped", event_id: "1", work_item_id: "4711", reason: "work_item_missing" },
      { event: "merge.skipped", event_id: "2", work_item_id: null, reason: "work_item_missing" },
      { event: "merge.skipped", event_id: "3", work_item_id: null, reason: "work_item_missing" },
    ]);
    expect(await violations(database.admin)).toEqual([]);
  });

  it("whatever a column of another type holds", async () => {
    await using database = await createDatabase();
    await database.admin.query("ALTER TABLE work_items ALTER attempts TYPE text");
    await database.admin.query(
      `INSERT INTO work_items (project, attempts) SELECT 'atlas', a
         FROM unnest('{two,2.5,3000000000,1e3,2147483648," 1",2147483647,1}'::text[]) AS a`,
    );
    await transitions(database.admin, ["1", "2", "3", "4", "5", "6", "7", "8"]);
    await using daemon = startDaemon(database);
    await daemon.converged();
    expect(daemon.all("merge.skipped").map((one) => one.reason)).toEqual(
      times(6).map(() => "attempts_invalid"),
    );
    expect(daemon.all("merge.recorded").map((one) => one.attempts)).toEqual([2_147_483_647, 1]);
    expect(await violations(database.admin)).toEqual([]);
  });
});

it("any string of 1 to 512 characters is a project, byte for byte", async () => {
  await using database = await createDatabase();
  const names = [
    "__proto__",
    "constructor",
    "x".repeat(512),
    "😀".repeat(512),
    "cafe\u0301",
    "caf\u00e9",
    " ",
    "a|b\"c\\d'e",
    "x\u001b]0;pwned\u0007\r\nvalue = 1\u202e",
    "\u200b",
    "null",
  ];
  await merges(
    database.admin,
    names.flatMap((project) => times(2, { project })),
  );
  await using daemon = startDaemon(database);
  await daemon.converged();
  expect(await violations(database.admin)).toEqual([]);
  const snapshot = await snapshotFromLog(database);
  expect(comparable(daemon.memory())).toEqual(comparable(snapshot));
  const seen = new Map(
    snapshot.metrics
      .filter(({ project, metric }) => project !== null && metric === "rebase_conflict_rate")
      .map(({ project, n }) => [project, n]),
  );
  expect(seen).toEqual(new Map(names.map((name) => [name, 2])));
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
  await second.event("comparison.completed");
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

describe("a log of which the oldest rows went", () => {
  it("goes on from what is left, counts up, says so, and records what is new", async () => {
    await using database = await createDatabase();
    await merges(database.admin, times(150));
    await record(database);
    await database.admin.query(
      `DELETE FROM events_outbox WHERE kind = 'metric.checkpoint' OR id <= (SELECT max(id) FROM events_outbox
        WHERE payload->'merge'->>'event_id' = '130' AND kind = 'metric.first_pass_merge_rate')`,
    );
    await using daemon = startDaemon(database);
    expect(await daemon.event("history.truncated")).toEqual({ event: "history.truncated", first_seq: 131 });
    await merges(database.admin, times(5, REWORKED));
    await daemon.converged();
    expect(daemon.memory()).toMatchObject({ as_of: { seq: 155 }, history_truncated: true });
    expect((await rows(database, "metric.first_pass_merge_rate")).at(-1)).toMatchObject({
      seq: 155,
      n: 25,
      value: null,
      numerator: 20,
    });
    expect(await violations(database.admin, { pruned: true })).toEqual([]);
    expect(comparable(daemon.memory())).toEqual(comparable(await snapshotFromLog(database)));
    expect(daemon.all("merge.recorded")).toHaveLength(5);
  });

  it("counts on where a checkpoint is left", async () => {
    await using database = await createDatabase();
    await merges(database.admin, times(150));
    await record(database);
    await database.admin.query(
      `DELETE FROM events_outbox WHERE id <= (SELECT max(id) FROM events_outbox
        WHERE payload->'merge'->>'event_id' = '130' AND kind = 'metric.first_pass_merge_rate')`,
    );
    await merges(database.admin, times(5, REWORKED));
    await using daemon = startDaemon(database);
    await daemon.converged();
    expect((await rows(database, "metric.first_pass_merge_rate")).at(-1)).toMatchObject({
      seq: 155,
      n: 50,
      value: 0.9,
    });
    expect(daemon.memory()).toMatchObject({ as_of: { seq: 155 }, history_truncated: false });
    expect(comparable(daemon.memory())).toEqual(comparable(await snapshotFromLog(database)));
  });

  it("while the daemon runs: nothing is recorded anew, and nothing is lost", async () => {
    await using database = await createDatabase();
    await merges(database.admin, times(60));
    await using daemon = startDaemon(database, { auditIntervalMs: 30 });
    await daemon.converged();
    await database.admin.query(
      `DELETE FROM events_outbox WHERE id <= (SELECT max(id) FROM events_outbox
        WHERE payload->'merge'->>'event_id' = '30' AND kind = 'metric.first_pass_merge_rate')`,
    );
    const before = daemon.all("comparison.completed").length;
    await daemon.event("comparison.completed", () => daemon.all("comparison.completed").length > before + 1);
    await merge(database.admin);
    await daemon.converged();
    expect(daemon.all("merge.recorded")).toHaveLength(61);
    expect(await violations(database.admin, { pruned: true })).toEqual([]);
  });
});

describe("whatever types the orchestrator's tables have", () => {
  it.each(
    (["bigint", "uuid", "text"] as const).flatMap((idType) =>
      (["json", "jsonb"] as const).flatMap((payloadType) =>
        (["serial", "identity"] as const).map((sequence) => ({ idType, payloadType, sequence })),
      ),
    ),
  )("$idType ids, $payloadType, $sequence", async (variant) => {
    await using database = await createDatabase(variant);
    const [first] = await merges(database.admin, [
      ...times(60),
      ...times(3, { ...REWORKED, project: "zeus" }),
      { attempts: 0 },
    ]);
    await transitions(database.admin, [first?.itemId ?? "", null]);
    await record(database);
    await merge(database.admin);
    await record(database);
    expect(await violations(database.admin)).toEqual([]);
  });
});

it("a created_at that is no date of years 1 to 9999 becomes null, and the merge counts", async () => {
  await using database = await createDatabase();
  await merges(database.admin, times(5));
  const dates = ["infinity", "-infinity", "0044-03-15 BC", "12026-01-01", "2026-11-22 11:06:27.384567+01"];
  for (const [index, date] of dates.entries()) {
    await database.admin.query("UPDATE events_outbox SET created_at = $1 WHERE id = $2", [date, index + 1]);
  }
  await record(database);
  const dated = (await rows(database, "metric.first_pass_merge_rate")).map(
    (row) => (row["merge"] as Row)["merged_at"],
  );
  expect(dated).toEqual([null, null, null, null, "2026-11-22T10:06:27.384Z"]);
});

it("a created_at without a time zone is told in UTC, whatever zone the database speaks", async () => {
  await using database = await createDatabase();
  await database.admin.query(`ALTER TABLE events_outbox ALTER created_at TYPE timestamp`);
  await database.admin.query(`ALTER DATABASE ${database.name} SET timezone = 'Europe/Prague'`);
  await merge(database.admin);
  await database.admin.query("UPDATE events_outbox SET created_at = '2026-11-22 11:06:27.384'");
  await record(database);
  const [row] = await rows(database, "metric.first_pass_merge_rate");
  expect(row?.["merge"]).toMatchObject({ merged_at: "2026-11-22T10:06:27.384Z" });
});
