/** Whether each merge is recorded exactly once and its numbers are right: plain SQL, one row for each thing that is wrong. */
export const WRONG = `
  WITH log AS (
    SELECT id, kind, work_item_id AS item, payload AS p, payload->>'key' AS key, payload->>'metric' AS metric,
           (payload->>'scope') || ' ' || coalesce(payload->>'project', '') AS line, (payload->>'seq')::bigint AS seq,
           payload->'merge'->>'project' AS project, (payload->'merge'->>'attempts')::int = 1 AS first_pass,
           payload->'merge'->>'last_verdict' IS NOT DISTINCT FROM 'rebase_conflict' AS conflict
      FROM events_outbox WHERE kind LIKE 'metric.%' AND kind <> 'metric.checkpoint'),
  readings AS (SELECT * FROM log WHERE metric IS NOT NULL AND kind <> 'metric.threshold_crossed'),
  counted AS (
    SELECT id, p, metric, line, count(*) OVER w50 AS n50, count(*) FILTER (WHERE first_pass) OVER w50 AS first_passes,
           count(*) OVER w100 AS n100, count(*) FILTER (WHERE conflict) OVER w100 AS conflicts
      FROM readings WINDOW w50 AS (PARTITION BY metric, line ORDER BY seq ROWS 49 PRECEDING),
                           w100 AS (PARTITION BY metric, line ORDER BY seq ROWS 99 PRECEDING))
  SELECT 'item ' || item || ' merged and is not recorded' FROM events_outbox AS o (id, kind, item, payload, created_at)
   WHERE kind = 'phase.transition' AND payload->>'target' = 'merged'
     AND NOT EXISTS (SELECT FROM log WHERE log.item = o.item)
  UNION ALL
  SELECT 'item ' || item || ' has ' || count(*) || ' rows of ' || metric || ' ' || line
    FROM readings GROUP BY item, metric, line HAVING count(*) > 1
  UNION ALL
  SELECT 'key ' || key || ' stands ' || count(*) || ' times' FROM log GROUP BY key HAVING count(*) > 1
  UNION ALL
  SELECT metric || ' ' || line || ' has a gap in seq' FROM readings
   GROUP BY metric, line HAVING count(*) <> max(seq) OR min(seq) <> 1
  UNION ALL
  SELECT 'row ' || id || ' has a wrong number: ' || p FROM counted
   WHERE (metric = 'first_pass_merge_rate' AND ((p->>'n')::int, (p->>'numerator')::int) <> (n50, first_passes))
      OR (metric = 'rebase_conflict_rate' AND ((p->>'n')::int, (p->>'numerator')::int) <> (n100, conflicts))
      OR ((p->>'value')::numeric IS NULL) <> ((p->>'n')::int < (p->>'window')::int)
  LIMIT 10`;

/** How many items merged, and how many merges are recorded or skipped. */
export const PROGRESS = `
  SELECT (SELECT count(DISTINCT work_item_id) FROM events_outbox
           WHERE kind = 'phase.transition' AND payload->>'target' = 'merged'),
         (SELECT count(*) FROM events_outbox
           WHERE kind IN ('metric.p95_attempts_to_merge', 'metric.merge_skipped'))`;

/** Items that merge, all in one transaction. */
export function mergesOf(items: number): string {
  return `
    WITH item AS (
      INSERT INTO work_items (project, story_id, phase, attempts, last_verdict)
      SELECT CASE WHEN n % 3 = 0 THEN 'atlas' ELSE 'borealis' END, 'story ' || n, 'merged', 1 + (n % 5) / 4,
             CASE WHEN n % 9 = 0 THEN 'rebase_conflict' ELSE 'approve' END FROM generate_series(1, ${items}) AS n
      RETURNING id)
    INSERT INTO events_outbox (kind, work_item_id, payload)
    SELECT 'phase.transition', id, '{"target": "merged"}' FROM item`;
}
