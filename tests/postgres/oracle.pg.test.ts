/** The oracle's own tests: it finds nothing wrong with a right log, and everything that is broken by hand. */
import type pg from "pg";
import { beforeAll, describe, expect, it } from "vitest";
import { FIRST_PASS, OF_SEQ, set } from "../support/breaking.ts";
import { startDaemon } from "../support/daemon.ts";
import { naiveReadings, violations } from "../support/oracle.ts";
import { eventful, merge, merges, transitions } from "../support/orchestrator.ts";
import { sharedDatabase } from "../support/shared-database.ts";

const database = sharedDatabase();

beforeAll(async () => {
  const made = await merges(database.admin, eventful());
  await merge(database.admin, { attempts: 0 });
  await transitions(database.admin, [made[3]?.itemId ?? ""]);
  await using daemon = startDaemon(database);
  await daemon.converged();
  await daemon.stop();
});

it("finds nothing wrong with a log that the daemon wrote", async () => {
  expect(await violations(database.admin)).toEqual([]);
});

it("counts readings from the newest facts", async () => {
  expect(await naiveReadings(database.admin)).toEqual([
    { metric: "first_pass_merge_rate", project: null, value: 1, numerator: 50, n: 50 },
    { metric: "rebase_conflict_rate", project: null, value: 0, numerator: 0, n: 100 },
    { metric: "p95_attempts_to_merge", project: null, value: 1, numerator: null, n: 100 },
    { metric: "first_pass_merge_rate", project: "atlas", value: 1, numerator: 50, n: 50 },
    { metric: "rebase_conflict_rate", project: "atlas", value: 0.09, numerator: 9, n: 100 },
    { metric: "p95_attempts_to_merge", project: "atlas", value: 1, numerator: null, n: 100 },
    { metric: "first_pass_merge_rate", project: "zeus", value: 0.9, numerator: 45, n: 50 },
    { metric: "rebase_conflict_rate", project: "zeus", value: null, numerator: 3, n: 58 },
    { metric: "p95_attempts_to_merge", project: "zeus", value: null, numerator: null, n: 58 },
  ]);
});

const A_CROSSING = (nth: number) =>
  `id = (SELECT id FROM events_outbox WHERE kind = 'metric.threshold_crossed' ORDER BY id OFFSET ${nth} LIMIT 1)`;

describe("catches", () => {
  const broken: readonly (readonly [what: string, finding: RegExp, statement: string])[] = [
    ["an unrecorded merge", /^I1 a merge is not recorded/, `DELETE FROM events_outbox WHERE ${OF_SEQ(232)}`],
    [
      "an unrecorded merge without a work item",
      /^I1 a merge is not recorded/,
      `INSERT INTO events_outbox (kind, payload) VALUES ('phase.transition', '{"target": "merged"}')`,
    ],
    [
      "a merge recorded twice",
      /^I1 a merge is recorded again/,
      `INSERT INTO events_outbox (kind, work_item_id, payload) SELECT kind, work_item_id, payload FROM events_outbox WHERE ${OF_SEQ(9)} ORDER BY id`,
    ],
    [
      "a merge both recorded and skipped",
      /^I1 a merge is recorded again/,
      `INSERT INTO events_outbox (kind, work_item_id, payload) SELECT 'metric.merge_skipped', work_item_id,
         payload || '{"key": "merge_skipped|9"}' FROM events_outbox WHERE ${OF_SEQ(9, FIRST_PASS)}`,
    ],
    [
      "a repeat recorded as a merge of its own",
      /^I1 a merge is recorded again/,
      `INSERT INTO events_outbox (kind, work_item_id, payload) SELECT kind, work_item_id, jsonb_set(payload, '{merge,event_id}',
         to_jsonb((SELECT max(id) FROM events_outbox WHERE kind = 'phase.transition')::text)) FROM events_outbox WHERE ${OF_SEQ(4)} ORDER BY id`,
    ],
    [
      "an orphan",
      /^I1 a row has no merge/,
      `DELETE FROM events_outbox WHERE kind = 'phase.transition' AND id = 20`,
    ],
    [
      "a row under another item than its merge's",
      /^I1 a row has no merge/,
      `UPDATE events_outbox SET work_item_id = 7 WHERE ${OF_SEQ(20, FIRST_PASS)}`,
    ],
    [
      "a set with a row missing",
      /^I1 a set is not whole/,
      `DELETE FROM events_outbox WHERE ${OF_SEQ(30, "kind = 'metric.p95_attempts_to_merge'")}`,
    ],
    [
      "a set written in two transactions",
      /^I1 a set is not whole/,
      `UPDATE events_outbox SET kind = kind WHERE ${OF_SEQ(30, FIRST_PASS)}`,
    ],
    [
      "a set in another order",
      /^I1 a set is not whole/,
      `UPDATE events_outbox SET id = nextval('events_outbox_id_seq') WHERE ${OF_SEQ(30, FIRST_PASS)}`,
    ],
    [
      "another fact in one row of a set",
      /^I1 a set is not whole/,
      set("merge,attempts", "2", OF_SEQ(70, "kind = 'metric.p95_attempts_to_merge'")),
    ],
    ["a wrong value", /^I2/, set("value", "0.5", OF_SEQ(60, FIRST_PASS))],
    ["a wrong numerator", /^I2/, set("numerator", "49", OF_SEQ(60, FIRST_PASS))],
    ["a wrong n", /^I2/, set("n", "48", OF_SEQ(49, FIRST_PASS))],
    ["a value before the window is full", /^I2/, set("value", "1.0", OF_SEQ(49, FIRST_PASS))],
    ["no value though the window is full", /^I2/, set("value", "null", OF_SEQ(50, FIRST_PASS))],
    ["a wrong percentile", /^I2/, set("value", "2", OF_SEQ(230, "kind = 'metric.p95_attempts_to_merge'"))],
    [
      "a wrong value of a project",
      /^I2/,
      set("numerator", "3", OF_SEQ(229, "payload->>'scope' = 'project'")),
    ],
    [
      "facts that were changed everywhere",
      /^I2/,
      `UPDATE events_outbox SET payload = jsonb_set(payload, '{merge,attempts}', '2') WHERE ${OF_SEQ(40)}`,
    ],
    ["another window", /^I2/, set("window", "60", OF_SEQ(60, FIRST_PASS))],
    ["a crossing that is missing", /^I3 a state/, `DELETE FROM events_outbox WHERE ${A_CROSSING(3)}`],
    [
      "a crossing that is not due",
      /^I3 a state/,
      `INSERT INTO events_outbox (kind, work_item_id, payload) SELECT 'metric.threshold_crossed', work_item_id, payload
         || '{"gate": "trust", "direction": "up", "from": "low", "to": "high", "upper": 0.85, "lower": 0.7, "previous": null}' FROM events_outbox
        WHERE ${OF_SEQ(70, FIRST_PASS)}`,
    ],
    [
      "a crossing without its row",
      /^I3 a crossing has no row/,
      `UPDATE events_outbox SET payload = jsonb_set(payload, '{seq}', '999') WHERE ${A_CROSSING(1)}`,
    ],
    ["a state that does not follow", /^I3 a state/, set("state", '"low"', OF_SEQ(60, FIRST_PASS))],
    ["another direction", /^I3 a state/, set("direction", '"up"', A_CROSSING(2))],
    ["another bound", /^I3 a state/, set("upper", "0.9", A_CROSSING(1))],
    ["a crossing from elsewhere", /^I3 a state/, set("from", '"unknown"', A_CROSSING(3))],
    ["a crossing that forgets the one before", /^I3 a state/, set("previous", "null", A_CROSSING(4))],
    [
      "a gap in seq",
      /^I6 seq/,
      `UPDATE events_outbox SET payload = jsonb_set(payload, '{seq}', to_jsonb((payload->>'seq')::int + 1))
        WHERE kind LIKE 'metric.%' AND payload->>'scope' = 'global' AND (payload->>'seq')::int > 100`,
    ],
    [
      "a gap in a project's seq",
      /^I6 seq/,
      `UPDATE events_outbox SET payload = jsonb_set(payload, '{seq}', to_jsonb((payload->>'seq')::int + 1))
        WHERE kind LIKE 'metric.%' AND payload->>'project' = 'zeus' AND (payload->>'seq')::int > 20`,
    ],
    ["a log that begins above 1", /^I6 seq/, `DELETE FROM events_outbox WHERE ${OF_SEQ(1)}`],
    [
      "a checkpoint written twice",
      /^I6 a key/,
      "INSERT INTO events_outbox (kind, payload) SELECT kind, payload FROM events_outbox WHERE kind = 'metric.checkpoint'",
    ],
    ["a key used twice", /^I6 a key/, set("key", '"first_pass_merge_rate|global|5"', OF_SEQ(60, FIRST_PASS))],
    [
      "an effective rate that is not its own",
      /^effective/,
      set("effective,scope", '"global"', OF_SEQ(229, "payload->>'scope' = 'project'")),
    ],
    [
      "an effective rate of the young that is not the global one",
      /^effective/,
      set("effective,value", "0.01", OF_SEQ(232, "payload->>'scope' = 'project'")),
    ],
    [
      "a missing field",
      /^a row is not/,
      `UPDATE events_outbox SET payload = payload - 'value' WHERE ${OF_SEQ(12, FIRST_PASS)}`,
    ],
  ];

  it.each(broken)("%s", async (_, finding, statement) => {
    const found = await after(statement, (client) => violations(client));
    expect(found).toContainEqual(expect.stringMatching(finding));
  });
});

it("accepts a pruned log if it is announced, and still checks the remaining rows", async () => {
  const prune =
    "DELETE FROM events_outbox WHERE id < (SELECT min(id) + 251 FROM events_outbox WHERE kind LIKE 'metric.%')";
  expect(await after(prune, (client) => violations(client, { pruned: true }))).toEqual([]);
  const broken = `${prune}; ${set("value", "0.42", OF_SEQ(200, FIRST_PASS))}`;
  expect(await after(broken, (client) => violations(client, { pruned: true }))).toContainEqual(
    expect.stringMatching(/^I2/),
  );
});

/** What is seen after statements that are undone at the end; each must have changed something. */
async function after<T>(statements: string, see: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await database.admin.connect();
  try {
    await client.query("BEGIN");
    for (const statement of statements.split(";")) {
      const { rowCount } = await client.query(statement);
      expect(rowCount).toBeGreaterThan(0);
    }
    return await see(client);
  } finally {
    await client.query("ROLLBACK");
    client.release();
  }
}
