/**
 * What is attached to the outbox and acts on rows that are appended: triggers, rules, constraints and unique indexes. Where
 * our rows are refused or changed, one line names the object and what to do about it.
 */
import type { Failure } from "../events/fields.ts";
import type { Place } from "../outbox-log.ts";
import type { TextRow } from "./connection.ts";
import type { Names } from "./names.ts";

const SORTS = ["trigger", "rule", "constraint", "index"] as const;

export type Obstacle = {
  readonly sort: (typeof SORTS)[number];
  readonly name: string;
  /** Of a trigger: its function, with its schema. */
  readonly routine: string | null;
  /**
   * Of a trigger: whether it runs before the row is stored. Of a rule: whether it is DO INSTEAD. Of a constraint: whether it
   * is a foreign key of the work item. Of an index: whether ids are a part of it.
   */
  readonly decides: boolean;
};

/** The outbox and its partitions. */
export const relations = (outbox: string): string =>
  `SELECT '${outbox}'::regclass::oid UNION SELECT relid::oid FROM pg_partition_tree('${outbox}'::regclass)`;

/** Bits of `pg_trigger.tgtype`: BEFORE, INSERT. An identity's or a constraint's own triggers are internal. */
export function obstaclesStatement({ outbox }: Names): string {
  return `
  SELECT DISTINCT 'trigger' AS sort, t.tgname::text AS name, format('%I.%I', n.nspname, p.proname) AS routine, (t.tgtype & 2 <> 0)::text AS decides
    FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_namespace n ON n.oid = p.pronamespace
   WHERE t.tgrelid IN (${relations(outbox)}) AND NOT t.tgisinternal AND t.tgenabled IN ('O', 'A') AND t.tgtype & 4 <> 0
  UNION ALL
  SELECT 'rule', r.rulename::text, NULL, r.is_instead::text FROM pg_rewrite r
   WHERE r.ev_class IN (${relations(outbox)}) AND r.ev_type = '3' AND r.ev_enabled IN ('O', 'A')
  UNION ALL
  SELECT DISTINCT 'constraint', c.conname::text, NULL,
         (c.contype = 'f' AND EXISTS (SELECT FROM pg_attribute a
            WHERE a.attrelid = c.conrelid AND a.attname = 'work_item_id' AND a.attnum = ANY (c.conkey)))::text FROM pg_constraint c
   WHERE c.conrelid IN (${relations(outbox)}) AND c.contype IN ('c', 'f', 'x', 'u')
  UNION ALL
  SELECT DISTINCT 'index', k.relname::text, NULL,
         EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attname = 'id' AND a.attnum = ANY (i.indkey))::text
    FROM pg_index i JOIN pg_class k ON k.oid = i.indexrelid
   WHERE i.indrelid IN (${relations(outbox)})`;
}

export function obstaclesIn(rows: readonly TextRow[]): Obstacle[] {
  return rows.map((row) => ({
    sort: SORTS.find((sort) => sort === row["sort"]) ?? "constraint",
    name: row["name"] ?? "",
    routine: row["routine"] ?? null,
    decides: row["decides"] === "true",
  }));
}

/** Whether an id was refused because a row has it already: the sequence is behind its table. */
export function isIdTaken({ code, message }: Failure, obstacles: readonly Obstacle[]): boolean {
  return (
    code === "23505" &&
    obstacles.some((one) => one.sort === "index" && one.decides && mentions(message, one.name))
  );
}

const PASS = "let rows of kind metric.* pass as they are";
const TRIGGER_REMEDY = `${PASS} (CREATE TRIGGER … WHEN (NEW.kind NOT LIKE 'metric.%') …)`;
const RULE_REMEDY = `${PASS}: DROP RULE, or add WHERE NEW.kind NOT LIKE 'metric.%' to it`;

/** One line: the table does not take our rows. @param what of our rows. */
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
    ({ sort, name }) => sort !== "trigger" && sort !== "rule" && mentions(message, name),
  );
  if (named !== undefined) return `${says}: ${named.sort} ${named.name}; ${remedyFor(code)}`;
  const triggers = obstacles.filter(({ sort }) => sort === "trigger");
  const called = triggers.filter(({ routine }) => routine !== null && mentions(message, lastPart(routine)));
  const suspects = called.length > 0 ? called : triggers;
  if (suspects.length > 0) return `${says}: ${listed(suspects)}; ${TRIGGER_REMEDY}`;
  return `${says}: ${remedyFor(code)}`;
}

/** One line: the table took our rows, and has something else. @param how what became of them. */
export function changedLine(
  obstacles: readonly Obstacle[],
  table: string,
  what: string,
  how: string,
): string {
  const says = `${table} does not keep ${what} as they are appended: ${how}`;
  const rules = obstacles.filter(({ sort, decides }) => sort === "rule" && decides);
  if (rules.length > 0) return `${says}: ${listed(rules)}; ${RULE_REMEDY}`;
  const triggers = obstacles.filter(({ sort }) => sort === "trigger");
  const deciding = triggers.filter(({ decides }) => decides);
  const suspects = deciding.length > 0 ? deciding : triggers;
  return suspects.length > 0
    ? `${says}: ${listed(suspects)}; ${TRIGGER_REMEDY}`
    : `${says}; look for what changes rows as they are inserted, and ${PASS}`;
}

function remedyFor(code: string): string {
  if (code === "23503")
    return "add the kinds metric.* to the table that it refers to, or drop it for this table";
  if (code === "23505" || code === "23P01")
    return "one merge appends several rows of one kind: leave them out (a unique index with WHERE kind NOT LIKE 'metric.%')";
  if (code.startsWith("54"))
    return "index an expression that is short for every row, or leave out rows of kind metric.* (WHERE kind NOT LIKE 'metric.%')";
  if (code.startsWith("23")) return "let it allow rows of kind metric.* (… OR kind LIKE 'metric.%')";
  return "change what refuses it, so that rows of kind metric.* pass";
}

function listed(obstacles: readonly Obstacle[]): string {
  return obstacles
    .map(({ sort, name, routine }) => `${sort} ${name}${routine === null ? "" : ` (function ${routine})`}`)
    .join(", ");
}

/** Whether a message has a name as a word: messages quote it or put it in brackets. */
function mentions(message: string, name: string): boolean {
  const escaped = name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`(^|[^A-Za-z0-9_$])${escaped}($|[^A-Za-z0-9_$])`).test(message);
}

function lastPart(name: string): string {
  return name.slice(name.lastIndexOf(".") + 1).replaceAll('"', "");
}
