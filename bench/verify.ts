/** A measurement of something that did not happen, or happened twice, is none: then the benchmark fails. */
import type pg from "pg";
import { crossCheck } from "../demo/cross-check.ts";
import { readSnapshot } from "../src/cli/read-snapshot.ts";
import { configOf } from "./product.ts";
import type { Database } from "./server.ts";

const METRIC_ROWS = 4;

/** One row: everything that can be counted about the sets of rows that record merges. */
const SETS = `
  WITH rows AS (
    SELECT kind, work_item_id, payload->>'key' AS key, payload->>'scope' AS scope, payload->>'project' AS project,
           (payload->>'seq')::int AS seq, (payload->>'set_size')::int AS set_size, payload->'merge'->>'event_id' AS event_id
      FROM events_outbox WHERE kind LIKE 'metric.%' AND kind <> 'metric.checkpoint'
  ), sets AS (
    SELECT event_id, count(*) AS size, count(*) FILTER (WHERE kind <> 'metric.threshold_crossed') AS metrics,
           min(set_size) AS smallest, max(set_size) AS largest, count(DISTINCT work_item_id) AS items
      FROM rows GROUP BY event_id
  ), orders AS (
    SELECT count(*) AS n, count(DISTINCT seq) AS different, max(seq) AS last
      FROM rows WHERE kind = 'metric.rebase_conflict_rate' GROUP BY scope, project
  )
  SELECT (SELECT count(*) FROM rows)::int AS rows,
         (SELECT count(DISTINCT key) FROM rows)::int AS keys,
         (SELECT count(*) FROM sets)::int AS sets,
         (SELECT count(*) FROM sets WHERE size <> smallest OR size <> largest OR metrics <> ${METRIC_ROWS} OR items <> 1)::int AS broken_sets,
         (SELECT count(*) FROM orders WHERE n <> different OR n <> last)::int AS broken_orders,
         (SELECT count(*) FROM events_outbox m
           WHERE m.kind = 'phase.transition' AND m.payload->>'target' = 'merged')::int AS merges,
         (SELECT count(*) FROM events_outbox m
           WHERE m.kind = 'phase.transition' AND m.payload->>'target' = 'merged'
             AND NOT EXISTS (SELECT FROM sets WHERE event_id = m.id::text))::int AS unrecorded`;

type Counted = Readonly<
  Record<"rows" | "keys" | "sets" | "broken_sets" | "broken_orders" | "merges" | "unrecorded", number>
>;

/**
 * Every merge has exactly one whole set of rows, `seq` is dense in every scope, and the newest readings are those that
 * plain SQL counts.
 * @throws Error otherwise.
 */
export async function verify(database: Database, merges: number, readings = true): Promise<void> {
  const counted = await count(database.owner);
  const whole =
    counted.merges === merges &&
    counted.sets === merges &&
    counted.unrecorded === 0 &&
    counted.keys === counted.rows &&
    counted.broken_sets === 0 &&
    counted.broken_orders === 0;
  if (!whole)
    throw new Error(`the log of ${database.name} is not ${merges} whole sets: ${JSON.stringify(counted)}`);
  if (!readings) return;
  const snapshot = await readSnapshot(configOf(database.daemonUrl), { timeoutMs: 60_000 });
  const check = await crossCheck(database.owner, snapshot);
  if (!check.agrees) throw new Error(`plain SQL disagrees: ${check.differences.join("; ")}`);
}

async function count(owner: pg.Client): Promise<Counted> {
  await owner.query("SET jit = off");
  const { rows } = await owner.query<Counted>(SETS);
  return rows[0] as Counted;
}
