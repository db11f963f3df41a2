/** The orchestrator of the demo, on a real database: what it leaves in the log is what the daemon has to cope with. */
import { setImmediate as breath } from "node:timers/promises";
import pg from "pg";
import { expect, it } from "vitest";
import { openOrchestrator } from "../../demo/orchestrator.ts";
import { createDatabase, type TestDatabase } from "../support/database.ts";

const MERGES = 120;
const FAST = Number.POSITIVE_INFINITY;
const untilDone = new AbortController().signal;

async function played(database: TestDatabase, onMerge?: (merges: number) => void): Promise<void> {
  const orchestrator = await openOrchestrator({ url: database.url, seed: 3, ...(onMerge && { onMerge }) });
  try {
    await orchestrator.play(MERGES, FAST, untilDone);
  } finally {
    await orchestrator.close();
  }
}

it("makes as many countable merges as it is asked for, and one that is not", async () => {
  await using database = await createDatabase();
  let told = 0;
  await played(database, (merges) => {
    told = merges;
  });

  const { rows } = await database.admin.query(
    `SELECT count(DISTINCT w.id) FILTER (WHERE attempts >= 1)::int AS countable,
            count(DISTINCT w.id) FILTER (WHERE attempts < 1)::int AS unusable,
            (count(*) > count(DISTINCT w.id)) AS repeated,
            bool_and(w.phase = 'merged' AND w.merged_at IS NOT NULL) AS merged
       FROM events_outbox AS e JOIN work_items AS w ON w.id = e.work_item_id
      WHERE kind = 'phase.transition' AND payload->>'target' = 'merged'`,
  );
  expect(rows).toEqual([{ countable: MERGES, unusable: 1, repeated: true, merged: true }]);
  expect(told).toBe(MERGES);
});

it("logs every transition with the change of its item, in order, and leaves gaps where it rolled back", async () => {
  await using database = await createDatabase();
  await played(database);

  const { rows } = await database.admin.query(
    `WITH told AS (
       SELECT work_item_id, id, payload->>'from' AS source, payload->>'target' AS target,
              lag(payload->>'target') OVER item AS before, lead(id) OVER item IS NULL AS last
         FROM events_outbox WINDOW item AS (PARTITION BY work_item_id ORDER BY id))
     SELECT bool_and(source IS NOT DISTINCT FROM before) AS unbroken,
            bool_and(w.phase = target) FILTER (WHERE last) AS in_step,
            (max(told.id) > count(*)) AS gaps
       FROM told JOIN work_items AS w ON w.id = work_item_id`,
  );
  expect(rows).toEqual([{ unbroken: true, in_step: true, gaps: true }]);
});

it("commits some merges after ones with higher ids, and notifies of most but not all", async () => {
  await using database = await createDatabase();
  const listener = new pg.Client({ connectionString: database.url });
  await listener.connect();
  let told = 0;
  listener.on("notification", () => {
    told += 1;
  });
  await listener.query("LISTEN events_outbox");

  const story = { over: false };
  const playing = played(database).finally(() => {
    story.over = true;
  });
  const seen = new Set<string>();
  let highest = 0;
  let late = 0;
  do {
    const { rows } = await listener.query<{ id: string }>(
      "SELECT id::text FROM events_outbox WHERE payload->>'target' = 'merged'",
    );
    const fresh = rows.map(({ id }) => id).filter((id) => !seen.has(id));
    late += fresh.filter((id) => Number(id) < highest).length;
    for (const id of fresh) seen.add(id);
    highest = Math.max(highest, ...fresh.map(Number));
    await breath();
  } while (!story.over);
  await playing;
  await listener.end();

  expect(late).toBeGreaterThan(0);
  expect(told).toBeGreaterThan(seen.size / 2);
  expect(told).toBeLessThan(seen.size);
});

it("stops on request, with every transaction ended", async () => {
  await using database = await createDatabase();
  const stop = new AbortController();
  const orchestrator = await openOrchestrator({
    url: database.url,
    seed: 1,
    onMerge: (merges) => void (merges === 5 && stop.abort()),
  });
  await orchestrator.play(FAST, FAST, stop.signal);
  await orchestrator.close();

  const { rows } = await database.admin.query(
    `SELECT count(*)::int AS open FROM pg_stat_activity
      WHERE datname = current_database() AND application_name = 'orchestrator' AND state <> 'idle'`,
  );
  expect(rows).toEqual([{ open: 0 }]);
});

it("fails with the database's reason when the tables are not there", async () => {
  await using database = await createDatabase();
  await database.admin.query("DROP TABLE work_items");
  await expect(played(database)).rejects.toThrow('relation "work_items" does not exist');
});
