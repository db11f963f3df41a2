/** What is recorded is known exactly, whatever became of the rows: their columns, their ids, the rows themselves. */
import { describe, expect, it } from "vitest";
import { sendAway } from "../support/backends.ts";
import { barrier } from "../support/barrier.ts";
import { comparable, snapshotFromLog, startDaemon, type TestDaemon } from "../support/daemon.ts";
import { createDatabase, type TestDatabase } from "../support/database.ts";
import { violations } from "../support/oracle.ts";
import {
  drawId,
  hold,
  merge,
  merges,
  mergeUnder,
  REWORKED,
  times,
  transitions,
} from "../support/orchestrator.ts";
import { record } from "../support/recorded.ts";
import { stopsBeforeRecording } from "../support/writer-gate.ts";

/** A reconciliation that begins after this call. */
async function compared(daemon: TestDaemon): Promise<void> {
  const mark = daemon.mark();
  await daemon.event("reconciliation.completed", undefined, mark);
  await daemon.event("reconciliation.completed", undefined, daemon.mark());
}

async function recordsOf(database: TestDatabase): Promise<readonly string[]> {
  const { rows } = await database.admin.query<{ event: string }>(
    `SELECT payload->'merge'->>'event_id' AS event FROM events_outbox
      WHERE kind IN ('metric.first_pass_merge_rate', 'metric.merge_skipped') ORDER BY id`,
  );
  return rows.map(({ event }) => event);
}

describe("work_item_id that becomes null after recording:", () => {
  it.each([
    [
      "by a foreign key",
      "ALTER TABLE events_outbox ADD FOREIGN KEY (work_item_id) REFERENCES work_items ON DELETE SET NULL",
      "DELETE FROM work_items",
    ],
    ["by an update of all rows", "SELECT 1", "UPDATE events_outbox SET work_item_id = NULL"],
    [
      "by an update of our rows",
      "SELECT 1",
      "UPDATE events_outbox SET work_item_id = NULL WHERE kind LIKE 'metric.%'",
    ],
  ])("%s, under the daemon and over restarts with a checkpoint and without", async (_, before, then) => {
    await using database = await createDatabase();
    await database.admin.query(before);
    await merges(database.admin, times(30));
    await using daemon = startDaemon(database, { auditIntervalMs: 30 });
    await daemon.converged();
    await database.admin.query(then);
    await compared(daemon);
    const { eventId } = await merge(database.admin);
    await daemon.event("merge.recorded", (one) => one.event_id === eventId);
    await daemon.stop();
    for (const checkpoints of ["kept", "none"]) {
      if (checkpoints === "none")
        await database.admin.query("DELETE FROM events_outbox WHERE kind = 'metric.checkpoint'");
      await using again = startDaemon(database, { auditIntervalMs: 30 });
      await again.ready();
      await compared(again);
      expect(again.memory()?.as_of.seq).toBe(31);
      await again.crash();
    }
    const events = await recordsOf(database);
    expect(events).toHaveLength(31);
    expect(new Set(events).size).toBe(31);
  });
});

describe("retention of metric.* rows alone,", () => {
  const METRIC_ROWS = "kind LIKE 'metric.%' AND kind <> 'metric.checkpoint'";

  it.each(["under the daemon", "between two"] as const)(
    "around merges that commit late, %s: each is recorded once, and windows continue",
    async (when) => {
      await using database = await createDatabase();
      await using late = await hold(database);
      await merge(late.client);
      await merges(database.admin, times(60));
      await using daemon = startDaemon(database, { auditIntervalMs: 30 });
      await daemon.event("merge.recorded", ({ seq }) => seq === 60);
      const early = await hold(database);
      const another = await merge(early.client, REWORKED);
      await merges(database.admin, times(60));
      await daemon.event("merge.recorded", ({ seq }) => seq === 120);
      if (when === "between two") await daemon.stop();
      // All before the newest checkpoint, which the stop or the hundredth merge has left.
      await database.admin.query(
        `DELETE FROM events_outbox WHERE ${METRIC_ROWS} AND id < (SELECT max(id) FROM events_outbox WHERE kind = 'metric.checkpoint')`,
      );
      const left = (await recordsOf(database)).length;
      await using next = when === "between two" ? startDaemon(database, { auditIntervalMs: 30 }) : daemon;
      await compared(next);
      await late.commit();
      await next.event("merge.recorded", ({ seq }) => seq === 121);
      await early.commit();
      await next.event("merge.recorded", ({ event_id }) => event_id === another.eventId);
      await compared(next);
      expect(next.memory()).toMatchObject({ as_of: { seq: 122 }, history_truncated: false });
      const events = await recordsOf(database);
      expect(events).toHaveLength(left + 2);
      expect(new Set(events).size).toBe(left + 2);
      expect(next.all("merge.presumed_recorded")).toEqual([]);
    },
  );

  it("a work item that merges again after its record is gone is a duplicate", async () => {
    await using database = await createDatabase();
    const ids = await merges(database.admin, times(60));
    await record(database);
    await database.admin.query(`DELETE FROM events_outbox WHERE ${METRIC_ROWS}`);
    await using daemon = startDaemon(database, { auditIntervalMs: 30 });
    await daemon.ready();
    const [again] = await transitions(database.admin, [ids[7]?.itemId ?? ""]);
    await daemon.event("merge.duplicate_ignored", ({ event_id }) => event_id === again);
    await compared(daemon);
    expect(await recordsOf(database)).toEqual([]);
    expect(daemon.memory()?.as_of.seq).toBe(60);
  });
});

describe("a transaction that is open over a retention and a restart:", () => {
  it.each([
    ["with a checkpoint its merge is recorded", true],
    ["without one its merge is taken as recorded, and reported", false],
  ])("%s", async (_, checkpoint) => {
    await using database = await createDatabase();
    await merges(database.admin, times(5));
    await using open = await hold(database);
    const late = await merge(open.client);
    await merges(database.admin, times(60));
    await record(database);
    await database.admin.query(
      `DELETE FROM events_outbox WHERE ${checkpoint ? "kind <> 'metric.checkpoint' AND" : "kind = 'metric.checkpoint' OR"} id <=
        (SELECT max(id) FROM events_outbox WHERE payload->'merge'->>'event_id' = $1)`,
      [String(Number(late.eventId) + 20)],
    );
    await using daemon = startDaemon(database, { auditIntervalMs: 30 });
    await daemon.ready();
    await open.commit();
    if (checkpoint) await daemon.event("merge.recorded", ({ event_id }) => event_id === late.eventId);
    else await daemon.event("merge.presumed_recorded", ({ event_id }) => event_id === late.eventId);
    await compared(daemon);
    expect(daemon.memory()?.as_of.seq).toBe(checkpoint ? 66 : 65);
    expect(daemon.memory()?.history_truncated).toBe(!checkpoint);
    expect(comparable(daemon.memory())).toEqual(comparable(await snapshotFromLog(database)));
  });
});

it("a merge that loses its work item between being found and the first write of all is skipped at once, not lost", async () => {
  await using database = await createDatabase();
  const gate = barrier();
  await using daemon = startDaemon(database, { wrap: stopsBeforeRecording(gate.wait) });
  await daemon.event("reconciliation.completed");
  const { eventId } = await merge(database.admin);
  daemon.ring();
  await gate.reached;
  await database.admin.query("UPDATE events_outbox SET work_item_id = NULL");
  gate.open();
  expect(await daemon.event("merge.skipped")).toMatchObject({
    event_id: eventId,
    reason: "work_item_missing",
  });
  expect(await recordsOf(database)).toEqual([eventId]);
  expect(await violations(database.admin)).toEqual([]);
});

it("a checkpoint is found where the column takes no row without a work item, and 120,000 other rows follow it", async () => {
  await using database = await createDatabase();
  await database.admin.query("ALTER TABLE events_outbox ALTER work_item_id SET NOT NULL");
  await merges(database.admin, times(60));
  await record(database);
  await database.admin.query(
    `INSERT INTO events_outbox (kind, work_item_id, payload)
     SELECT 'phase.transition', 1, '{"target": "review"}' FROM generate_series(1, 120000)`,
  );
  await database.admin.query(
    "DELETE FROM events_outbox WHERE kind LIKE 'metric.%' AND kind <> 'metric.checkpoint'",
  );
  await using daemon = startDaemon(database);
  await daemon.ready();
  await merge(database.admin);
  await daemon.event("merge.recorded", ({ seq }) => seq === 61);
  expect(daemon.memory()?.history_truncated).toBe(false);
  expect(daemon.memory()?.metrics[0]).toMatchObject({ metric: "first_pass_merge_rate", n: 50 });
});

it("ids at 0, below, and at both ends of a bigint are recorded, and those after them", async () => {
  await using database = await createDatabase();
  await merges(database.admin, times(3));
  await using daemon = startDaemon(database, { auditIntervalMs: 30 });
  await daemon.converged();
  for (const id of ["0", "-1", "-4000000000", "9223372036854775807", "9000000000000000000"]) {
    await mergeUnder(database.admin, id);
    await daemon.event("merge.recorded", ({ event_id }) => event_id === id);
    await merge(database.admin);
    await daemon.converged();
  }
  await daemon.stop();
  await using second = startDaemon(database, { auditIntervalMs: 30 });
  await using third = startDaemon(database, { auditIntervalMs: 30 });
  for (let round = 0; round < 5; round += 1) await merges(database.admin, times(4));
  await second.converged();
  await third.converged();
  await compared(second);
  await compared(third);
  expect(second.all("db.unfit")).toEqual([]);
  expect([...second.all("history.reset"), ...third.all("history.reset")]).toEqual([]);
  expect(await violations(database.admin)).toEqual([]);
  expect(comparable(second.memory())).toEqual(comparable(third.memory()));
});

it("a duplicate is reported once by each process, however often it connects anew", async () => {
  await using database = await createDatabase();
  const ids = await merges(database.admin, times(3));
  await transitions(
    database.admin,
    ids.map(({ itemId }) => itemId),
  );
  await using daemon = startDaemon(database, { auditIntervalMs: 30 });
  await daemon.converged();
  for (let round = 0; round < 3; round += 1) {
    const mark = daemon.mark();
    await sendAway(database);
    await daemon.event("restore.completed", undefined, mark);
    await compared(daemon);
  }
  expect(daemon.all("merge.duplicate_ignored")).toHaveLength(3);
});

describe("restarts", () => {
  it("in a row are as fast as the first: each begins with a checkpoint", async () => {
    await using database = await createDatabase();
    for (let round = 0; round < 3; round += 1) {
      await merges(database.admin, times(110));
      await record(database);
    }
    for (let round = 0; round < 8; round += 1) {
      await merge(database.admin);
      await using daemon = startDaemon(database);
      await daemon.converged();
      const [restored] = daemon.all("restore.completed");
      expect(restored?.merges).toBeLessThanOrEqual(220);
      expect(restored?.from_checkpoint).not.toBeNull();
      await daemon.stop();
    }
  });

  it("right after a first start on a long history read none of it again", async () => {
    await using database = await createDatabase();
    await merges(database.admin, times(3_000));
    await record(database);
    let read = 0n;
    for (let round = 0; round < 3; round += 1) {
      await using daemon = startDaemon(database, {
        wrap: (log) => ({
          ...log,
          poll: (known) => {
            if (known.after < 3_000n) read = 3_000n - known.after;
            return log.poll(known);
          },
        }),
      });
      await daemon.ready();
      await daemon.stop();
    }
    expect(read).toBe(0n);
  });
});

it("an id that is drawn, and used after a retention and a restart, is recorded where a checkpoint is left", async () => {
  await using database = await createDatabase();
  await using open = await hold(database);
  const id = await drawId(open.client);
  await merges(database.admin, times(60));
  await record(database);
  await database.admin.query(
    "DELETE FROM events_outbox WHERE kind LIKE 'metric.%' AND kind <> 'metric.checkpoint'",
  );
  await using daemon = startDaemon(database, { auditIntervalMs: 30 });
  await daemon.ready();
  await mergeUnder(open.client, id);
  await open.commit();
  expect(await daemon.event("merge.recorded", ({ event_id }) => event_id === id)).toMatchObject({ seq: 61 });
  await compared(daemon);
  expect(await recordsOf(database)).toEqual([id]);
});
