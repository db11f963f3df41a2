/** What an orchestrator does while it is measured: it merges work items, and tells about it. */
import type pg from "pg";

export type MergeOptions = {
  /** Where the transition goes to. */
  readonly target?: string;
  readonly channel?: string;
  /** Awaited before the transaction ends; false: it is rolled back. */
  readonly end?: () => Promise<boolean>;
};

const PAYLOAD = { source: "integrating", actor: "orchestrator" };

/** Transitions of new work items in one transaction, which ends with a notification. */
export async function merge(
  client: pg.Client,
  count = 1,
  { target = "merged", channel = "events_outbox", end }: MergeOptions = {},
): Promise<{ readonly eventIds: string[]; readonly committedAt: number }> {
  await client.query("BEGIN");
  const { rows } = await client.query<{ id: string }>(
    `WITH items AS (
       INSERT INTO work_items (project, story_id, phase, attempts, last_verdict, merged_at)
       SELECT 'project-' || floor(19 * power(random(), 3)), 'live', 'merged', 1 + (random() < 0.2)::int,
              CASE WHEN random() < 0.07 THEN 'rebase_conflict' ELSE 'approve' END, now()
         FROM generate_series(1, $1::int)
       RETURNING id
     )
     INSERT INTO events_outbox (kind, work_item_id, payload)
     SELECT 'phase.transition', id, $2::jsonb FROM items ORDER BY id RETURNING id::text`,
    [count, JSON.stringify({ ...PAYLOAD, target })],
  );
  await client.query("SELECT pg_notify($1, '')", [channel]);
  await client.query(end === undefined || (await end()) ? "COMMIT" : "ROLLBACK");
  return { eventIds: rows.map(({ id }) => id), committedAt: performance.now() };
}
