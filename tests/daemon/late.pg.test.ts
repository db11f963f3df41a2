/** Ids commit out of order: a merge that becomes visible late is recorded then, by a poll, and delays no other. */
import { expect, it } from "vitest";
import { systemClock } from "../../src/clock.ts";
import { barrier } from "../support/barrier.ts";
import { startDaemon, type TestDaemon } from "../support/daemon.ts";
import { createDatabase, type TestDatabase } from "../support/database.ts";
import { violations } from "../support/oracle.ts";
import { drawId, event, hold, merge, mergeUnder, transitions } from "../support/orchestrator.ts";
import { startWatched } from "../support/watched-daemon.ts";

/** The low-water mark at the end, as the checkpoint of an orderly stop has it. */
async function lowMarkLeftBehind(database: TestDatabase, daemon: TestDaemon): Promise<bigint> {
  await daemon.stop();
  const { rows } = await database.admin.query<{ low: string }>(
    "SELECT payload->>'low_mark' AS low FROM events_outbox WHERE kind = 'metric.checkpoint' ORDER BY id DESC LIMIT 1",
  );
  return BigInt(rows[0]?.low ?? -1);
}

async function recorded(daemon: TestDaemon, eventId: string) {
  return daemon.event("merge.recorded", (one) => one.event_id === eventId);
}

it("a low id that commits late is recorded when it becomes visible, and delays no other merge", async () => {
  await using database = await createDatabase();
  await using daemon = await startWatched(database);
  await using late = await hold(database);
  const low = await merge(late.client);
  const high = await merge(database.admin);
  await daemon.looks();
  expect(await recorded(daemon, high.eventId)).toMatchObject({ seq: 1, late: false });
  await daemon.looks();
  await late.commit();
  await daemon.looks();
  expect(await recorded(daemon, low.eventId)).toMatchObject({ seq: 2, late: true, found_by: "poll" });
  expect(await violations(database.admin)).toEqual([]);
});

it("those that are late together are each recorded as they end, in any order", async () => {
  await using database = await createDatabase();
  await using daemon = await startWatched(database);
  await using first = await hold(database);
  await using second = await hold(database);
  await using third = await hold(database);
  const ids = [await merge(first.client), await merge(second.client), await merge(third.client)];
  await merge(database.admin);
  await daemon.looks();
  for (const [nth, transaction] of [
    [1, second],
    [2, third],
    [0, first],
  ] as const) {
    await merge(database.admin);
    await transaction.commit();
    await daemon.looks();
    expect(await recorded(daemon, ids[nth]?.eventId ?? "")).toMatchObject({ found_by: "poll" });
  }
  expect(daemon.all("merge.recorded").map((one) => one.seq)).toEqual([1, 2, 3, 4, 5, 6, 7]);
  expect(await violations(database.admin)).toEqual([]);
});

it("ids that were rolled back delay nothing: the low-water mark passes them", async () => {
  await using database = await createDatabase();
  await using daemon = await startWatched(database);
  await using undone = await hold(database);
  await merge(undone.client);
  const high = await merge(database.admin);
  await daemon.looks();
  await recorded(daemon, high.eventId);
  await undone.rollback();
  await daemon.looks();
  const { eventId: newest } = await merge(database.admin);
  await daemon.looks();
  await daemon.looks();
  expect(daemon.readAfter()).toBeGreaterThan(BigInt(high.eventId));
  expect(daemon.all("merge.recorded")).toHaveLength(2);
  expect(await lowMarkLeftBehind(database, daemon)).toBeGreaterThanOrEqual(BigInt(newest));
});

it("an id drawn by nextval before its transaction has touched the table is waited for", async () => {
  await using database = await createDatabase();
  await using daemon = await startWatched(database);
  await using late = await hold(database);
  const drawn = await drawId(late.client);
  const high = await merge(database.admin);
  await daemon.looks();
  await recorded(daemon, high.eventId);
  await daemon.looks();
  await mergeUnder(late.client, drawn);
  await late.commit();
  await daemon.looks();
  expect(await recorded(daemon, drawn)).toMatchObject({ seq: 2, late: true, found_by: "poll" });
});

it("an id drawn in a savepoint that was rolled back, and used all the same, is waited for", async () => {
  await using database = await createDatabase();
  await using daemon = await startWatched(database);
  await using late = await hold(database);
  await late.client.query("SAVEPOINT attempt");
  const { eventId: drawn } = await merge(late.client);
  await late.client.query("ROLLBACK TO SAVEPOINT attempt");
  const high = await merge(database.admin);
  await daemon.looks();
  await recorded(daemon, high.eventId);
  await daemon.looks();
  await mergeUnder(late.client, drawn);
  await late.commit();
  await daemon.looks();
  expect(await recorded(daemon, drawn)).toMatchObject({ seq: 2, found_by: "poll" });
});

it("a transition that a savepoint rolls back is not a merge, and one after it is", async () => {
  await using database = await createDatabase();
  await using daemon = await startWatched(database);
  await using late = await hold(database);
  await late.client.query("SAVEPOINT attempt");
  await merge(late.client, { attempts: 7 });
  await late.client.query("ROLLBACK TO SAVEPOINT attempt");
  const kept = await merge(late.client, { attempts: 3 });
  await late.client.query("RELEASE SAVEPOINT attempt");
  await merge(database.admin);
  await daemon.looks();
  await late.commit();
  await daemon.looks();
  await recorded(daemon, kept.eventId);
  expect(daemon.all("merge.recorded").map((one) => one.attempts)).toEqual([1, 3]);
  expect(await violations(database.admin)).toEqual([]);
});

it("a prepared transaction is waited for, though it has no session", async () => {
  await using database = await createDatabase();
  await using daemon = await startWatched(database);
  await using late = await hold(database);
  const low = await merge(late.client);
  await late.prepare();
  const high = await merge(database.admin);
  await daemon.looks();
  await recorded(daemon, high.eventId);
  await daemon.looks();
  await late.finish("COMMIT");
  await daemon.looks();
  expect(await recorded(daemon, low.eventId)).toMatchObject({ seq: 2, found_by: "poll" });
});

it("a transaction that was seen in a session and is prepared before the next look is waited for", async () => {
  await using database = await createDatabase();
  await using daemon = await startWatched(database);
  await using other = await hold(database);
  await merge(other.client);
  await other.prepare();
  await using late = await hold(database);
  const low = await merge(late.client);
  const high = await merge(database.admin);
  await daemon.looks();
  await recorded(daemon, high.eventId);
  await late.prepare();
  await daemon.looks();
  await daemon.looks();
  await late.finish("COMMIT");
  await daemon.looks();
  expect(await recorded(daemon, low.eventId)).toMatchObject({ seq: 2, found_by: "poll" });
  await other.finish("ROLLBACK");
  await merge(database.admin);
  await daemon.looks();
  await daemon.looks();
  expect(daemon.readAfter()).toBeGreaterThan(BigInt(high.eventId));
});

it("a repeat that commits before the first transition of its work item is the one that counts", async () => {
  await using database = await createDatabase();
  await using daemon = await startWatched(database);
  const item = await database.admin.query<{ id: string }>(
    "INSERT INTO work_items (project, attempts) VALUES ('atlas', 1) RETURNING id::text",
  );
  const itemId = item.rows[0]?.id ?? "";
  await using late = await hold(database);
  const [lower] = await transitions(late.client, [itemId]);
  const [higher] = await transitions(database.admin, [itemId]);
  await daemon.looks();
  await recorded(daemon, higher ?? "");
  await late.commit();
  await daemon.looks();
  expect(await daemon.event("merge.duplicate_ignored")).toMatchObject({ event_id: lower });
  await daemon.looks();
  expect(daemon.all("merge.duplicate_ignored")).toHaveLength(1);
  expect(await violations(database.admin)).toEqual([]);
});

it("a transaction open for a minute is reported, one open for an hour is skipped; reconciliation still finds its merge", async () => {
  await using database = await createDatabase();
  let ahead = 0;
  const clock = { ...systemClock, monotonic: () => systemClock.monotonic() + ahead };
  await using daemon = await startWatched(database, { clock });
  await using forgotten = await hold(database);
  await forgotten.client.query("SET LOCAL application_name = 'forgetful'");
  const low = await merge(forgotten.client);
  const high = await merge(database.admin);
  await daemon.looks();
  await recorded(daemon, high.eventId);
  ahead += 61_000;
  await daemon.looks();
  expect(await daemon.event("settle.waiting")).toMatchObject({
    holders: [{ application: "forgetful", role: new URL(database.url).username }],
  });
  ahead += 3_600_000;
  await daemon.looks();
  await daemon.event("settle.gave_up");
  const mark = daemon.mark();
  await merge(database.admin);
  await daemon.looks();
  expect(daemon.readAfter()).toBeGreaterThan(BigInt(low.eventId));
  await forgotten.commit();
  ahead += 3_600_000;
  await daemon.looks();
  expect(await recorded(daemon, low.eventId)).toMatchObject({ late: true, found_by: "reconciliation" });
  expect(await daemon.event("reconciliation.completed", ({ found }) => found === 1, mark)).toBeDefined();
  expect(await violations(database.admin)).toEqual([]);
});

it("transactions that never touch the log hold nothing up", async () => {
  await using database = await createDatabase();
  await using daemon = await startWatched(database);
  await using busy = await hold(database);
  await busy.client.query("INSERT INTO work_items (project) VALUES ('elsewhere')");
  await busy.client.query("SELECT count(*) FROM events_outbox");
  await merge(database.admin);
  const other = await event(database.admin, { kind: "note", payload: "{}" });
  await daemon.looks();
  expect(await lowMarkLeftBehind(database, daemon)).toBeGreaterThanOrEqual(BigInt(other));
});

it("the low-water mark does not pass the id of an open transaction", async () => {
  await using database = await createDatabase();
  await using daemon = await startWatched(database);
  await using open = await hold(database);
  const drawn = await drawId(open.client);
  await merge(database.admin);
  await daemon.looks();
  await merge(database.admin);
  await daemon.looks();
  expect(await lowMarkLeftBehind(database, daemon)).toBeLessThan(BigInt(drawn));
});

it("a sequence with a cache is warned of; two daemons and late ids below what was settled agree in the end", async () => {
  await using database = await createDatabase();
  await database.admin.query("ALTER SEQUENCE events_outbox_id_seq CACHE 20");
  using resources = new DisposableStack();
  const early = resources.adopt(await database.admin.connect(), (client) => client.release());
  const late = await merge(early);
  await using one = startDaemon(database, { auditIntervalMs: 50 });
  await using two = startDaemon(database, { auditIntervalMs: 50 });
  await one.event("db.warning", ({ warning }) => warning.includes("CACHE 20"));
  for (let round = 0; round < 6; round += 1) {
    await merge(database.admin);
    await one.converged();
    await merge(early);
  }
  await one.converged();
  await two.converged();
  expect(late.eventId).toBe("1");
  const found = [...one.all("merge.recorded"), ...two.all("merge.recorded")];
  expect(found).toHaveLength(13);
  expect(found.some((merged) => merged.late)).toBe(true);
  expect(await violations(database.admin)).toEqual([]);
});

it("a merge that commits between a scan and a comparison was not passed by the scan: the comparison has found nothing", async () => {
  await using database = await createDatabase();
  const gate = barrier();
  let comparedAfter: bigint | null = null;
  await using daemon = startDaemon(database, {
    auditIntervalMs: 100,
    wrap: (log) => ({
      ...log,
      pageEnd: async (after, upTo, rows) => {
        if (after === comparedAfter) await gate.wait();
        return log.pageEnd(after, upTo, rows);
      },
    }),
  });
  await daemon.event("reconciliation.completed");
  await using late = await hold(database);
  const low = await merge(late.client);
  const high = await merge(database.admin);
  await recorded(daemon, high.eventId);
  // Nothing but a comparison reads from the beginning while the transaction is open.
  comparedAfter = BigInt(high.eventId) - 1n;
  await gate.reached;
  const mark = daemon.mark();
  await late.commit();
  comparedAfter = null;
  gate.open();
  expect(await daemon.event("reconciliation.completed", undefined, mark)).toMatchObject({ found: 0 });
  expect(await recorded(daemon, low.eventId)).toMatchObject({ seq: 2, late: true, found_by: "poll" });
  expect(await violations(database.admin)).toEqual([]);
});
