/** What the orchestrator may write, on a real server: what counts as a merge, its facts, its date, the columns it stands in. */
import { describe, expect, it } from "vitest";
import { comparable, snapshotFromLog, startDaemon } from "../support/daemon.ts";
import { createDatabase } from "../support/database.ts";
import { violations } from "../support/oracle.ts";
import { event, merge, merges, REWORKED, times, transitions } from "../support/orchestrator.ts";
import { type Row, record, rows, values } from "../support/recorded.ts";

it("only the first transition of a work item counts; a duplicate is ignored and reported once", async () => {
  await using database = await createDatabase();
  const made = await merges(database.admin, times(3));
  await transitions(database.admin, [made[0]?.itemId ?? "", made[0]?.itemId ?? ""]);
  await using daemon = startDaemon(database, { auditIntervalMs: 30 });
  await daemon.converged();
  await transitions(database.admin, [made[1]?.itemId ?? ""]);
  await daemon.event(
    "merge.duplicate_ignored",
    (one) => one.event_id === "6" || one.work_item_id === made[1]?.itemId,
  );
  const before = daemon.all("reconciliation.completed").length;
  await daemon.event(
    "reconciliation.completed",
    () => daemon.all("reconciliation.completed").length > before + 1,
  );
  expect(daemon.all("merge.duplicate_ignored")).toHaveLength(3);
  expect(daemon.all("merge.recorded")).toHaveLength(3);
  expect(await violations(database.admin)).toEqual([]);
});

it("what only looks like a merge is not one", async () => {
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
  await daemon.event("reconciliation.completed");
  expect(daemon.all("merge.recorded")).toHaveLength(1);
  expect(daemon.all("merge.duplicate_ignored")).toEqual([]);
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
    await database.admin.query("UPDATE work_items SET attempts = 1, project = 'fixed'");
    await transitions(database.admin, ["2"]);
    await daemon.event("merge.duplicate_ignored");
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

it.each([
  ["America/New_York", "9999-12-31T23:59:59Z", "10000-01-01T04:00:00Z"],
  ["Asia/Tokyo", "0001-01-01T00:00:00Z", "0001-12-31T15:00:00Z BC"],
])(
  "the years 1 to 9999 are those of UTC, also where the database speaks the time of %s",
  async (zone, inside, outside) => {
    await using database = await createDatabase();
    await database.admin.query(`ALTER DATABASE ${database.name} SET timezone = '${zone}'`);
    await merges(database.admin, times(2));
    await database.admin.query("UPDATE events_outbox SET created_at = $1 WHERE id = 1", [inside]);
    await database.admin.query("UPDATE events_outbox SET created_at = $1 WHERE id = 2", [outside]);
    await record(database);
    const dated = (await rows(database, "metric.first_pass_merge_rate")).map(
      (row) => (row["merge"] as Row)["merged_at"],
    );
    expect(dated).toEqual([inside.replace("Z", ".000Z"), null]);
  },
);

it("a created_at without a time zone is reported in UTC, whatever zone the database uses", async () => {
  await using database = await createDatabase();
  await database.admin.query(`ALTER TABLE events_outbox ALTER created_at TYPE timestamp`);
  await database.admin.query(`ALTER DATABASE ${database.name} SET timezone = 'Europe/Prague'`);
  await merge(database.admin);
  await database.admin.query("UPDATE events_outbox SET created_at = '2026-11-22 11:06:27.384'");
  await record(database);
  const [row] = await rows(database, "metric.first_pass_merge_rate");
  expect(row?.["merge"]).toMatchObject({ merged_at: "2026-11-22T10:06:27.384Z" });
});
