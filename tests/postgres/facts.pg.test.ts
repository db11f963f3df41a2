/** A long log without a checkpoint: read by its facts, and whole where they do not serve. */
import { describe, expect, test } from "vitest";
import { readLog } from "../../src/cli/read-log.ts";
import { lookAt } from "../../src/cli/read-snapshot.ts";
import type { MetricSettings } from "../../src/core/metric.ts";
import { textOf } from "../../src/postgres/copy-out.ts";
import { snapshotText } from "../core/build.ts";
import { configOf, startDaemon } from "../support/daemon.ts";
import { createDatabase, type TestDatabase } from "../support/database.ts";
import { CONFLICT, merges, REWORKED, times } from "../support/orchestrator.ts";
import type { SchemaVariant } from "../support/orchestrator-schema.ts";
import { record } from "../support/recorded.ts";
import { until } from "../support/until.ts";

const NAMES = ["atlas", "__proto__", 'a\tb\\N\n"🦉"', "borealis with a long name", "\\N"];
const FACTS = [
  ...times(4, { project: "dead" }),
  ...Array.from({ length: 1_300 }, (_, index) => ({
    project: NAMES[(index * 7) % NAMES.length] ?? "",
    ...(index % 11 === 0 ? REWORKED : {}),
    ...(index % 400 < 60 ? CONFLICT : {}),
  })),
];

/** A log of more than 1000 merges, as if no checkpoint had ever been written. */
async function longLog(variant: SchemaVariant = {}, before = "SELECT 1"): Promise<TestDatabase> {
  const database = await createDatabase(variant);
  await database.admin.query(before);
  await merges(database.admin, FACTS.slice(0, 700));
  await merges(database.admin, [{ project: null }, ...FACTS.slice(700)]);
  await using daemon = startDaemon(database);
  await daemon.converged();
  await daemon.stop();
  await database.admin.query("DELETE FROM events_outbox WHERE kind = 'metric.checkpoint'");
  return database;
}

/** What a reader knows, and whether it read every row for it. */
async function known(database: TestDatabase, metrics?: readonly MetricSettings[], facts = true) {
  const config = { ...configOf(database.daemonUrl), ...(metrics === undefined ? {} : { metrics }) };
  return readLog(config, "snapshot", { timeoutMs: 30_000 }, async (access) => {
    let pages = 0;
    const reader = {
      ...access.reader,
      long: facts ? access.reader.long : { merges: Number.POSITIVE_INFINITY, checked: 100 },
      journal: (after: bigint, upTo: bigint) => {
        pages += 1;
        return access.reader.journal(after, upTo);
      },
    };
    const { analyzer } = await lookAt({ ...access, reader }, config);
    return { text: snapshotText(analyzer), seq: analyzer.global.seq, whole: pages > 0 };
  });
}

/** Whether both ways give the same, and whether every row was read after all. */
async function compared(database: TestDatabase, metrics?: readonly MetricSettings[]) {
  const quick = await known(database, metrics);
  const slow = await known(database, metrics, false);
  return { same: quick.text === slow.text, whole: quick.whole };
}

const FROM_FACTS = { same: true, whole: false };
const WHOLE = { same: true, whole: true };

describe("a log of more than 1000 merges without a checkpoint", () => {
  test("is read by its facts, and gives what all its rows give", async () => {
    await using database = await longLog();
    expect(await compared(database)).toEqual(FROM_FACTS);
    expect((await known(database)).seq).toBe(FACTS.length);
    await using daemon = startDaemon(database);
    await daemon.ready();
    expect(daemon.all("restore.completed")[0]).toMatchObject({
      seq: FACTS.length,
      merges: FACTS.length,
      skipped: 1,
      from_checkpoint: null,
    });
  });

  test("is read so in a json column, and whole where a row of it cannot be read", async () => {
    await using database = await longLog({ payloadType: "json" });
    expect(await compared(database)).toEqual(FROM_FACTS);
    await using odd = await longLog(
      { payloadType: "json" },
      `INSERT INTO events_outbox (kind, payload) VALUES ('metric.first_pass_merge_rate', '{"seq": "\\u0000"}')`,
    );
    expect(await compared(odd)).toEqual(WHOLE);
  });

  test("is read so among rows of others with kinds like ours", async () => {
    await using database = await longLog(
      {},
      `INSERT INTO events_outbox (kind, payload) VALUES
         ('metric.first_pass_merge_rate', '[1]'), ('metric.first_pass_merge_rate', '"x"'),
         ('metric.p95_attempts_to_merge', 'null'), ('metric.threshold_crossed', '{"seq": 5}'),
         ('metric.merge_skipped', '{}'), ('metric.other', '{"seq": 1}'),
         ('metric.threshold_crossed', to_jsonb(repeat('x', 100000)))`,
    );
    expect(await compared(database)).toEqual(FROM_FACTS);
  });

  test("is read whole where it is pruned or was written under other scopes", async () => {
    await using database = await longLog();
    const [trust, overlap, p95] = configOf(database.daemonUrl).metrics;
    if (trust === undefined || overlap === undefined || p95 === undefined) throw new Error("no metrics");
    expect(await compared(database, [{ ...trust, record: ["global", "project"] }, overlap, p95])).toEqual(
      WHOLE,
    );
    expect(await compared(database, [trust, { ...overlap, record: [] }, p95])).toEqual(WHOLE);
    expect(await compared(database, [trust, { ...overlap, window: 70, verdicts: ["approve"] }, p95])).toEqual(
      FROM_FACTS,
    );
    expect(await compared(database, [overlap])).toEqual(WHOLE);
    await database.admin.query(
      "DELETE FROM events_outbox WHERE id < (SELECT min(id) + 400 FROM events_outbox WHERE kind LIKE 'metric.%')",
    );
    expect(await compared(database)).toEqual(WHOLE);
  });

  test.each([
    ["row", "metric.rebase_conflict_rate"],
    ["crossing", "metric.threshold_crossed"],
  ])(
    "is read whole, and nothing is recorded anew, where all but a project's %s went from before its first set",
    async (_, survivor) => {
      await using database = await createDatabase();
      // Rows of others hide nothing.
      await database.admin.query(
        "INSERT INTO events_outbox (kind, payload) VALUES ('metric.first_pass_merge_rate', '[1]')",
      );
      // The last of them moves the gate of its project.
      await merges(database.admin, times(100, CONFLICT));
      await record(database);
      await database.admin.query(
        `DELETE FROM events_outbox WHERE kind LIKE 'metric.%' AND payload <> '[1]' AND id <> (SELECT max(id) FROM events_outbox
          WHERE kind = $1 AND payload->>'scope' = 'project')`,
        [survivor],
      );
      await database.admin.query(
        "INSERT INTO events_outbox (kind, payload) SELECT 'metric.rebase_conflict_rate', '[1]' FROM generate_series(1, 150)",
      );
      await merges(database.admin, FACTS);
      const recorder = startDaemon(database);
      await until("all is recorded", () => recorder.memory()?.as_of.seq === FACTS.length);
      await recorder.stop();
      await database.admin.query("DELETE FROM events_outbox WHERE kind = 'metric.checkpoint'");
      expect(await compared(database)).toEqual(WHOLE);
      await using daemon = startDaemon(database);
      await daemon.event("reconciliation.completed");
      expect(daemon.memory()?.as_of.seq).toBe(FACTS.length);
      expect(daemon.all("merge.recorded")).toEqual([]);
    },
  );

  test("is refused with a gap or a repeat in its old part", async () => {
    await using database = await longLog();
    const { admin } = database;
    await admin.query(
      "DELETE FROM events_outbox WHERE kind = 'metric.first_pass_merge_rate' AND payload->>'seq' = '40'",
    );
    await expect(known(database)).rejects.toThrow(/set incomplete/);
    await using other = await longLog();
    await other.admin.query("DELETE FROM events_outbox WHERE id < 20");
    await other.admin.query(
      `INSERT INTO events_outbox (id, kind, work_item_id, payload)
       SELECT 1, kind, work_item_id, payload FROM events_outbox
        WHERE kind = 'metric.first_pass_merge_rate' AND payload->>'seq' = '1'`,
    );
    await expect(known(other)).rejects.toThrow(/seq|set (incomplete|surplus)/);
  });
});

test.each([
  ["\\N", null],
  ["", ""],
  ["a\\tb\\\\N\\n", "a\tb\\N\n"],
  ["\\\\N", "\\N"],
])("COPY's text %j is read as it was written", (field, text) => {
  expect(textOf(field)).toBe(text);
});
