/**
 * The same numbers by another way: plain SQL with window functions over the facts that the log holds. It shares no
 * code with the daemon, so where the two agree, either both are right or two people made the same mistake.
 */
import { isDeepStrictEqual } from "node:util";
import type pg from "pg";
import type { Snapshot } from "../src/core/snapshot.ts";

/** `false` says in one line each what differs. */
export type CrossCheck =
  | { readonly agrees: true; readonly readings: number; readonly gates: number; readonly merges: number }
  | { readonly agrees: false; readonly differences: readonly string[] };

/** Every reading of every scope. The facts are those that were recorded, in the order in which they were. */
const READINGS = `
  WITH merges AS (
    SELECT (payload->>'seq')::int AS place,
           payload->'merge'->>'project' AS project,
           (payload->'merge'->>'attempts')::int AS attempts,
           payload->'merge'->>'last_verdict' IS NOT DISTINCT FROM 'rebase_conflict' AS conflicted
      FROM events_outbox
     WHERE kind = 'metric.first_pass_merge_rate' AND payload->>'scope' = 'global'
  ), scoped AS (
    SELECT NULL AS scope, merges.* FROM merges
     UNION ALL
    SELECT project, merges.* FROM merges
  ), aged AS (
    SELECT *, row_number() OVER (PARTITION BY scope ORDER BY place DESC) AS age FROM scoped
  )
  SELECT scope,
         count(*) FILTER (WHERE age <= 50)::int AS n50,
         count(*) FILTER (WHERE age <= 50 AND attempts = 1)::int AS first_pass,
         count(*) FILTER (WHERE age <= 100)::int AS n100,
         count(*) FILTER (WHERE age <= 100 AND conflicted)::int AS conflicts,
         percentile_disc(0.95) WITHIN GROUP (ORDER BY attempts) FILTER (WHERE age <= 100) AS p95
    FROM aged
   GROUP BY scope`;

/** Each global gate: the side of the last full window that was outside the band. */
const GATES = `
  WITH merges AS (
    SELECT (payload->>'seq')::int AS place,
           (payload->'merge'->>'attempts')::int AS attempts,
           payload->'merge'->>'last_verdict' AS verdict
      FROM events_outbox
     WHERE kind = 'metric.first_pass_merge_rate' AND payload->>'scope' = 'global'
  ), rates AS (
    SELECT place,
           count(*) OVER last50 AS n50,
           count(*) FILTER (WHERE attempts = 1) OVER last50 AS first_pass,
           count(*) OVER last100 AS n100,
           count(*) FILTER (WHERE verdict = 'rebase_conflict') OVER last100 AS conflicts
      FROM merges
    WINDOW last50 AS (ORDER BY place ROWS 49 PRECEDING), last100 AS (ORDER BY place ROWS 99 PRECEDING)
  ), sides AS (
    SELECT place, 'trust' AS gate,
           CASE WHEN n50 < 50 THEN NULL WHEN first_pass * 100 >= 85 * 50 THEN 'high'
                WHEN first_pass * 100 < 70 * 50 THEN 'low' END AS side
      FROM rates
     UNION ALL
    SELECT place, 'scope_overlap',
           CASE WHEN n100 < 100 THEN NULL WHEN conflicts >= 10 THEN 'high' WHEN conflicts < 5 THEN 'low' END
      FROM rates
  )
  SELECT DISTINCT ON (gate) gate, side FROM sides WHERE side IS NOT NULL ORDER BY gate, place DESC`;

/** Work items that have merged, and how many of them have been recorded, each with one whole set of rows. */
const COMPLETENESS = `
  SELECT (SELECT count(DISTINCT work_item_id)::int FROM events_outbox
           WHERE kind = 'phase.transition' AND payload->>'target' = 'merged') AS merged,
         (SELECT count(*)::int FROM events_outbox
           WHERE kind = 'metric.first_pass_merge_rate' AND payload->>'scope' = 'global') AS recorded,
         (SELECT count(DISTINCT work_item_id)::int FROM events_outbox
           WHERE kind = 'metric.first_pass_merge_rate' AND payload->>'scope' = 'global') AS different,
         (SELECT count(*)::int FROM events_outbox WHERE kind = 'metric.merge_skipped') AS skipped`;

type Reading = {
  readonly scope: string | null;
  readonly n50: number;
  readonly first_pass: number;
  readonly n100: number;
  readonly conflicts: number;
  readonly p95: number;
};
type Completeness = Record<"merged" | "recorded" | "different" | "skipped", number>;

/** Merges that have been neither recorded nor skipped yet. */
export async function unrecorded(client: pg.Client): Promise<number> {
  const { merged, recorded, skipped } = await completeness(client);
  return merged - recorded - skipped;
}

/** Compares a snapshot with what SQL makes of the log. Nothing must merge in the meantime. */
export async function crossCheck(client: pg.Client, snapshot: Snapshot): Promise<CrossCheck> {
  const counted = await completeness(client);
  const expected = new Map<string, unknown>([
    ["merges recorded", counted.merged - counted.skipped],
    ["different merges recorded", counted.recorded],
    ["merges skipped", counted.skipped],
  ]);
  const found = new Map<string, unknown>([
    ["merges recorded", snapshot.as_of.seq],
    ["different merges recorded", counted.different],
    ["merges skipped", snapshot.skipped.total],
  ]);

  const readings = await client.query<Reading>(READINGS);
  for (const row of readings.rows) {
    const scope = row.scope ?? "global";
    expected.set(`${scope} first_pass_merge_rate`, ratio(row.first_pass, row.n50, 50));
    expected.set(`${scope} rebase_conflict_rate`, ratio(row.conflicts, row.n100, 100));
    expected.set(`${scope} p95_attempts_to_merge`, [row.n100 < 100 ? null : row.p95, null, row.n100]);
  }
  const gates = await client.query<{ gate: string; side: string }>(GATES);
  for (const { gate, side } of gates.rows) expected.set(`gate ${gate}`, side);

  for (const { metric, project, value, numerator, n, gate } of snapshot.metrics) {
    found.set(`${project ?? "global"} ${metric}`, [value, numerator, n]);
    if (project === null && gate !== null && gate.state !== "unknown")
      found.set(`gate ${gate.name}`, gate.state);
  }

  const differences = [...new Set([...expected.keys(), ...found.keys()])]
    .filter((what) => !isDeepStrictEqual(expected.get(what), found.get(what)))
    .map(
      (what) =>
        `${what}: SQL ${JSON.stringify(expected.get(what))}, metrics ${JSON.stringify(found.get(what))}`,
    );
  if (differences.length > 0) return { agrees: false, differences };
  return {
    agrees: true,
    readings: readings.rows.length * 3,
    gates: gates.rows.length,
    merges: counted.recorded,
  };
}

function ratio(numerator: number, n: number, window: number): [number | null, number, number] {
  return [n < window ? null : numerator / window, numerator, n];
}

async function completeness(client: pg.Client): Promise<Completeness> {
  const { rows } = await client.query<Completeness>(COMPLETENESS);
  return rows[0] as Completeness;
}
