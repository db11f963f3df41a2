/** What the ledger must fulfil beside the oracle's checks: retention allows a few things that a whole log does not. */
import type pg from "pg";
import type { Variant } from "./variant.ts";

/** The oracle's checks in whose place these stand. */
export const REPLACED = [
  "I1 a merge is not recorded",
  "I1 a merge is recorded again",
  "I1 a row has no merge",
];
/**
 * Where no checkpoint survives, windows count up again, and so do projects of which nothing is left; and where our rows
 * alone go, a merge whose row went may be recorded again.
 */
export const REPLACED_WITHOUT_CHECKPOINT = [
  ...REPLACED,
  "I2 a number is not what its facts give",
  "I3 a state or crossing is wrong",
  "I6 seq is not dense",
  "I1 a set is not whole",
  "I6 a key is repeated or not as promised",
  "effective is wrong",
];

/** Recorded again after retention took the first record. */
const GONE = "EXISTS (SELECT FROM chaos.pruned p WHERE p.id = a.id AND p.at < b.place)";
/** And the transition that it records: then nothing shows that the work item has merged before. */
const TRANSITION_GONE =
  "EXISTS (SELECT FROM chaos.pruned p WHERE p.id = a.event_id::bigint AND p.at < b.place)";

/** Its work item is deleted, and the foreign key refuses its records: reported, or taken by retention before. */
const REFUSED =
  "deleted AND (event_id = ANY ($1) OR EXISTS (SELECT FROM chaos.pruned p WHERE p.id = event_id::bigint))";

const CHECKS: Readonly<Record<string, string>> = {
  "I1 a merge is not recorded": `
    SELECT 'merge ' || min(id) || ' (' || identity || ') is neither recorded nor skipped'
           || CASE WHEN bool_or(deleted) THEN ', its work item is deleted' ELSE '' END
      FROM chaos.unrecorded WHERE NOT $unfinished AND NOT (${REFUSED}) GROUP BY identity`,
  "I1 a merge is recorded again": `
    SELECT 'event ' || a.event_id || ' of item ' || coalesce(a.merge_item, 'none') || ' by row ' || a.id || ' (seq ' || coalesce(a.seq::text, 'skipped')
           || '), and event ' || b.event_id || ' by row ' || b.id || ' (seq ' || coalesce(b.seq::text, 'skipped') || ')'
           || CASE WHEN ${GONE} THEN ', when retention had taken the first' ELSE '' END
      FROM chaos.records a JOIN chaos.records b ON a.place < b.place
       AND (a.event_id = b.event_id OR a.merge_item = b.merge_item)
     WHERE NOT (${GONE} AND ($lost OR (${TRANSITION_GONE} AND a.event_id <> b.event_id)))`,
  "I1 a row has no merge": `
    SELECT 'row ' || r.id || ' (' || r.kind || ') records event ' || coalesce(r.event_id, 'null') || ' of item ' || coalesce(r.merge_item, 'null')
           || ', its work_item_id is ' || coalesce(r.item, 'null')
      FROM chaos.ledger r
     WHERE r.payload ? 'key' AND r.kind LIKE 'metric.%' AND r.kind <> 'metric.checkpoint'
       AND (r.item IS DISTINCT FROM r.merge_item
            OR NOT EXISTS (SELECT FROM chaos.merges m WHERE m.event_id = r.event_id AND (m.item = r.item OR r.item IS NULL)))`,
};

const WITHOUT_CHECKPOINT: Readonly<Record<string, string>> = {
  "I2 a number is not what its newest facts give": `
    WITH facts AS (
      SELECT id, tx, event_id, payload->'merge'->>'project' AS project, (payload->'merge'->>'attempts')::int = 1 AS first_pass,
             payload->'merge'->>'last_verdict' IS NOT DISTINCT FROM 'rebase_conflict' AS conflict
        FROM chaos.ledger WHERE kind = 'metric.first_pass_merge_rate'
    ), placed AS (
      SELECT facts.*, '' AS line, row_number() OVER (ORDER BY id) AS pos FROM facts
      UNION ALL SELECT facts.*, ' ' || project, row_number() OVER (PARTITION BY project ORDER BY id) FROM facts
    )
    SELECT 'row ' || r.id || ' (' || r.kind || '): numerator ' || (r.payload->>'numerator') || ' of ' || (r.payload->>'n') || ', counted ' || counted.numerator || ' of ' || f.pos
      FROM chaos.ledger r
      JOIN placed f ON f.event_id = r.event_id AND f.tx = r.tx AND f.line = coalesce(' ' || (r.payload->>'project'), ''),
   LATERAL (SELECT count(*) FILTER (WHERE CASE r.kind WHEN 'metric.rebase_conflict_rate' THEN g.conflict ELSE g.first_pass END) AS numerator
              FROM placed g WHERE g.line = f.line AND g.pos <= f.pos AND g.pos > f.pos - (r.payload->>'n')::int) AS counted
     WHERE r.kind IN ('metric.first_pass_merge_rate', 'metric.rebase_conflict_rate')
       AND ((r.payload->>'numerator')::int IS DISTINCT FROM counted.numerator OR (r.payload->>'n')::int > f.pos)`,
  "I6 seq is not dense": `
    SELECT 'seq ' || seq || ' follows ' || before FROM (
      SELECT (payload->>'seq')::int AS seq, lag((payload->>'seq')::int, 1, 0) OVER (ORDER BY id) AS before
        FROM chaos.ledger WHERE kind = 'metric.first_pass_merge_rate') AS numbered WHERE seq <> before + 1`,
};

const TOLD = 5;

/** @param refused events that daemons reported as refused. */
export async function checkLedger(
  ledger: pg.Pool,
  { checkpoints }: Variant,
  refused: readonly string[],
  unfinished: boolean,
): Promise<string[]> {
  const lost = checkpoints === "lost";
  const found: string[] = [];
  for (const [name, check] of Object.entries({ ...CHECKS, ...(lost ? WITHOUT_CHECKPOINT : {}) })) {
    const text = check.replaceAll("$unfinished", String(unfinished)).replaceAll("$lost", String(lost));
    const values = text.includes("$1") ? [refused] : [];
    const { rows } = await ledger.query<unknown[]>({ text, values, rowMode: "array" });
    for (const [what] of rows.slice(0, TOLD)) found.push(`${name}: ${String(what)}`);
    if (rows.length > TOLD) found.push(`${name}: and ${rows.length - TOLD} more`);
  }
  return found;
}
