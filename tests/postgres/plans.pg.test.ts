/** How the server plans what is said often, and what a restart asks: by indexes, whatever the size of the log. */
import { beforeAll, expect, it } from "vitest";
import { LARGEST_ID } from "../../src/core/event-id.ts";
import { checkpoints } from "../../src/postgres/checkpoints.ts";
import type { Connection } from "../../src/postgres/connection.ts";
import { sinceStatement } from "../../src/postgres/journal.ts";
import { mergeSource } from "../../src/postgres/merge-source.ts";
import { namesIn, type Outbox } from "../../src/postgres/names.ts";
import { pollStatements } from "../../src/postgres/poll.ts";
import { preflight } from "../../src/postgres/preflight.ts";
import { PLANNED_ONCE, prepare } from "../../src/postgres/prepared.ts";
import { connectTo } from "../support/connection.ts";
import { sharedDatabase } from "../support/shared-database.ts";

const NAMES = namesIn("public");
const database = sharedDatabase();
let connection: Connection;
let outbox: Outbox;

beforeAll(async () => {
  connection = await connectTo(database);
  outbox = { ...NAMES, query: connection.read };
  return () => connection.end();
});

it("a session that a pooler may exchange keeps no statements: they are said in full", async () => {
  const statement = {
    name: "twice",
    types: ["bigint"],
    text: (value: string) => `SELECT 2 * ${value} AS two`,
  };
  const { backend } = await preflight(outbox);
  const pooled = await prepare({ ...connection, processId: 4711 }, backend, [statement]);
  expect(pooled.say(statement, 21n)).toBe("SELECT 2 * 21 AS two");
  expect(pooled.name("insert")).toBeUndefined();

  const kept = await prepare(connection, backend, [statement]);
  expect((await connection.read(kept.say(statement, 21n))).rows[0]?.["two"]).toBe("42");
  expect(kept.name("insert")).toBe("metrics_insert");
});

it("what was planned on an empty table and without values goes by the table's indexes when it has grown, and when its statistics are known", async () => {
  const { watched, columns, backend } = await preflight(outbox);
  const source = mergeSource(outbox, { kind: "phase.transition", target: "merged" }, columns);
  const statements = pollStatements(NAMES, watched, source);
  const since = sinceStatement(NAMES);
  const { say } = await prepare(connection, backend, [...Object.values(statements), since]);
  const texts = [
    say(statements.merges, 0n, 20_000n),
    say(statements.peerWrites, 0n, "1"),
    say(statements.seen, "1"),
    say(since, "1", 0n),
  ];
  for (const text of texts) await connection.readEach([PLANNED_ONCE, text]);
  const planned = async (): Promise<string> => {
    let plans = "";
    for (const text of texts) {
      const [, plan] = await connection.readEach([PLANNED_ONCE, `EXPLAIN (COSTS off) ${text}`]);
      plans += plan?.rows.map((row) => `${row["QUERY PLAN"]}\n`).join("") ?? "";
    }
    return plans;
  };
  await database.admin.query(
    `INSERT INTO events_outbox (kind, payload)
     SELECT CASE WHEN i % 2 = 0 THEN 'note' ELSE 'metric.note' END, '{}' FROM generate_series(1, 50000) i`,
  );
  const unaware = await planned();
  expect(unaware).not.toMatch(/(Seq|Bitmap Heap) Scan on (events_outbox|work_items)( |$)/m);
  await database.admin.query("ANALYZE events_outbox");
  const aware = await planned();
  expect(aware).not.toBe("");
  expect(aware).not.toMatch(/(Seq|Bitmap Heap) Scan on (events_outbox|work_items)( |$)/m);
});

it("the newest checkpoints are found without a look at the older ones, however many there are", async () => {
  await database.admin.query(
    `INSERT INTO events_outbox (kind, payload) SELECT 'metric.checkpoint', jsonb_build_object('seq', i, 'low_mark', i)
       FROM generate_series(1, 2000) i`,
  );
  await database.admin.query("ANALYZE events_outbox");
  const { columns } = await preflight(outbox);
  let statement = "";
  const query = (text: string) => {
    statement = text;
    return connection.read(text);
  };
  const newestFirst = checkpoints({ ...NAMES, query }, columns, LARGEST_ID);
  const found = await newestFirst[Symbol.asyncIterator]().next();
  expect(found.value?.seq).toBe(2000);
  const { rows } = await connection.read(`EXPLAIN (ANALYZE, FORMAT JSON) ${statement}`);
  const plan = rows[0]?.["QUERY PLAN"] ?? "";
  expect(plan).toContain('"Index Scan"');
  expect(plan).not.toContain('"Sort"');
});
