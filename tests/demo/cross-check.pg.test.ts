/** The demo's cross-check must be able to fail: it agrees with a right journal, and finds a wrong number in one. */
import type pg from "pg";
import { beforeAll, expect, it } from "vitest";
import { crossCheck, unrecorded } from "../../demo/cross-check.ts";
import { scenario } from "../../demo/scenario.ts";
import { Analyzer, fold } from "../../src/core/analyzer.ts";
import type { EventRow } from "../../src/core/metric-event.ts";
import { type Snapshot, snapshotOf } from "../../src/core/snapshot.ts";
import { CONTRACT } from "../core/build.ts";
import { sharedDatabase } from "../support/shared-database.ts";

const MERGES = 140;

const database = sharedDatabase();
let client: pg.PoolClient;
let snapshot: Snapshot;

beforeAll(async () => {
  client = await database.admin.connect();
  const analyzer = new Analyzer(CONTRACT);
  const rows: EventRow[] = [];
  let merges = 0;
  for (const { item, attempts, lastVerdict, counts } of scenario(1)) {
    if (!counts) continue;
    const id = String((merges += 1));
    const merge = {
      eventId: id,
      workItemId: id,
      mergedAt: null,
      project: item.project,
      attempts,
      lastVerdict,
    };
    rows.push(...fold(analyzer, merge, "test"));
    if (merges === MERGES) break;
  }
  await client.query(
    `INSERT INTO events_outbox (kind, work_item_id, payload)
     SELECT 'phase.transition', id, '{"target":"merged"}' FROM generate_series(1, $1::int) AS id`,
    [MERGES],
  );
  await client.query(
    `INSERT INTO events_outbox (kind, work_item_id, payload)
     SELECT kind, "workItemId"::bigint, payload
       FROM jsonb_to_recordset($1) AS row (kind text, "workItemId" text, payload jsonb)`,
    [JSON.stringify(rows)],
  );
  snapshot = snapshotOf(analyzer, {
    generatedAt: "2026-11-22T10:00:00.000Z",
    running: 1,
    lag: { merges: 0, seconds: null },
  });
  return () => client.release();
});

it("agrees with a right journal: every reading of every scope, and both gates", async () => {
  expect(await crossCheck(client, snapshot)).toEqual({
    agrees: true,
    readings: 18,
    gates: 2,
    merges: MERGES,
  });
  expect(await unrecorded(client)).toBe(0);
});

it.each<[string, (wrong: Snapshot) => Snapshot, string]>([
  ["a count", (right) => withMetric(right, 1, { numerator: 99 }), "global rebase_conflict_rate"],
  ["a percentile", (right) => withMetric(right, 2, { value: 1 }), "global p95_attempts_to_merge"],
  [
    "a gate",
    (right) =>
      withMetric(right, 0, { gate: { name: "trust", state: "high", since: null, upper: 0.85, lower: 0.7 } }),
    "gate trust",
  ],
  [
    "the number of merges",
    (right) => ({ ...right, as_of: { ...right.as_of, seq: MERGES - 1 } }),
    "merges recorded",
  ],
])("says so when %s is wrong", async (_what, spoil, where) => {
  expect(await crossCheck(client, spoil(snapshot))).toEqual({
    agrees: false,
    differences: [expect.stringContaining(`${where}: SQL `)],
  });
});

it("says so when a merge was left out", async () => {
  await client.query("BEGIN");
  await client.query(
    `INSERT INTO events_outbox (kind, work_item_id, payload) VALUES ('phase.transition', 9999, '{"target":"merged"}')`,
  );
  expect(await unrecorded(client)).toBe(1);
  expect(await crossCheck(client, snapshot)).toEqual({
    agrees: false,
    differences: ["merges recorded: SQL 141, metrics 140"],
  });
  await client.query("ROLLBACK");
});

function withMetric(right: Snapshot, index: number, change: Partial<Snapshot["metrics"][number]>): Snapshot {
  return {
    ...right,
    metrics: right.metrics.map((metric, at) => (at === index ? { ...metric, ...change } : metric)),
  };
}
