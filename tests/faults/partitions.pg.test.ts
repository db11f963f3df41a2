/** An outbox in partitions whose key is (created_at, id): no index leads to ids, and an id may be there twice. */
import { setTimeout as elapsed } from "node:timers/promises";
import { expect, it } from "vitest";
import { snapshotFromLog, startDaemon } from "../support/daemon.ts";
import { createDatabase, type TestDatabase } from "../support/database.ts";
import { merges, times } from "../support/orchestrator.ts";
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
