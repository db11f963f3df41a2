import { describe, expect, test } from "vitest";
import { barrier } from "../support/barrier.ts";
import {
  comparable,
  configOf,
  snapshotFromLog,
  startDaemon,
  type TestDaemonOptions,
} from "../support/daemon.ts";
import { createDatabase, type TestDatabase } from "../support/database.ts";
import { violations } from "../support/oracle.ts";
import { CONFLICT, merge, merges, mergeUnder, REWORKED, times } from "../support/orchestrator.ts";
import { stopsBeforeRecording } from "../support/writer-gate.ts";

/** Runs a daemon until everything is recorded, and lets it go in good order. */
async function recorded(database: TestDatabase, options: TestDaemonOptions = {}) {
  await using daemon = startDaemon(database, options);
  await daemon.ready();
  await daemon.converged();
  const memory = daemon.memory();
  await daemon.stop();
  return { memory, restored: daemon.all("restore.completed")[0], daemon };
}

async function checkpoints(
  database: TestDatabase,
): Promise<{ id: string; item: string | null; payload: { seq: number } }[]> {
  const { rows } = await database.admin.query<{ id: string; item: string | null; payload: { seq: number } }>(
    "SELECT id::text, work_item_id::text AS item, payload FROM events_outbox WHERE kind = 'metric.checkpoint' ORDER BY id",
  );
  return rows;
}

const HISTORY = [
  ...times(70),
  ...times(40, CONFLICT),
  ...times(30, REWORKED),
  ...times(60, { project: "borealis" }),
];

describe("a checkpoint", () => {
  test("is left on shutdown, and a later start folds only what came after it", async () => {
    await using database = await createDatabase();
    await merges(database.admin, HISTORY);
    const first = await recorded(database);
    expect(await checkpoints(database)).toMatchObject([{ item: null, payload: { seq: 200 } }]);
    await merges(database.admin, times(120, CONFLICT));
    await recorded(database);
    const third = await recorded(database);
    expect(third.restored).toMatchObject({ seq: 320, from_checkpoint: 200, merges: 120 });
    expect(comparable(third.memory)).toEqual(comparable(await snapshotFromLog(database)));
    expect(first.restored).toMatchObject({ seq: 0, from_checkpoint: null });
    expect(await violations(database.admin)).toEqual([]);
  });

  test("gives the same memory as folding the whole journal", async () => {
    await using database = await createDatabase();
    await merges(database.admin, HISTORY);
    await recorded(database);
    await merges(database.admin, times(150, REWORKED));
    await recorded(database);
    const short = await recorded(database);
    await database.admin.query("DELETE FROM events_outbox WHERE kind = 'metric.checkpoint'");
    const whole = await recorded(database);
    expect(short.restored?.from_checkpoint).toBe(200);
    expect(whole.restored?.from_checkpoint).toBeNull();
    expect(comparable(whole.memory)).toEqual(comparable(short.memory));
  });

  test("is not written when nothing was recorded since the last one", async () => {
    await using database = await createDatabase();
    await merges(database.admin, times(3));
    await recorded(database);
    await recorded(database);
    await recorded(database);
    expect(await checkpoints(database)).toHaveLength(1);
  });

  test("is not written when another daemon's covers the same rows, whatever has been settled since", async () => {
    await using database = await createDatabase();
    await merges(database.admin, times(3));
    await recorded(database);
    await database.admin.query("SELECT setval(pg_get_serial_sequence('events_outbox', 'id'), 30000)");
    await merge(database.admin);
    const gate = barrier();
    await using slow = startDaemon(database, { wrap: stopsBeforeRecording(gate.wait, "page") });
    await gate.reached;
    await recorded(database);
    gate.open();
    await slow.event("reconciliation.completed");
    await slow.stop();
    expect(await checkpoints(database)).toHaveLength(2);
  });

  test("is written during a long backlog, at most 1000 merges apart, and when it is settled", async () => {
    await using database = await createDatabase();
    await merges(database.admin, times(2_500));
    await using daemon = startDaemon(database);
    await daemon.ready();
    const { rows } = await database.admin.query<{ seq: number; low: number }>(
      `SELECT (payload->>'seq')::int AS seq, (payload->>'low_mark')::int AS low FROM events_outbox
        WHERE kind = 'metric.checkpoint' ORDER BY id`,
    );
    const seqs = rows.map(({ seq }) => seq);
    expect(seqs.at(-1)).toBe(2_500);
    expect(Math.max(...seqs.map((seq, index) => seq - (seqs[index - 1] ?? 0)))).toBeLessThanOrEqual(1000);
    // Who begins from the last one need not read the backlog again.
    expect(rows.at(-1)?.low).toBeGreaterThanOrEqual(2_500);
    await daemon.crash();
    await merge(database.admin);
    const again = await recorded(database);
    expect(again.restored?.merges).toBeLessThan(2_500);
    expect(await violations(database.admin)).toEqual([]);
  });

  test("serves values after 20 merges, and proves 100 before the daemon writes", async () => {
    await using database = await createDatabase();
    for (let checkpoint = 50; checkpoint <= 200; checkpoint += 50) {
      await merges(database.admin, times(50, checkpoint === 150 ? CONFLICT : {}));
      await recorded(database);
    }
    await using first = startDaemon(database);
    await merges(database.admin, times(30));
    await first.converged();
    const memory = comparable(first.memory());
    await first.crash();
    const read = new Set<number>();
    await using again = startDaemon(database, {
      wrap: (log) => ({
        ...log,
        checkpoint: async (rowId) => {
          const payload = await log.checkpoint(rowId);
          read.add(Number(JSON.parse(payload ?? "{}").seq));
          return payload;
        },
      }),
    });
    await again.ready();
    expect(again.all("restore.completed")).toMatchObject([{ seq: 230, from_checkpoint: 200, merges: 30 }]);
    expect(comparable(again.memory())).toEqual(memory);
    await merge(database.admin, CONFLICT);
    await again.converged();
    expect(read).toEqual(new Set([200, 100]));
    expect(again.all("restore.completed")).toHaveLength(1);
    expect(comparable(again.memory())).toEqual(comparable(await snapshotFromLog(database)));
    expect(await violations(database.admin)).toEqual([]);
  });

  test("ends a backlog of pages where the next start needs one: 100 merges back and 20", async () => {
    await using database = await createDatabase();
    await merges(database.admin, times(2_500));
    await using daemon = startDaemon(database);
    await daemon.ready();
    await daemon.crash();
    const seqs = (await checkpoints(database)).map(({ payload: { seq } }) => seq);
    expect(seqs).toEqual(expect.arrayContaining([2_400, 2_480, 2_500]));
  });

  test("lets windows continue over rows that went from the old end", async () => {
    await using database = await createDatabase();
    await merges(database.admin, HISTORY);
    const before = await recorded(database);
    const [checkpoint] = await checkpoints(database);
    await database.admin.query("DELETE FROM events_outbox WHERE id < $1", [checkpoint?.id]);
    await using after = startDaemon(database);
    await after.ready();
    expect(comparable(after.memory())).toEqual(comparable(before.memory));
    await after.stop();
    await merge(database.admin, CONFLICT);
    const next = await recorded(database);
    expect(next.memory?.metrics[1]).toMatchObject({ metric: "rebase_conflict_rate", n: 100 });
    expect(next.memory?.as_of.seq).toBe(201);
    expect(comparable(await snapshotFromLog(database))).toEqual(comparable(next.memory));
  });

  test("lets windows continue where it alone is left, and nothing that it knows of is recorded again", async () => {
    await using database = await createDatabase();
    await merges(database.admin, times(90));
    const before = await recorded(database);
    await database.admin.query(
      "DELETE FROM events_outbox WHERE kind LIKE 'metric.%' AND kind <> 'metric.checkpoint'",
    );
    await using daemon = startDaemon(database, { auditIntervalMs: 30 });
    await daemon.event("reconciliation.completed");
    expect(comparable(daemon.memory())).toEqual(comparable(before.memory));
    await merge(database.admin, CONFLICT);
    await daemon.event("merge.recorded");
    await daemon.event("reconciliation.completed", undefined, daemon.mark());
    expect(daemon.all("merge.recorded")).toMatchObject([{ seq: 91 }]);
    expect(comparable(daemon.memory())).toEqual(comparable(await snapshotFromLog(database)));
    await daemon.stop();
  });

  test("does not replace rows deleted from the new end: their merges are recorded again, in their places", async () => {
    await using database = await createDatabase();
    await merges(database.admin, times(90));
    await recorded(database);
    await database.admin.query(
      "DELETE FROM events_outbox WHERE kind LIKE 'metric.%' AND (payload->'merge'->>'event_id')::int > 80",
    );
    const { memory, restored } = await recorded(database);
    expect(restored).toMatchObject({ from_checkpoint: null, seq: 80 });
    expect(memory?.as_of.seq).toBe(90);
    expect(await violations(database.admin)).toEqual([]);
    expect((await recorded(database)).restored).toMatchObject({ seq: 90 });
  });

  test("shortens the way also where the last merge lies a hundred thousand rows back", async () => {
    await using database = await createDatabase();
    for (let round = 0; round < 2; round += 1) {
      await merges(database.admin, times(110));
      await recorded(database);
    }
    await database.admin.query(
      `INSERT INTO events_outbox (kind, payload) SELECT 'heartbeat', '{}' FROM generate_series(1, 100001)`,
    );
    const { restored, memory } = await recorded(database);
    expect(restored).toMatchObject({ seq: 220, from_checkpoint: 110 });
    await database.admin.query(
      "DELETE FROM events_outbox WHERE kind LIKE 'metric.%' AND kind <> 'metric.checkpoint'",
    );
    await using alone = startDaemon(database);
    await alone.ready();
    expect(alone.all("restore.completed")).toMatchObject([{ seq: 220, from_checkpoint: 220 }]);
    expect(comparable(alone.memory())).toEqual(comparable(memory));
    await alone.stop();
  });

  test("is found where ids have nineteen digits", async () => {
    await using database = await createDatabase();
    await database.admin.query("SELECT setval('events_outbox_id_seq', 1000000000000000000)");
    for (let round = 0; round < 2; round += 1) {
      await merges(database.admin, times(110));
      await recorded(database);
    }
    expect((await recorded(database)).restored).toMatchObject({ seq: 220, from_checkpoint: 110 });
    expect(await violations(database.admin)).toEqual([]);
  });

  test("carries the merge's own work item where the outbox takes no row without one, and is found all the same", async () => {
    await using database = await createDatabase();
    await database.admin.query("ALTER TABLE events_outbox ALTER work_item_id SET NOT NULL");
    await merges(database.admin, times(110));
    await recorded(database);
    await merges(database.admin, times(110));
    const newest = (await checkpoints(database))[0];
    expect(newest?.item).toBe("110");
    await recorded(database);
    const { restored } = await recorded(database);
    expect(restored).toMatchObject({ from_checkpoint: 110, merges: 110 });
    expect(await violations(database.admin)).toEqual([]);
  });

  test("of 3,000 projects is written less often, but 20 merges before a backlog's end too, and serves", async () => {
    await using database = await createDatabase();
    await merges(
      database.admin,
      Array.from({ length: 3_000 }, (_, index) => ({ project: `p${index}` })),
    );
    const first = await recorded(database);
    const seqs = (await checkpoints(database)).map(({ payload: { seq } }) => seq);
    expect(seqs).toEqual(expect.arrayContaining([2_980, 3_000]));
    await merges(database.admin, times(101));
    await recorded(database);
    const { restored, memory } = await recorded(database);
    expect(restored).toMatchObject({ from_checkpoint: 3_000, projects: 3_001 });
    expect(first.memory?.metrics).toHaveLength(3 + 3 * 3_000);
    expect(memory?.as_of.seq).toBe(3_101);
  });
});

async function withCheckpoint(): Promise<TestDatabase> {
  const database = await createDatabase();
  await merges(database.admin, HISTORY);
  await recorded(database);
  await merges(database.admin, times(120));
  await recorded(database);
  return database;
}

describe("an unusable checkpoint is skipped, and the journal is replayed", () => {
  test.each([
    ["a newer schema", `jsonb_set(payload, '{schema_version}', '99')`, /schema_version 99/],
    ["facts that are none", `jsonb_set(payload, '{global,facts}', '"1*x"')`, /facts cannot be read/],
    [
      "a forged window, which the rows after it contradict",
      `jsonb_set(payload, '{global,facts}', '"2*100"')`,
      /contradict it/,
    ],
    ["a forged place in the order", `jsonb_set(payload, '{global,seq}', '150')`, /contradict it/],
  ])("%s", async (_, edit, reason) => {
    await using database = await withCheckpoint();
    const honest = comparable(await snapshotFromLog(database));
    await database.admin.query(
      `UPDATE events_outbox SET payload = ${edit} WHERE kind = 'metric.checkpoint' AND payload->>'seq' = '200'`,
    );
    const { restored, memory, daemon } = await recorded(database);
    expect(restored).toMatchObject({ from_checkpoint: null, seq: 320 });
    expect(daemon.all("checkpoint.unusable")[0]?.reason).toMatch(reason);
    expect(comparable(memory)).toEqual(honest);
  });

  test("windows that were configured larger since fill from the journal's facts", async () => {
    await using database = await withCheckpoint();
    const { metrics } = configOf(database.daemonUrl);
    const larger = metrics.map((metric) => ({ ...metric, window: metric.window * 2 }));
    const { restored, memory } = await recorded(database, { metrics: larger });
    expect(restored?.from_checkpoint).toBeNull();
    expect(memory?.metrics[1]).toMatchObject({ metric: "rebase_conflict_rate", n: 200, window: 200 });
  });
});

test("a late merge with an id below the checkpoint's low-water mark is found by reconciliation, and recorded", async () => {
  await using database = await createDatabase();
  await database.admin.query("SELECT setval('events_outbox_id_seq', 1000)");
  await merges(database.admin, times(100));
  await recorded(database);
  await merges(database.admin, times(110));
  await recorded(database);
  // An id given by hand shows in no lock.
  await mergeUnder(database.admin, "17");
  await using daemon = startDaemon(database);
  const late = await daemon.event("merge.recorded");
  expect(late).toMatchObject({ event_id: "17", seq: 211, late: true, found_by: "reconciliation" });
  await daemon.stop();
  expect(await violations(database.admin)).toEqual([]);
});

test("merges whose rows went from the journal's old end are not recorded again, whatever the checkpoint knows", async () => {
  await using database = await createDatabase();
  await merges(database.admin, times(250));
  await recorded(database);
  await database.admin.query(
    "DELETE FROM events_outbox WHERE kind LIKE 'metric.%' AND kind <> 'metric.checkpoint' AND id < (SELECT min(id) + 400 FROM events_outbox WHERE kind LIKE 'metric.%')",
  );
  await using daemon = startDaemon(database);
  await daemon.ready();
  await daemon.event("reconciliation.completed");
  expect(daemon.all("merge.recorded")).toEqual([]);
  expect(daemon.memory()?.as_of.seq).toBe(250);
  await daemon.stop();
});
