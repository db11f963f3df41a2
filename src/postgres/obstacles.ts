/**
 * What is attached to the outbox and acts on appended rows: triggers, rules, constraints, unique indexes and partitions. Where
 * our rows are refused or changed, one line names the object and what to do about it.
 */
import type { Failure } from "../events/fields.ts";
import type { Place } from "../outbox/outbox-log.ts";
import type { TextRow } from "./connection.ts";
import type { Names } from "./names.ts";

const SORTS = ["trigger", "rule", "constraint", "index", "partitions"] as const;

export type Obstacle = {
  readonly sort: (typeof SORTS)[number];
  /** Of partitions: their key. */
  readonly name: string;
  /** Of a trigger: its function, with its schema. */
  readonly routine: string | null;
  /**
   * Of a trigger: whether it runs before the row is stored. Of a rule: whether it is DO INSTEAD. Of a constraint: whether it
   * is a foreign key of the work item. Of an index: whether ids are a part of it. Of partitions: true.
   */
  readonly decides: boolean;
};

/** The oids of the outbox and its partitions. */
export const relations = (outbox: string): string =>
  `SELECT '${outbox}'::regclass::oid UNION SELECT relid::oid FROM pg_partition_tree('${outbox}'::regclass)`;

const has = (column: string, relation: string, keys: string): string =>
  `EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = ${relation} AND a.attname = '${column}' AND a.attnum = ANY (${keys}))`;

/** Bits of `pg_trigger.tgtype`: 2 is BEFORE, 4 is INSERT. An identity's or a constraint's own triggers are internal. */
export function obstaclesStatement({ outbox }: Names): string {
  const ofOurs = "ANY (ARRAY(SELECT relid FROM ours))";
  return `
  WITH ours (relid) AS MATERIALIZED (${relations(outbox)})
  SELECT DISTINCT 'trigger' AS sort, t.tgname::text AS name, format('%I.%I', n.nspname, p.proname) AS routine, (t.tgtype & 2 <> 0)::text AS decides
    FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_namespace n ON n.oid = p.pronamespace
   WHERE t.tgrelid = ${ofOurs} AND NOT t.tgisinternal AND t.tgenabled IN ('O', 'A') AND t.tgtype & 4 <> 0
  UNION ALL
  SELECT 'rule', r.rulename::text, NULL, r.is_instead::text FROM pg_rewrite r
   WHERE r.ev_class = ${ofOurs} AND r.ev_type = '3' AND r.ev_enabled IN ('O', 'A')
  UNION ALL
  SELECT DISTINCT 'constraint', c.conname::text, NULL, (c.contype = 'f' AND ${has("work_item_id", "c.conrelid", "c.conkey")})::text
    FROM pg_constraint c WHERE c.conrelid = ${ofOurs} AND c.contype IN ('c', 'f', 'x', 'u')
  UNION ALL
  SELECT DISTINCT 'index', k.relname::text, NULL, ${has("id", "i.indrelid", "i.indkey")}::text
    FROM pg_index i JOIN pg_class k ON k.oid = i.indexrelid WHERE i.indrelid = ${ofOurs}
  UNION ALL
  SELECT 'partitions', pg_get_partkeydef(partrelid), NULL, 'true' FROM pg_partitioned_table WHERE partrelid = '${outbox}'::regclass`;
}

/** What `obstaclesStatement` found. */
export function obstaclesIn(rows: readonly TextRow[]): Obstacle[] {
  return rows.map((row) => ({
    sort: SORTS.find((sort) => sort === row["sort"]) ?? "constraint",
    name: row["name"] ?? "",
    routine: row["routine"] ?? null,
    decides: row["decides"] === "true",
  }));
}

/** Whether the failure is that another row has the id already: the sequence is behind its table. */
export function isIdTaken({ code, message }: Failure, obstacles: readonly Obstacle[]): boolean {
  const keys = obstacles.filter(({ sort, decides }) => sort === "index" && decides);
  return code === "23505" && keys.some(({ name }) => mentions(message, name));
}

const PASS = "let rows of kind metric.* pass unchanged";
const TRIGGER_REMEDY = `${PASS} (CREATE TRIGGER … WHEN (NEW.kind NOT LIKE 'metric.%') …)`;
const RULE_REMEDY = `${PASS}: DROP RULE, or add WHERE NEW.kind NOT LIKE 'metric.%' to it`;

/** One line: the table refuses our rows. @param what names these rows. */
export function refusedLine(
  { code, message }: Failure,
  obstacles: readonly Obstacle[],
  { table, sequence }: Place,
  what: string,
): string {
  if (code === "2200H")
    return `sequence ${sequence} has no id left for ${table} (${message}): ALTER SEQUENCE ${sequence} NO MAXVALUE, or set it back to the largest id that was drawn from it (SELECT setval('${sequence}', …))`;
  const says = `${table} refuses ${what} (${code}: ${message})`;
  const rule = obstacles.find(({ sort, decides }) => sort === "rule" && decides);
  if (code === "0A000" && rule !== undefined) return `${says}: rule ${rule.name}; ${RULE_REMEDY}`;
  const named = obstacles.find(
    ({ sort, name }) => (sort === "constraint" || sort === "index") && mentions(message, name),
  );
  if (named !== undefined) return `${says}: ${named.sort} ${named.name}; ${remedyFor(code)}`;
  const triggers = obstacles.filter(({ sort }) => sort === "trigger");
  const called = triggers.filter(({ routine }) => routine !== null && mentions(message, lastPart(routine)));
  const partitions = obstacles.find(({ sort }) => sort === "partitions");
  // A check would be named by the message, and a trigger by its function.
  if (code === "23514" && partitions !== undefined && called.length === 0)
    return `${says}: no partition by ${partitions.name} takes them; add the one that does (CREATE TABLE … PARTITION OF ${table} …), and make partitions ahead of time`;
  const suspects = called.length > 0 ? called : triggers;
  return suspects.length > 0
    ? `${says}: ${listed(suspects)}; ${TRIGGER_REMEDY}`
    : `${says}: ${remedyFor(code)}`;
}

/** One line: the table took our rows and holds something else. @param difference what became of them. */
export function changedLine(
  obstacles: readonly Obstacle[],
  table: string,
  what: string,
  difference: string,
): string {
  const says = `${table} does not keep ${what} as they are appended: ${difference}`;
  const rules = obstacles.filter(({ sort, decides }) => sort === "rule" && decides);
  if (rules.length > 0) return `${says}: ${listed(rules)}; ${RULE_REMEDY}`;
  const triggers = obstacles.filter(({ sort }) => sort === "trigger");
  const deciding = triggers.filter(({ decides }) => decides);
  const suspects = deciding.length > 0 ? deciding : triggers;
  return suspects.length > 0
    ? `${says}: ${listed(suspects)}; ${TRIGGER_REMEDY}`
    : `${says}; find what changes rows as they are inserted, and ${PASS}`;
}

/** What to do, by the beginning of the SQLSTATE; the first that fits counts. */
const REMEDIES: readonly (readonly [code: string, remedy: string])[] = [
  ["23503", "add the kinds metric.* to the table that it refers to, or drop it for this table"],
  [
    "23505",
    "one merge appends several rows of one kind: exclude them (a unique index WHERE kind NOT LIKE 'metric.%')",
  ],
  [
    "23P01",
    "one merge appends several rows of one kind: exclude them (an exclusion WHERE (kind NOT LIKE 'metric.%'))",
  ],
  ["23", "let it allow rows of kind metric.* (… OR kind LIKE 'metric.%')"],
  [
    "54",
    "index an expression that is short for every row, or exclude rows of kind metric.* (WHERE kind NOT LIKE 'metric.%')",
  ],
  ["", "change what refuses it, so that rows of kind metric.* pass"],
];

function remedyFor(code: string): string {
  return REMEDIES.find(([start]) => code.startsWith(start))?.[1] ?? "";
}

function listed(obstacles: readonly Obstacle[]): string {
  return obstacles
    .map(({ sort, name, routine }) => `${sort} ${name}${routine === null ? "" : ` (function ${routine})`}`)
    .join(", ");
}

/** Whether a message contains a name as a word: messages quote names or put them in parentheses. */
function mentions(message: string, name: string): boolean {
  const escaped = name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`(^|[^A-Za-z0-9_$])${escaped}($|[^A-Za-z0-9_$])`).test(message);
}

function lastPart(name: string): string {
  return name.slice(name.lastIndexOf(".") + 1).replaceAll('"', "");
}
