/** Retention: rows that went from the old end are not missed, and not recorded anew. */
import { describe, expect, it } from "vitest";
import type { OutboxLog } from "../../src/outbox/outbox-log.ts";
import { comparable, snapshotFromLog, startDaemon } from "../support/daemon.ts";
import { createDatabase } from "../support/database.ts";
import { violations } from "../support/oracle.ts";
import { hold, merge, merges, REWORKED, times, transitions } from "../support/orchestrator.ts";
import { record, rows } from "../support/recorded.ts";

describe("a log of which the oldest rows went", () => {
  it("continues from the rows that are left, counts up, reports it, and records new merges", async () => {
    await using database = await createDatabase();
    await merges(database.admin, times(150));
    await record(database);
    await database.admin.query(
      `DELETE FROM events_outbox WHERE kind = 'metric.checkpoint' OR id <= (SELECT max(id) FROM events_outbox
        WHERE payload->'merge'->>'event_id' = '130' AND kind = 'metric.first_pass_merge_rate')`,
    );
    await using daemon = startDaemon(database);
    expect(await daemon.event("history.truncated")).toEqual({ event: "history.truncated", first_seq: 131 });
    await merges(database.admin, times(5, REWORKED));
    await daemon.converged();
    expect(daemon.memory()).toMatchObject({ as_of: { seq: 155 }, history_truncated: true });
    expect((await rows(database, "metric.first_pass_merge_rate")).at(-1)).toMatchObject({
      seq: 155,
      n: 25,
      value: null,
      numerator: 20,
    });
    expect(await violations(database.admin, { pruned: true })).toEqual([]);
    expect(comparable(daemon.memory())).toEqual(comparable(await snapshotFromLog(database)));
    expect(daemon.all("merge.recorded")).toHaveLength(5);
  });

  it("counts on where a checkpoint is left", async () => {
    await using database = await createDatabase();
    await merges(database.admin, times(150));
    await record(database);
    await database.admin.query(
      `DELETE FROM events_outbox WHERE id <= (SELECT max(id) FROM events_outbox
        WHERE payload->'merge'->>'event_id' = '130' AND kind = 'metric.first_pass_merge_rate')`,
    );
    await merges(database.admin, times(5, REWORKED));
    await using daemon = startDaemon(database);
    await daemon.converged();
    expect((await rows(database, "metric.first_pass_merge_rate")).at(-1)).toMatchObject({
      seq: 155,
      n: 50,
      value: 0.9,
    });
    expect(daemon.memory()).toMatchObject({ as_of: { seq: 155 }, history_truncated: false });
    expect(comparable(daemon.memory())).toEqual(comparable(await snapshotFromLog(database)));
  });

  it("a refused merge stays due, although its work item merged again", async () => {
    await using database = await createDatabase();
    await using daemon = startDaemon(database);
    await merges(database.admin, times(60));
    await daemon.converged();
    await daemon.event("checkpoint.written");
    await database.admin.query(
      "DELETE FROM events_outbox WHERE id <= (SELECT min(id) + 20 FROM events_outbox WHERE kind LIKE 'metric.%')",
    );
    // Both transitions are found by one poll.
    await using open = await hold(database);
    const { itemId, eventId } = await merge(open.client);
    await transitions(open.client, [itemId]);
    await open.client.query(
      `ALTER TABLE events_outbox ADD CONSTRAINT other_items CHECK (kind NOT LIKE 'metric.%' OR work_item_id <> ${itemId})`,
    );
    await open.commit();
    await daemon.event("merge.refused");
    await daemon.event("merge.duplicate_ignored");
    await merge(database.admin);
    await daemon.event("merge.recorded", ({ seq }) => seq === 61);
    await database.admin.query("ALTER TABLE events_outbox DROP CONSTRAINT other_items");
    expect(await daemon.event("merge.recorded", ({ seq }) => seq === 62)).toMatchObject({
      event_id: eventId,
    });
    await daemon.converged();
  });

  it("while the daemon runs: nothing is recorded anew, and nothing is lost", async () => {
    await using database = await createDatabase();
    await merges(database.admin, times(60));
    await using daemon = startDaemon(database, { auditIntervalMs: 30 });
    await daemon.converged();
    await database.admin.query(
      `DELETE FROM events_outbox WHERE id <= (SELECT max(id) FROM events_outbox
        WHERE payload->'merge'->>'event_id' = '30' AND kind = 'metric.first_pass_merge_rate')`,
    );
    const before = daemon.all("reconciliation.completed").length;
    await daemon.event(
      "reconciliation.completed",
      () => daemon.all("reconciliation.completed").length > before + 1,
    );
    await merge(database.admin);
    await daemon.converged();
    expect(daemon.all("merge.recorded")).toHaveLength(61);
    expect(await violations(database.admin, { pruned: true })).toEqual([]);
  });

  describe("between the daemon's poll and its next read", () => {
    const RECORDS_OF_40 = `DELETE FROM events_outbox WHERE kind LIKE 'metric.%'
      AND id <= (SELECT max(id) FROM events_outbox WHERE payload->'merge'->>'event_id' = '40')`;

    it("compares no merge as unrecorded", async () => {
      await using database = await createDatabase();
      await merges(database.admin, times(60));
      await record(database);
      const page = beforeNextPage(() => database.admin.query(RECORDS_OF_40));
      await using daemon = startDaemon(database, { auditIntervalMs: 30, wrap: page.wrap });
      await daemon.converged();
      page.arm();
      const before = daemon.all("reconciliation.completed").length;
      await daemon.event(
        "reconciliation.completed",
        () => daemon.all("reconciliation.completed").length > before + 1,
      );
      expect(page.passed()).toBe(true);
      expect(daemon.all("merge.recorded")).toEqual([]);
      expect(daemon.all("merge.presumed_recorded")).toEqual([]);
    });

    it("takes no work item that merges again for a new one", async () => {
      await using database = await createDatabase();
      await merges(database.admin, times(60));
      await record(database);
      const page = beforeNextPage(() => database.admin.query(RECORDS_OF_40));
      await using daemon = startDaemon(database, { wrap: page.wrap });
      await daemon.event("reconciliation.completed");
      page.arm();
      // More than a look reads.
      await database.admin.query(
        `INSERT INTO events_outbox (kind, work_item_id, payload) SELECT kind, work_item_id, payload FROM events_outbox, generate_series(1, 3)
          WHERE kind = 'phase.transition' AND work_item_id <= 40`,
      );
      await daemon.event(
        "merge.duplicate_ignored",
        () => page.passed() && daemon.all("merge.duplicate_ignored").length === 120,
      );
      expect(daemon.all("merge.recorded")).toEqual([]);
    });
  });
});

/** Carries something out before the next page of merges is read. */
function beforeNextPage(deed: () => Promise<unknown>): {
  readonly arm: () => void;
  readonly passed: () => boolean;
  readonly wrap: (log: OutboxLog) => OutboxLog;
} {
  let state: "idle" | "armed" | "passed" = "idle";
  return {
    arm: () => {
      state = "armed";
    },
    passed: () => state === "passed",
    wrap: (log) => ({
      ...log,
      merges: async (after, upTo) => {
        if (state === "armed") {
          state = "passed";
          await deed();
        }
        return log.merges(after, upTo);
      },
    }),
  };
}

it("of metric rows alone costs a reconciliation pages, not a statement for each merge whose rows went", async () => {
  await using database = await createDatabase();
  await merges(database.admin, times(300));
  await record(database);
  await database.admin.query(
    "DELETE FROM events_outbox WHERE kind LIKE 'metric.%' AND kind <> 'metric.checkpoint'",
  );
  const reads = { merges: 0, journal: 0 };
  await using daemon = startDaemon(database, {
    wrap: (log) => ({
      ...log,
      merges: (after, upTo) => {
        reads.merges += 1;
        return log.merges(after, upTo);
      },
      journal: (after, upTo) => {
        reads.journal += 1;
        return log.journal(after, upTo);
      },
    }),
  });
  await daemon.event("reconciliation.completed");
  expect(Math.max(reads.merges, reads.journal)).toBeLessThan(10);
  const { eventId } = await merge(database.admin);
  daemon.ring();
  expect(await daemon.event("merge.recorded", ({ event_id }) => event_id === eventId)).toMatchObject({
    seq: 301,
  });
});
