/** Rows written by mistake or in bad faith: each merge counts by its work item, and harms no other. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { ENTRY, environment } from "../../demo/command.ts";
import type { Snapshot } from "../../src/core/snapshot.ts";
import { comparable, snapshotFromLog, startDaemon, untilRecorded } from "../support/daemon.ts";
import { spawnDaemon } from "../support/daemon-process.ts";
import { createDatabase, type TestDatabase } from "../support/database.ts";
import { violations } from "../support/oracle.ts";
import { event, merge, merges, times } from "../support/orchestrator.ts";

async function item(database: TestDatabase): Promise<string> {
  const { rows } = await database.admin.query<{ id: string }>(
    "INSERT INTO work_items (project, attempts, last_verdict) VALUES ('atlas', 2, 'approve') RETURNING id::text",
  );
  return rows[0]?.id ?? "";
}

describe.each(["json", "jsonb"] as const)("a payload of type %s with the target merged", (payloadType) => {
  it.each([
    ["10 MB of something else", `{"target": "merged", "log": "${"x".repeat(10_000_000)}"}`],
    ["nested 5,000 deep", `{"target": "merged", "deep": ${"[".repeat(5_000)}${"]".repeat(5_000)}}`],
    ["a number that no program can hold", '{"target": "merged", "number": 1e999}'],
    ["an integer beyond 2^53", '{"target": "merged", "number": 9007199254740993}'],
    ["a key twice, of which the last counts", '{"target": "review", "target": "merged"}'],
    [
      "facts of its own, which are none",
      '{"target": "merged", "project": "lies", "attempts": 99, "last_verdict": "rebase_conflict"}',
    ],
    [
      "keys of every object",
      '{"target": "merged", "__proto__": {"target": "x"}, "constructor": 1, "toString": 2}',
    ],
    ["a target in capitals besides", '{"TARGET": "review", "target": "merged"}'],
    [
      "10,000 keys",
      `{"target": "merged", ${Array.from({ length: 10_000 }, (_, key) => `"k${key}": 1`).join()}}`,
    ],
  ])("and %s counts by its work item", async (_, payload) => {
    await using database = await createDatabase({ payloadType });
    await merges(database.admin, times(2));
    await event(database.admin, { kind: "phase.transition", itemId: await item(database), payload });
    await merge(database.admin);
    await using daemon = startDaemon(database);
    await daemon.converged();
    expect(daemon.all("merge.recorded").map(({ project, attempts }) => [project, attempts])).toEqual([
      ["atlas", 1],
      ["atlas", 1],
      ["atlas", 2],
      ["atlas", 1],
    ]);
    expect(await violations(database.admin)).toEqual([]);
  });
});

it("a payload that is SQL's null is not a merge", async () => {
  await using database = await createDatabase();
  await database.admin.query("ALTER TABLE events_outbox ALTER payload DROP NOT NULL");
  await database.admin.query(
    `INSERT INTO events_outbox (kind, work_item_id, payload) VALUES ('phase.transition', ${await item(database)}, NULL)`,
  );
  await merge(database.admin);
  await using daemon = startDaemon(database);
  await daemon.converged();
  expect(daemon.all("merge.recorded")).toHaveLength(1);
  expect(await violations(database.admin)).toEqual([]);
});

it("ids up to the largest bigint go through unrounded, in rows and in memory", async () => {
  await using database = await createDatabase();
  await merge(database.admin);
  await database.admin.query("SELECT setval('events_outbox_id_seq', 9007199254740993)");
  await database.admin.query(
    "SELECT setval(pg_get_serial_sequence('work_items', 'id'), 9223372036854775806)",
  );
  const { itemId, eventId } = await merge(database.admin);
  expect([itemId, eventId]).toEqual(["9223372036854775807", "9007199254740994"]);
  await using daemon = startDaemon(database);
  await daemon.converged();
  expect(daemon.all("merge.recorded").map((one) => [one.event_id, one.work_item_id])).toEqual([
    ["1", "1"],
    [eventId, itemId],
  ]);
  const { rows } = await database.admin.query(
    `SELECT DISTINCT payload->'merge'->'event_id' AS event, payload->'merge'->'work_item_id' AS item
       FROM events_outbox WHERE work_item_id = $1 AND kind LIKE 'metric.%'`,
    [itemId],
  );
  expect(rows).toEqual([{ event: eventId, item: itemId }]);
  expect(await violations(database.admin)).toEqual([]);
  await daemon.stop();
  await using next = startDaemon(database);
  await next.converged();
  expect(comparable(next.memory())).toEqual(comparable(await snapshotFromLog(database)));
});

it.each([
  ["10 kB long", "x".repeat(10_000)],
  ["of control characters and quotes", "\u001b[2J\r\n\"'\\\u202e"],
  ["empty", ""],
])("a verdict that is %s is no conflict, and the merge counts", async (_, lastVerdict) => {
  await using database = await createDatabase();
  await merge(database.admin, { lastVerdict });
  await using daemon = startDaemon(database);
  await daemon.converged();
  expect(daemon.memory()?.metrics[1]).toMatchObject({ metric: "rebase_conflict_rate", numerator: 0, n: 1 });
  expect(await violations(database.admin)).toEqual([]);
});

it("a work item that is deleted before its merge is recorded is skipped, afterwards it changes nothing", async () => {
  await using database = await createDatabase();
  const [gone] = await merges(database.admin, times(3));
  await database.admin.query("DELETE FROM work_items WHERE id = $1", [gone?.itemId]);
  await using daemon = startDaemon(database);
  await daemon.converged();
  expect(daemon.all("merge.skipped")).toMatchObject([{ reason: "work_item_missing" }]);
  await database.admin.query("DELETE FROM work_items");
  await merge(database.admin);
  await daemon.converged();
  expect(daemon.memory()).toMatchObject({ as_of: { seq: 3 }, skipped: { total: 1 } });
  expect(await violations(database.admin)).toEqual([]);
});

async function printed(database: TestDatabase, ...args: string[]): Promise<string> {
  const options = { env: environment(database.daemonUrl) };
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    [ENTRY, "snapshot", ...args],
    options,
  );
  return stdout + stderr;
}

describe("a project whose name wants to drive the terminal", () => {
  const PROJECT = "x\u001b]0;pwned\u0007\u001b[2J\r\nfirst_pass_merge_rate = 1.00\u202e\u009b31m\u2028";
  /** Whatever is not plain text: C0 but the line feed, DEL, C1, bidi controls, separators. */
  // oxlint-disable-next-line no-control-regex
  const UNSAFE = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/;

  it("is shown as text by the real commands, and is whole in JSON", async () => {
    await using database = await createDatabase();
    await merges(database.admin, times(3, { project: PROJECT }));
    await merges(database.admin, [{ project: PROJECT, attempts: 0 }]);
    await using daemon = spawnDaemon(database.daemonUrl);
    await untilRecorded(database);
    expect(await daemon.stop()).toBe(0);
    const outputs = [
      await printed(database, "--all"),
      await printed(database, "--project", PROJECT),
      await printed(database, "--json"),
      daemon.output(),
    ];
    for (const output of outputs) expect(output).not.toMatch(UNSAFE);
    for (const line of daemon.output().trimEnd().split("\n"))
      expect(() => JSON.parse(line) as unknown).not.toThrow();
    expect(outputs[0]?.split("\n").filter((line) => line.startsWith("first_pass_merge_rate"))).toHaveLength(
      1,
    );
    const { metrics } = JSON.parse(outputs[2] ?? "") as Snapshot;
    expect(new Set(metrics.map(({ project }) => project))).toEqual(new Set([null, PROJECT]));
    expect(daemon.lines.filter(({ event: name }) => name === "merge.recorded")).toMatchObject(
      times(3).map(() => ({ project: PROJECT })),
    );
  });
});

it("ids, names and verdicts that mean something to COPY go through it as they are", async () => {
  await using database = await createDatabase({ idType: "text" });
  const odd = [
    "\\N",
    "tab\tand\\t",
    "line\nand\\n",
    "return\r",
    "\\.",
    "\\",
    "a\\\\b",
    "'quoted'",
    '"double"',
    "🦊",
  ];
  await database.admin.query(
    `WITH items AS (
       INSERT INTO work_items (id, project, attempts, last_verdict)
       SELECT word, word, 1, word FROM unnest($1::text[]) word RETURNING id)
     INSERT INTO events_outbox (kind, work_item_id, payload)
     SELECT 'phase.transition', id, '{"target": "merged"}' FROM items`,
    [[...odd, ...Array.from({ length: 20 }, (_, nth) => `ordinary ${nth}`)]],
  );
  await using daemon = startDaemon(database);
  await daemon.converged();
  expect(await violations(database.admin)).toEqual([]);
  const { rows } = await database.admin.query<{ item: string; project: string }>(
    `SELECT work_item_id AS item, payload->>'project' AS project FROM events_outbox
      WHERE kind = 'metric.rebase_conflict_rate' AND payload->>'scope' = 'project'`,
  );
  for (const word of odd) expect(rows).toContainEqual({ item: word, project: word });
});
