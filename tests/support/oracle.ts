/**
 * The oracle: whether a log keeps its promises, by plain SQL over its rows and by nothing of the daemon's code.
 *
 * The facts are those that the log recorded, in the order in which it did (`seq`); every number is counted anew from
 * them, every gate walked anew from the numbers. What the contract decides is here a second time on purpose: the
 * windows, the bounds, which rows a merge gives and how they are called.
 */
import type pg from "pg";

export type OracleOptions = {
  /** Rows went from the old end: what stood on them cannot be counted any more and is believed. Default false. */
  readonly pruned?: boolean;
  /** Merges may be waiting still. Default false. */
  readonly unfinished?: boolean;
  /** Names of checks that the caller has others for. */
  readonly without?: readonly string[];
};

/** What the contract says of each metric row; bounds as numeric, so that they are exact: 35 of 50 is 0.7. */
const CONTRACT = `
  SELECT * FROM (VALUES
    ('first_pass_merge_rate', 'global', 1, 50, 'trust', 0.85, 0.70),
    ('rebase_conflict_rate', 'global', 2, 100, 'scope_overlap', 0.10, 0.05),
    ('p95_attempts_to_merge', 'global', 3, 100, NULL, NULL, NULL),
    ('rebase_conflict_rate', 'project', 4, 100, 'scope_overlap', 0.10, 0.05)
  ) AS c (metric, scope, place, window_size, gate, upper, lower)`;

/** A json column may hold escapes at which its own operators stop; most payloads hold none at all. */
export const READABLE = "(strpos(payload::text, '\\u') = 0 OR payload::text !~ '\\\\u(0000|[dD][89a-fA-F])')";

/**
 * The log spread out into tables of one transaction. `line` is a scope, `pos` a merge's place in its order; what counts
 * among the last n merges is what has counted up to here, less what had n merges before (`first_passes`, `conflicts`).
 */
const TABLES: Readonly<Record<string, string>> = {
  contract: CONTRACT,
  log: `
    SELECT id, kind, work_item_id::text AS item, xmin::text AS tx, CASE WHEN ${READABLE} THEN to_jsonb(payload) END AS p,
           payload::text AS raw
      FROM events_outbox WHERE kind = 'phase.transition' OR kind LIKE 'metric.%'`,
  merges: `
    SELECT id::text AS event_id, item, coalesce('item ' || item, 'event ' || id) AS identity FROM log
     WHERE kind = 'phase.transition' AND coalesce(p->>'target' = 'merged', p IS NULL AND raw ~ '"target" ?: ?"merged"')`,
  ours: `
    SELECT id, kind, item, p, tx, p->>'key' AS key, p->'merge'->>'event_id' AS event_id, p->'merge'->>'work_item_id' AS merge_item,
           coalesce('item ' || (p->'merge'->>'work_item_id'), 'event ' || (p->'merge'->>'event_id')) AS identity,
           p->>'metric' AS metric, p->>'scope' AS scope, p->>'project' AS project,
           (p->>'scope') || ' ' || coalesce(p->>'project', '') AS line, (p->>'seq')::bigint AS seq
      FROM log
     WHERE kind LIKE 'metric.%' AND kind <> 'metric.checkpoint' AND jsonb_typeof(p) = 'object' AND p ? 'schema_version' AND p ? 'key'`,
  metric_rows: `
    SELECT *, (p->>'value')::numeric AS value, (p->>'numerator')::int AS numerator, (p->>'n')::int AS n,
           (p->>'window')::int AS window_size, p->>'state' AS state, p->'merge'->>'project' AS merge_project,
           (p->'merge'->>'attempts')::bigint AS attempts, p->'merge'->>'last_verdict' AS verdict
      FROM ours WHERE kind NOT IN ('metric.threshold_crossed', 'metric.merge_skipped')`,
  crossings: "SELECT * FROM ours WHERE kind = 'metric.threshold_crossed'",
  skips: "SELECT * FROM ours WHERE kind = 'metric.merge_skipped'",
  recorded: `
    SELECT seq, id, event_id, merge_project AS project, attempts,
           verdict IS NOT DISTINCT FROM 'rebase_conflict' AS conflicted, p->'merge'->>'merged_at' AS merged_at
      FROM metric_rows WHERE metric = 'first_pass_merge_rate' AND scope = 'global'`,
  placed: `
    SELECT *, count(*) FILTER (WHERE attempts = 1) OVER so_far AS first_passes, count(*) FILTER (WHERE conflicted) OVER so_far AS conflicts
      FROM (SELECT 'global ' AS line, row_number() OVER (ORDER BY seq, id) AS pos, recorded.* FROM recorded
            UNION ALL
            SELECT 'project ' || project, row_number() OVER (PARTITION BY project ORDER BY seq, id), recorded.* FROM recorded) AS places
    WINDOW so_far AS (PARTITION BY line ORDER BY pos)`,
  lines: "SELECT line, count(*) AS merges FROM placed GROUP BY line",
  chain: `
    SELECT x.id, lag(jsonb_build_object('event_id', x.event_id, 'since', f.merged_at)) OVER (PARTITION BY x.metric, x.line ORDER BY x.seq, x.id) AS previous
      FROM crossings x LEFT JOIN placed f ON f.line = 'global ' AND f.event_id = x.event_id`,
};
const INDEXES = [
  "merges (event_id)",
  "metric_rows (event_id)",
  "placed (event_id, line)",
  "placed (line, pos)",
  "chain (id)",
];

/** Each finds what breaks one promise: one line for a person for each row. */
const CHECKS: Readonly<Record<string, string>> = {
  "I1 a merge is not recorded": `
    SELECT 'merge ' || min(m.event_id) || ' (' || identity || ') is neither recorded nor skipped' FROM merges m
     WHERE NOT $unfinished AND NOT EXISTS (SELECT FROM metric_rows r WHERE r.identity = m.identity)
       AND NOT EXISTS (SELECT FROM skips s WHERE s.identity = m.identity)
       AND NOT ($pruned AND m.event_id::bigint < (SELECT min(event_id::bigint) FROM metric_rows))
     GROUP BY identity`,
  "I1 a merge is recorded again": `
    SELECT identity || ' is recorded ' || count(*) || ' times: ' || string_agg(what, ', ')
      FROM (SELECT identity, 'seq ' || seq AS what FROM metric_rows WHERE metric = 'first_pass_merge_rate' AND scope = 'global'
            UNION ALL SELECT identity, 'skipped by row ' || id FROM skips) AS once
     GROUP BY identity HAVING count(*) > 1`,
  "I1 a row has no merge": `
    SELECT 'row ' || r.id || ' records event ' || coalesce(r.event_id, 'null') || ' of item ' || coalesce(r.merge_item, 'null')
      FROM (SELECT id, event_id, merge_item, item FROM metric_rows UNION ALL SELECT id, event_id, merge_item, item FROM skips
            UNION ALL SELECT id, event_id, merge_item, item FROM crossings) AS r
     WHERE r.item IS DISTINCT FROM r.merge_item
        OR (NOT $pruned AND NOT EXISTS (SELECT FROM merges m WHERE m.event_id = r.event_id AND m.item IS NOT DISTINCT FROM r.item))`,
  "I1 a set is not whole": `
    SELECT 'merge ' || event_id || ' has the rows ' || string_agg(what, ', ' ORDER BY id)
      FROM (SELECT id, event_id, tx, p, c.place * 2 AS place, metric || '/' || m.scope AS what
              FROM metric_rows m LEFT JOIN contract c USING (metric, scope)
            UNION ALL
            SELECT id, event_id, tx, p, c.place * 2 + 1, 'crossing of ' || metric || '/' || x.scope
              FROM crossings x LEFT JOIN contract c USING (metric, scope)) AS set_rows
     GROUP BY event_id
    HAVING NOT (array_agg(place ORDER BY id) @> ARRAY[2, 4, 6, 8]
            AND array_agg(place ORDER BY id) = array_agg(DISTINCT place ORDER BY place)
            AND count(DISTINCT tx) = 1 AND min((p->>'set_size')::int) = count(*) AND max((p->>'set_size')::int) = count(*)
            AND count(DISTINCT p->'merge') = 1)
       AND NOT ($pruned AND event_id = (SELECT event_id FROM metric_rows ORDER BY id LIMIT 1))`,
  "I2 a number is not what its facts give": `
    SELECT 'row ' || r.id || ' (' || r.metric || ', ' || r.line || ', seq ' || r.seq || '): ' || r.n || ' of ' || r.window_size
           || ' numerator ' || coalesce(r.numerator::text, 'null') || ' value ' || coalesce(r.value::text, 'null') || ', counted '
           || counted.n || ' numerator ' || coalesce(counted.numerator::text, 'null') || ' value ' || coalesce(counted.value::text, 'null')
      FROM metric_rows r
      JOIN contract c USING (metric, scope)
      JOIN placed f ON f.line = r.line AND f.event_id = r.event_id AND f.seq = (SELECT g.seq FROM metric_rows g
           WHERE g.event_id = r.event_id AND g.metric = 'first_pass_merge_rate' AND g.scope = 'global' LIMIT 1)
     CROSS JOIN LATERAL (SELECT least(f.pos, c.window_size)::int AS n) AS due
      LEFT JOIN placed before ON before.line = f.line AND before.pos = f.pos - due.n
     CROSS JOIN LATERAL (SELECT CASE WHEN $pruned THEN greatest(r.n, due.n) ELSE due.n END AS n,
                   CASE r.metric WHEN 'first_pass_merge_rate' THEN f.first_passes - coalesce(before.first_passes, 0)
                                 WHEN 'rebase_conflict_rate' THEN f.conflicts - coalesce(before.conflicts, 0) END::int AS numerator) AS naive
     CROSS JOIN LATERAL (SELECT naive.n, naive.numerator,
                   CASE WHEN naive.n < c.window_size THEN NULL WHEN r.metric <> 'p95_attempts_to_merge' THEN naive.numerator::numeric / naive.n
                        ELSE (SELECT (array_agg(attempts ORDER BY attempts))[ceil(0.95 * count(*))::int] FROM placed e
                               WHERE e.line = f.line AND e.pos BETWEEN f.pos - due.n + 1 AND f.pos) END AS value) AS counted
     WHERE r.window_size <> c.window_size OR r.n <> counted.n OR r.n > r.window_size
        OR ((r.value IS NULL) <> (r.n < c.window_size))
        OR (NOT ($pruned AND r.n > due.n) AND (r.numerator IS DISTINCT FROM counted.numerator
             OR round(r.value, 12) IS DISTINCT FROM round(counted.value, 12)))`,
  "I3 a state or crossing is wrong": `
    WITH walked AS (
      SELECT r.*, c.gate, c.upper, c.lower, f.merged_at,
             row_number() OVER w AS nth, lag(r.value IS NOT NULL, 1, false) OVER w AS was_defined,
             CASE WHEN r.n < c.window_size THEN NULL WHEN r.numerator >= c.upper * r.n THEN 'high'
                  WHEN r.numerator < c.lower * r.n THEN 'low' END AS side,
             (SELECT g.state FROM metric_rows g WHERE g.event_id = r.event_id AND g.metric = r.metric AND g.scope = 'global' LIMIT 1) AS global_state
        FROM metric_rows r JOIN contract c USING (metric, scope)
        JOIN placed f ON f.line = 'global ' AND f.event_id = r.event_id
       WHERE c.gate IS NOT NULL WINDOW w AS (PARTITION BY r.metric, r.line ORDER BY r.seq, r.id)
    ), decided AS (
      SELECT *, CASE WHEN $pruned AND nth = 1 THEN nullif(state, 'unknown')
                     WHEN side IS NULL AND scope = 'project' AND value IS NOT NULL AND NOT was_defined THEN nullif(global_state, 'unknown')
                     ELSE side END AS decision,
             ($pruned AND nth = 1) OR (side IS NULL AND scope = 'project' AND value IS NOT NULL AND NOT was_defined) AS taken
        FROM walked
    ), grouped AS (
      SELECT *, count(decision) OVER (PARTITION BY metric, line ORDER BY seq, id) AS stretch FROM decided
    ), due_state AS (
      SELECT *, coalesce(max(decision) OVER (PARTITION BY metric, line, stretch), 'unknown') AS due FROM grouped
    ), due_crossing AS (
      SELECT *, lag(due, 1, 'unknown') OVER w AS due_from FROM due_state WINDOW w AS (PARTITION BY metric, line ORDER BY seq, id)
    ), both_sides AS (
      SELECT d.*, x.p AS x, (SELECT previous FROM chain WHERE chain.id = x.id LIMIT 1) AS previous,
             (d.due <> d.due_from AND NOT (d.taken AND (d.side IS NULL OR $pruned))) AS crosses
        FROM due_crossing d LEFT JOIN crossings x USING (metric, line, seq)
    )
    SELECT 'row ' || id || ' (' || metric || ', ' || line || ', seq ' || seq || ', value ' || coalesce(value::text, 'null')
           || '): state ' || coalesce(state, 'null') || ', due ' || due || CASE WHEN crosses THEN ', crossing due from ' || due_from
           ELSE ', no crossing due' END || ', written ' || coalesce(x->>'from' || ' to ' || (x->>'to'), 'none')
      FROM both_sides
     WHERE state IS DISTINCT FROM due
        OR (crosses AND x IS NULL AND NOT ($pruned AND nth = 1)) OR (NOT crosses AND x IS NOT NULL AND NOT ($pruned AND nth = 1))
        OR (crosses AND NOT (x->>'from' = due_from AND x->>'to' = due AND x->>'gate' = gate
              AND x->>'direction' = CASE due WHEN 'high' THEN 'up' ELSE 'down' END
              AND (x->>'upper')::numeric = upper AND (x->>'lower')::numeric = lower
              AND ($pruned OR coalesce(x->'previous', 'null') = coalesce(previous, 'null'))
              AND (x - '{key,gate,direction,from,to,upper,lower,previous}'::text[]) = (p - 'key')))`,
  "I3 a crossing has no row": `
    SELECT 'crossing ' || x.id || ' of ' || x.metric || ', ' || x.line || ', seq ' || coalesce(x.seq::text, 'null')
      FROM crossings x WHERE NOT EXISTS (SELECT FROM metric_rows r JOIN contract c USING (metric, scope)
        WHERE c.gate IS NOT NULL AND r.metric = x.metric AND r.line = x.line AND r.seq = x.seq AND r.event_id = x.event_id)
       AND NOT ($pruned AND x.event_id = (SELECT event_id FROM crossings ORDER BY id LIMIT 1))`,
  "I6 seq is not dense": `
    SELECT metric || ', ' || line || ': seq ' || seq || ' comes as number ' || nth || ' from ' || first_seq
      FROM (SELECT metric, line, seq, row_number() OVER w AS nth, first_value(seq) OVER w AS first_seq
              FROM metric_rows WINDOW w AS (PARTITION BY metric, line ORDER BY id)) AS numbered
     WHERE seq IS DISTINCT FROM first_seq + nth - 1 OR (first_seq <> 1 AND NOT $pruned)`,
  "I6 a key is repeated or not as promised": `
    SELECT 'key ' || coalesce(key, 'null') || ' of row ' || id
      FROM (SELECT id, key, count(*) OVER (PARTITION BY key) AS uses, promised FROM
        (SELECT id, key, metric || '|' || CASE scope WHEN 'global' THEN 'global' ELSE 'project:' || project END || '|' || event_id AS promised
           FROM metric_rows
         UNION ALL
         SELECT id, key, metric || '|' || CASE scope WHEN 'global' THEN 'global' ELSE 'project:' || (p->>'project') END || '|' || event_id || '|crossed'
           FROM crossings
         UNION ALL SELECT id, key, 'merge_skipped|' || event_id FROM skips
         UNION ALL SELECT id, p->>'key', 'checkpoint|' || (p->>'row_id') || '|' || (p->>'low_mark') FROM log
          WHERE kind = 'metric.checkpoint' AND jsonb_typeof(p) = 'object' AND p ? 'row_id') AS every_key) AS counted
     WHERE uses > 1 OR key IS DISTINCT FROM promised`,
  "effective is wrong": `
    SELECT 'row ' || r.id || ' (' || r.line || ', seq ' || r.seq || '): ' || coalesce((r.p->'effective')::text, 'none') || ', due ' || due::text
      FROM metric_rows r
      LEFT JOIN metric_rows g ON g.event_id = r.event_id AND g.metric = r.metric AND g.scope = 'global',
   LATERAL (SELECT CASE WHEN r.scope = 'global' THEN NULL
              WHEN r.value IS NOT NULL THEN jsonb_build_object('scope', 'project', 'value', r.value, 'state', r.state)
              WHEN g.value IS NOT NULL THEN jsonb_build_object('scope', 'global', 'value', g.value, 'state', g.state)
              ELSE '{"scope": null, "value": null, "state": "unknown"}' END AS due) AS d
     WHERE r.p->'effective' IS DISTINCT FROM due AND NOT ($pruned AND r.event_id = (SELECT event_id FROM metric_rows ORDER BY id LIMIT 1))`,
  "a row is not what version 1 says": `
    SELECT 'row ' || id || ' of kind ' || kind || ': ' || p::text FROM metric_rows
     WHERE kind <> 'metric.' || metric OR p->'schema_version' <> '1' OR (metric, scope) NOT IN (SELECT metric, scope FROM contract)
        OR coalesce(project, '') <> CASE scope WHEN 'global' THEN '' ELSE merge_project END
        OR ((p->'numerator' = 'null') <> (metric = 'p95_attempts_to_merge'))
        OR ((p->'state' = 'null') <> (metric = 'p95_attempts_to_merge'))
        OR p->>'producer' IS NULL OR NOT p ?& '{value,numerator,state,project}'`,
};

/** Of one kind; a log that is wrong everywhere need not be told row by row. */
const TOLD = 5;

/** What is wrong with the log, one readable line each; empty when every promise is kept. */
export function violations(on: pg.Pool | pg.PoolClient, options: OracleOptions = {}): Promise<string[]> {
  return withTables(on, async (client) => {
    const found: string[] = [];
    for (const [name, check] of Object.entries(CHECKS)) {
      if (options.without?.includes(name) === true) continue;
      const text = check
        .replaceAll("$pruned", String(options.pruned ?? false))
        .replaceAll("$unfinished", String(options.unfinished ?? false));
      const { rows } = await client.query<unknown[]>({ text, rowMode: "array" });
      for (const [what] of rows.slice(0, TOLD)) found.push(`${name}: ${String(what)}`);
      if (rows.length > TOLD) found.push(`${name}: and ${rows.length - TOLD} more`);
    }
    return found;
  });
}

/** A reading as the facts of the log give it now. */
export type NaiveReading = {
  readonly metric: string;
  readonly project: string | null;
  readonly value: number | null;
  readonly numerator: number | null;
  readonly n: number;
};

/** Every metric of every scope, counted from the newest facts: what memory and the snapshot must show. */
export function naiveReadings(on: pg.Pool | pg.PoolClient): Promise<NaiveReading[]> {
  return withTables(on, async (client) => {
    const { rows } = await client.query<NaiveReading>(
      `SELECT c.metric, nullif(substr(l.line, 9), '') AS project, entry.n,
              CASE WHEN entry.n < c.window_size THEN NULL WHEN c.metric = 'p95_attempts_to_merge' THEN entry.p95
                   ELSE (CASE c.metric WHEN 'first_pass_merge_rate' THEN entry.first_pass ELSE entry.conflicts END)::float8 / entry.n END AS value,
              CASE c.metric WHEN 'first_pass_merge_rate' THEN entry.first_pass WHEN 'rebase_conflict_rate' THEN entry.conflicts END AS numerator
         FROM lines l CROSS JOIN contract c,
      LATERAL (SELECT count(*)::int AS n, count(*) FILTER (WHERE attempts = 1)::int AS first_pass, count(*) FILTER (WHERE conflicted)::int AS conflicts,
                      (array_agg(attempts ORDER BY attempts))[ceil(0.95 * count(*))::int]::float8 AS p95
                 FROM placed e WHERE e.line = l.line AND e.pos > l.merges - c.window_size) AS entry
        WHERE c.scope = 'global'
        ORDER BY substr(l.line, 9) COLLATE "C", c.place`,
    );
    return rows;
  });
}

/** In a transaction of its own, or in the client's open one. */
async function withTables<T>(
  on: pg.Pool | pg.PoolClient,
  use: (client: pg.PoolClient) => Promise<T>,
): Promise<T> {
  const own = "totalCount" in on;
  const client = own ? await on.connect() : on;
  try {
    const names = Object.keys(TABLES).toReversed();
    await client.query(
      [
        ...(own ? ["BEGIN"] : []),
        "SET LOCAL jit = off",
        "SET LOCAL default_statistics_target = 10",
        ...names.map((name) => `DROP TABLE IF EXISTS pg_temp.${name}`),
        ...Object.entries(TABLES).map(
          ([name, select]) => `CREATE TEMP TABLE ${name} ON COMMIT DROP AS ${select}`,
        ),
        ...INDEXES.map((index) => `CREATE INDEX ON ${index}`),
        ...names.map((name) => `ANALYZE ${name}`),
      ].join("; "),
    );
    return await use(client);
  } finally {
    if (own) {
      // A connection that broke meanwhile is no use to the next one.
      client.release(
        await client.query("ROLLBACK").then(
          () => false,
          () => true,
        ),
      );
    }
  }
}
