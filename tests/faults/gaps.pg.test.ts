/** A journal with a gap, and what others record meanwhile or below what was polled. */
import { expect, test } from "vitest";
import { comparable, startDaemon } from "../support/daemon.ts";
import { createDatabase, type TestDatabase } from "../support/database.ts";
import { merge, merges, mergeUnder, times } from "../support/orchestrator.ts";
import { until } from "../support/until.ts";

/** Deletes every row of one merge from the middle of the journal, checkpoints aside. */
async function deleteSet(database: TestDatabase, seq: number): Promise<void> {
  await database.admin.query(
    `DELETE FROM events_outbox WHERE kind LIKE 'metric.%' AND payload->'merge'->>'event_id' =
       (SELECT payload->'merge'->>'event_id' FROM events_outbox
         WHERE kind = 'metric.first_pass_merge_rate' AND payload->>'seq' = $1)`,
    [String(seq)],
  );
}

test("a set deleted from the middle is not recorded again: nothing is, until the log is whole", async () => {
  await using database = await createDatabase();
  await merges(database.admin, times(250));
  await using daemon = startDaemon(database, { auditIntervalMs: 50 });
  await daemon.ready();
  await daemon.converged();
  const backup = await database.admin.query<{
    id: string;
    kind: string;
    item: string;
    payload: unknown;
    at: string;
  }>(
    `SELECT id::text, kind, work_item_id::text AS item, payload, created_at::text AS at FROM events_outbox
      WHERE kind LIKE 'metric.%' AND payload->'merge'->>'event_id' = '20'`,
  );
  await deleteSet(database, 20);
  const unfit = await daemon.event("db.unfit");
  expect(unfit).toMatchObject({ reason: "contradiction" });
  expect(unfit.problems.join()).toMatch(/seq 21 follows 19/);
  const recordedBefore = daemon.all("merge.recorded").length;
  await merge(database.admin);
  await daemon.event("db.unfit", () => true, daemon.mark());
  expect(daemon.all("merge.recorded")).toHaveLength(recordedBefore);
  for (const row of backup.rows) {
    await database.admin.query(
      "INSERT INTO events_outbox (id, kind, work_item_id, payload, created_at) VALUES ($1, $2, $3, $4, $5)",
      [row.id, row.kind, row.item, row.payload, row.at],
    );
  }
  await daemon.event("merge.recorded", ({ seq }) => seq === 251);
  await daemon.stop();
});

test("what another daemon finds below what was scanned is in everybody's memory after the next look", async () => {
  await using database = await createDatabase();
  await database.admin.query("SELECT setval('events_outbox_id_seq', 1000)");
  await merge(database.admin);
  await using other = startDaemon(database);
  await other.ready();
  await other.event("reconciliation.completed");
  await mergeUnder(database.admin, "17");
  await using finder = startDaemon(database);
  await finder.event("merge.recorded");
  await until("the other knows of it", () => other.memory()?.as_of.event_id === "17");
  expect(other.all("merge.recorded").map(({ event_id }) => event_id)).not.toContain("17");
});

test("a backlog recorded by another daemon meanwhile is folded in pieces, and nothing is recorded twice", async () => {
  await using database = await createDatabase();
  await using paused = startDaemon(database, { pollIntervalMs: 600_000 });
  await paused.ready();
  await paused.event("reconciliation.completed");
  await merges(database.admin, times(2_000));
  await using worker = startDaemon(database);
  await worker.ready();
  await worker.converged();
  await merge(database.admin);
  paused.ring();
  await paused.converged();
  await worker.converged();
  expect(comparable(paused.memory())).toEqual(comparable(worker.memory()));
});
