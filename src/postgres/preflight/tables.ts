/**
 * The two tables: they must be tables whose rows are all visible, with columns of types that the statements can use, and
 * this role must be able to read and to append. One line for each thing to do, not for each column that it repairs.
 */
import { METRIC_NAMES } from "../../core/metric.ts";
import { CROSSING_KIND, metricKind } from "../../core/metric-event.ts";
import type { TextRow } from "../connection.ts";
import type { Names } from "../names.ts";

/** Types of ids of work items, by family: within one, `=` compares values without a cast. */
const FAMILIES: Readonly<Record<string, string>> = {
  int8: "integer",
  int4: "integer",
  int2: "integer",
  uuid: "uuid",
  text: "text",
  varchar: "text",
};

/** Columns that are read, with their possible types. Null: any type, because the column is read as text. */
const READ: Readonly<Record<string, Readonly<Record<string, readonly string[] | null>>>> = {
  events_outbox: {
    id: ["int8"],
    kind: ["text", "varchar"],
    work_item_id: Object.keys(FAMILIES),
    payload: ["json", "jsonb"],
    created_at: ["timestamptz", "timestamp"],
  },
  work_items: { id: Object.keys(FAMILIES), project: null, attempts: null, last_verdict: null },
};
/** Columns in which only identical texts may be equal. */
const COMPARED = ["id", "kind", "work_item_id"];
const WRITTEN = ["kind", "work_item_id", "payload"];

/** Characters of the longest kind that is written. */
const LONGEST_KIND = Math.max(...[...METRIC_NAMES.map(metricKind), CROSSING_KIND].map((kind) => kind.length));

/** `pg_class.relkind`. */
const OTHER_KINDS: Readonly<Record<string, string>> = {
  v: "view",
  m: "materialized view",
  f: "foreign table",
};

/**
 * The problems of both tables.
 * @param rows all columns of both tables, as `columnsOf` gives them.
 * @param role whom to grant, as statements name it.
 */
export function* tableProblems(
  { written: schema }: Names,
  rows: readonly TextRow[],
  role: string,
): Generator<string> {
  for (const [table, needed] of Object.entries(READ)) {
    const name = `${schema}.${table}`;
    const columns = rows.filter(({ relname }) => relname === table);
    const { relkind, schema_usage: usage, row_security: rowSecurity } = columns[0] ?? {};
    if (relkind === undefined)
      yield `table ${name} does not exist: create the orchestrator's tables first, or set METRICS_SCHEMA to their schema`;
    else if (usage !== "true")
      yield `no USAGE on schema ${schema}: GRANT USAGE ON SCHEMA ${schema} TO ${role}`;
    else if (relkind !== "r" && relkind !== "p")
      yield `${name} is not a table but a ${OTHER_KINDS[relkind ?? ""] ?? "relation of another kind"}: point METRICS_SCHEMA at the schema of the tables themselves`;
    else {
      if (rowSecurity === "true")
        yield `row security is in force on ${name}, so rows may be hidden: ALTER TABLE ${name} DISABLE ROW LEVEL SECURITY, ` +
          `or, as a superuser, ALTER ROLE ${role} BYPASSRLS`;
      yield* readingProblems(name, needed, columns, role);
      if (table === "events_outbox") yield* appendingProblems(name, columns, role);
    }
  }
  const [left, right] = itemIdTypes(rows);
  if (left != null && right != null && FAMILIES[left] !== FAMILIES[right])
    yield `events_outbox.work_item_id is ${left} but work_items.id is ${right}: give them the same type, so that they compare`;
}

/** Whether ids of work items are texts, which a collation compares. @param rows as above. */
export function hasTextIds(rows: readonly TextRow[]): boolean {
  return itemIdTypes(rows).some((type) => FAMILIES[type ?? ""] === "text");
}

/** The types of a work item's id in the outbox and in its own table. */
function itemIdTypes(rows: readonly TextRow[]) {
  const typeOf = (table: string, column: string): string | null | undefined =>
    rows.find(({ relname, attname }) => relname === table && attname === column)?.["typname"];
  return [typeOf("events_outbox", "work_item_id"), typeOf("work_items", "id")] as const;
}

function* readingProblems(
  name: string,
  needed: Readonly<Record<string, readonly string[] | null>>,
  columns: readonly TextRow[],
  role: string,
): Generator<string> {
  const withheld: string[] = [];
  for (const [column, types] of Object.entries(needed)) {
    const { typname: type, may_select: maySelect } = columns.find(({ attname }) => attname === column) ?? {};
    if (type == null)
      yield `column ${name}.${column} does not exist: add it, or point METRICS_SCHEMA at the tables that have it`;
    else if (types !== null && !types.includes(type))
      yield `column ${name}.${column} is ${type}, needed: ${types.join(" or ")}; change its type, or point METRICS_SCHEMA ` +
        "at the orchestrator's own tables";
    else if (maySelect !== "true") withheld.push(column);
  }
  if (withheld.length > 0)
    yield `no SELECT on ${name} (${withheld.join(", ")}): GRANT SELECT ON ${name} TO ${role} (see config/grants.sql)`;
  for (const { attname: column, typname: type, blurred } of columns) {
    if (blurred === "true" && COMPARED.includes(column ?? ""))
      yield `column ${name}.${column} has a nondeterministic collation, in which different texts are equal: ` +
        `ALTER TABLE ${name} ALTER ${column} TYPE ${type} COLLATE "C"`;
  }
}

function* appendingProblems(name: string, columns: readonly TextRow[], role: string): Generator<string> {
  const withheld: string[] = [];
  for (const row of columns) {
    const column = row["attname"] ?? "";
    // Below 0 without a limit.
    const limit = Number(row["characters"] ?? -1);
    if (column === "kind" && row["typname"] === "varchar" && limit >= 0 && limit < LONGEST_KIND)
      yield `column ${name}.kind holds ${limit} characters, ${LONGEST_KIND} are needed: ALTER TABLE ${name} ALTER kind TYPE text`;
    if (!WRITTEN.includes(column)) {
      if (row["must_be_given"] === "true")
        yield `column ${name}.${column} is NOT NULL without a default, so rows of ours are refused: give it a default`;
    } else if (row["may_insert"] !== "true") withheld.push(column);
  }
  if (withheld.length > 0)
    yield `no INSERT on ${name} (${withheld.join(", ")}): GRANT INSERT (${WRITTEN.join(", ")}) ON ${name} TO ${role} ` +
      "(see config/grants.sql)";
}
