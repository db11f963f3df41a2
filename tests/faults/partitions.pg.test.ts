/**
 * An outbox in partitions. With the key (created_at, id) no index leads to ids, and an id may be there twice. An administrator may
 * forget to make the next partition.
 */
import { setTimeout as elapsed } from "node:timers/promises";
import { expect, it } from "vitest";
import { setsOf } from "../../src/postgres/facts.ts";
import { mergeSource } from "../../src/postgres/merge-source.ts";
import { namesIn } from "../../src/postgres/names.ts";
import { preflight } from "../../src/postgres/preflight.ts";
import { connectTo } from "../support/connection.ts";
import { snapshotFromLog, startDaemon } from "../support/daemon.ts";
import { createDatabase, type TestDatabase } from "../support/database.ts";
import { merges, mergeUnder, times } from "../support/orchestrator.ts";
import { PARTITIONED } from "../support/orchestrator-schema.ts";
import { expectRight } from "../support/right.ts";
import { until } from "../support/until.ts";

async function partitioned(): Promise<TestDatabase> {
  const database = await createDatabase();
  await database.admin.query(PARTITIONED.replaceAll("$role", database.role));
  return database;
}

it("idle looks take at most a hundredth of the time, and a merge that is notified is recorded at once", async () => {
  await using database = await partitioned();
  const looks: { readonly from: number; readonly to: number }[] = [];
  await using daemon = startDaemon(database, {
    wrap: (log) => ({
      ...log,
      poll: async (known) => {
        const from = performance.now();
        // As over a long table.
        await elapsed(3);
        const look = await log.poll(known);
        looks.push({ from, to: performance.now() });
        return look;
      },
    }),
  });
  expect(await daemon.event("db.warning")).toMatchObject({
    warning: expect.stringContaining("CREATE INDEX ON public.events_outbox (id)"),
  });
  await daemon.event("reconciliation.completed");
  const idle = looks.length;
  await until("three idle looks", () => looks.length >= idle + 3);
  for (let index = idle; index < idle + 2; index += 1) {
    const [look, next] = [looks[index], looks[index + 1]];
    if (look === undefined || next === undefined) throw new Error("no look");
    expect(next.from - look.to).toBeGreaterThanOrEqual(99 * (look.to - look.from));
  }
  await merges(database.admin, times(3));
  daemon.ring();
  await expectRight(database, daemon);
});

it("ids that are there twice stop no statement", async () => {
  await using database = await partitioned();
  await merges(database.admin, times(110));
  await using daemon = startDaemon(database);
  await daemon.converged();
  // Whatever row there is, of whatever kind, its id is there once more.
  await database.admin.query(
    `INSERT INTO events_outbox (id, kind, payload, created_at)
     SELECT id, 'phase.note', '{}', '2010-01-01'::timestamptz + id * interval '1 second' FROM events_outbox`,
  );
  await merges(database.admin, times(5));
  daemon.ring();
  await daemon.converged();
  await daemon.stop();
  expect((await snapshotFromLog(database)).as_of.seq).toBe(115);
  await using next = startDaemon(database);
  await merges(database.admin, times(5));
  await next.converged();
  expect(
    [...daemon.events, ...next.events].filter(
      ({ event }) => event === "db.disconnected" || event === "db.refused" || event === "history.reset",
    ),
  ).toEqual([]);
  expect(next.memory()).toMatchObject({ as_of: { seq: 120 } });
});

it("the more partitions there are, the fewer merges one statement looks up, as each lookup visits all of them", async () => {
  await using database = await partitioned();
  // 29 partitions under one that has no rows of its own, and outbox_now.
  await database.admin.query(`
    DROP TABLE outbox_then;
    CREATE TABLE outbox_then PARTITION OF events_outbox FOR VALUES FROM (MINVALUE) TO ('2020-01-01') PARTITION BY RANGE (created_at);
    DO $$ BEGIN FOR nth IN 0..28 LOOP
      EXECUTE format('CREATE TABLE outbox_%s PARTITION OF outbox_then FOR VALUES FROM (%L) TO (%L)', nth,
        '2010-01-01'::timestamptz + nth * interval '1 day', '2010-01-02'::timestamptz + nth * interval '1 day');
    END LOOP; END $$;
    CREATE INDEX ON events_outbox (id);
    INSERT INTO work_items (project, attempts) SELECT 'atlas', 1 FROM generate_series(1, 7000);
    INSERT INTO events_outbox (kind, work_item_id, payload, created_at)
      SELECT 'phase.transition', nth, '{"target": "merged"}', '2010-01-01'::timestamptz + nth * interval '5 minutes' FROM generate_series(1, 7000) nth`);
  const connection = await connectTo(database);
  const answers: number[] = [];
  const outbox = {
    ...namesIn("public"),
    query: async (text: string) => {
      const answer = await connection.read(text);
      answers.push(answer.rows.length);
      return answer;
    },
  };
  const { columns } = await preflight(outbox);
  expect(columns.partitions).toBe(30);
  const source = mergeSource(outbox, { kind: "phase.transition", target: "merged" }, columns);

  answers.length = 0;
  const found = await source.merges(0n, 20_000n);
  expect(answers).toEqual([3_333, 3_333, 334]);
  expect(found.map(({ workItemId }) => Number(workItemId))).toEqual(
    Array.from({ length: 7_000 }, (_, index) => index + 1),
  );
  answers.length = 0;
  expect((await source.otherMerges(found)).size).toBe(0);
  expect(answers).toHaveLength(3);
  answers.length = 0;
  const ids = found.map(({ eventId }) => Number(eventId));
  expect(await setsOf(outbox, columns, ids, 20_000n)).toEqual([]);
  expect(answers).toHaveLength(3);
  await connection.end();
});

it("where the next partition is missing nothing is recorded, the remedy is logged, and with it recording continues", async () => {
  await using database = await createDatabase();
  // The sequence gives ids of the missing partition next: the orchestrator's last row has still found its place.
  await database.admin.query(`
    ALTER SEQUENCE events_outbox_id_seq OWNED BY NONE;
    DROP TABLE events_outbox;
    CREATE TABLE events_outbox (id bigint PRIMARY KEY DEFAULT nextval('events_outbox_id_seq'), kind text NOT NULL,
      work_item_id bigint, payload jsonb NOT NULL DEFAULT '{}', created_at timestamptz NOT NULL DEFAULT now())
      PARTITION BY RANGE (id);
    CREATE TABLE outbox_0 PARTITION OF events_outbox FOR VALUES FROM (MINVALUE) TO (1000);
    CREATE INDEX ON events_outbox (work_item_id, kind, created_at);
    GRANT SELECT, INSERT (kind, work_item_id, payload) ON events_outbox TO ${database.role}`);
  await merges(database.admin, times(3));
  await using daemon = startDaemon(database);
  await daemon.converged();
  await database.admin.query("SELECT setval('events_outbox_id_seq', 999)");
  const { eventId } = await mergeUnder(database.admin, "999");
  daemon.ring();
  expect(await daemon.event("db.unfit")).toMatchObject({
    reason: "append_refused",
    problems: [expect.stringMatching(/23514: .*: no partition by RANGE \(id\) takes them; add the one/)],
  });
  expect(daemon.all("merge.refused")).toEqual([]);
  await database.admin.query(
    "CREATE TABLE outbox_1 PARTITION OF events_outbox FOR VALUES FROM (1000) TO (MAXVALUE)",
  );
  expect(await daemon.event("merge.recorded", ({ event_id }) => event_id === eventId)).toMatchObject({
    seq: 4,
  });
  await expectRight(database, daemon);
});
