/**
 * The two tables: that they are tables, all of their rows are seen, the columns are there with types that statements can
 * use, and this role may read them and append. A line for each thing to do, not for each column that it would mend.
 */
import { METRIC_NAMES } from "../../core/metric.ts";
import { CROSSING_KIND, metricKind } from "../../core/metric-event.ts";
import type { TextRow } from "../connection.ts";
import type { Names } from "../names.ts";

/** Columns that are read, with the types that they may have; null: any, as they are read as text. */
const READ: Readonly<Record<string, Readonly<Record<string, readonly string[] | null>>>> = {
  events_outbox: {
    id: ["int8"],
    kind: ["text", "varchar"],
    work_item_id: ["int8", "int4", "int2", "uuid", "text", "varchar"],
    payload: ["json", "jsonb"],
    created_at: ["timestamptz", "timestamp"],
  },
  work_items: {
    id: ["int8", "int4", "int2", "uuid", "text", "varchar"],
    project: null,
    attempts: null,
    last_verdict: null,
  },
};
/** Columns whose texts must be equal only where they are the same. */
const COMPARED = ["id", "kind", "work_item_id"];
const WRITTEN = ["kind", "work_item_id", "payload"];

/** Characters of the longest kind that is written. */
const LONGEST_KIND = Math.max(
  ...METRIC_NAMES.map((metric) => metricKind(metric).length),
  CROSSING_KIND.length,
);

/** Types whose values `=` compares without a cast. */
const FAMILIES: Readonly<Record<string, string>> = {
  int8: "integer",
  int4: "integer",
  int2: "integer",
  uuid: "uuid",
  text: "text",
  varchar: "text",
};

/**
 * @param rows all columns of both tables.
 * @param role whom to grant, as a statement names it.
 */
export function tableProblems({ written: schema }: Names, rows: readonly TextRow[], role: string): string[] {
  const problems: string[] = [];
  for (const table of Object.keys(READ)) {
    const columns = rows.filter((row) => row["relname"] === table);
    const whole = wholeTableProblem(schema, table, columns[0], role);
    if (whole !== null) {
      problems.push(whole);
      continue;
    }
    const name = `${schema}.${table}`;
    if (columns[0]?.["row_security"] === "true") problems.push(rowSecurity(name, role));
    problems.push(
      ...readingProblems(name, READ[table] ?? {}, columns, role),
      ...blurredProblems(name, columns),
    );
    if (table === "events_outbox") problems.push(...appendingProblems(name, columns, role));
  }
  return [...problems, ...joiningProblems(rows)];
}

/** `pg_class.relkind`. */
const OTHER_KINDS: Readonly<Record<string, string>> = {
  v: "view",
  m: "materialized view",
  f: "foreign table",
};

/** What keeps a table from being looked at any further. */
function wholeTableProblem(
  schema: string,
  table: string,
  column: TextRow | undefined,
  role: string,
): string | null {
  const name = `${schema}.${table}`;
  if (column === undefined)
    return `table ${name} does not exist: create the orchestrator's tables first, or set METRICS_SCHEMA to their schema`;
  if (column["schema_usage"] !== "true")
    return `no USAGE on schema ${schema}: GRANT USAGE ON SCHEMA ${schema} TO ${role}`;
  if (column["relkind"] !== "r" && column["relkind"] !== "p")
    return `${name} is not a table but a ${OTHER_KINDS[column["relkind"] ?? ""] ?? "relation of another kind"}: point METRICS_SCHEMA at the schema of the tables themselves`;
  return null;
}

function rowSecurity(name: string, role: string): string {
  return (
    `row security is in force on ${name}, so rows may be hidden: ALTER TABLE ${name} DISABLE ROW LEVEL SECURITY, ` +
    `or, as a superuser, ALTER ROLE ${role} BYPASSRLS`
  );
}

function readingProblems(
  name: string,
  needed: Readonly<Record<string, readonly string[] | null>>,
  columns: readonly TextRow[],
  role: string,
): string[] {
  const problems: string[] = [];
  const withheld: string[] = [];
  for (const [column, types] of Object.entries(needed)) {
    const row = columns.find((candidate) => candidate["attname"] === column);
    if (row === undefined)
      problems.push(
        `column ${name}.${column} does not exist: add it, or point METRICS_SCHEMA at the tables that have it`,
      );
    else if (types !== null && !types.includes(row["typname"] ?? ""))
      problems.push(
        `column ${name}.${column} is ${row["typname"]}, needed: ${types.join(" or ")}; change its type, or point METRICS_SCHEMA ` +
          "at the orchestrator's own tables",
      );
    else if (row["may_select"] !== "true") withheld.push(column);
  }
  if (withheld.length > 0)
    problems.push(
      `no SELECT on ${name} (${withheld.join(", ")}): GRANT SELECT ON ${name} TO ${role} (see config/grants.sql)`,
    );
  return problems;
}

/** Kinds and ids are compared byte for byte. */
function blurredProblems(name: string, columns: readonly TextRow[]): string[] {
  return columns
    .filter((row) => COMPARED.includes(row["attname"] ?? "") && row["blurred"] === "true")
    .map(
      ({ attname: column, typname: type }) =>
        `column ${name}.${column} has a nondeterministic collation, to which different texts are the same: ` +
        `ALTER TABLE ${name} ALTER ${column} TYPE ${type} COLLATE "C"`,
    );
}

function appendingProblems(name: string, columns: readonly TextRow[], role: string): string[] {
  const problems: string[] = [];
  const withheld: string[] = [];
  for (const row of columns) {
    const column = row["attname"] ?? "";
    if (column === "kind" && row["typname"] === "varchar" && within(row["characters"], LONGEST_KIND))
      problems.push(
        `column ${name}.kind holds ${row["characters"]} characters, ${LONGEST_KIND} are needed: ALTER TABLE ${name} ALTER kind TYPE text`,
      );
    if (WRITTEN.includes(column)) {
      if (row["may_insert"] !== "true") withheld.push(column);
    } else if (row["must_be_given"] === "true") {
      problems.push(
        `column ${name}.${column} is NOT NULL without a default, so our rows are refused: give it a default`,
      );
    }
  }
  if (withheld.length > 0)
    problems.push(
      `no INSERT on ${name} (${withheld.join(", ")}): GRANT INSERT (${WRITTEN.join(", ")}) ON ${name} TO ${role} ` +
        "(see config/grants.sql)",
    );
  return problems;
}

/** A merge finds its work item, and the rows that record it, by comparing ids. */
function joiningProblems(rows: readonly TextRow[]): string[] {
  const typeOf = (table: string, column: string): string | null | undefined =>
    rows.find((row) => row["relname"] === table && row["attname"] === column)?.["typname"];
  const [left, right] = [typeOf("events_outbox", "work_item_id"), typeOf("work_items", "id")];
  if (left == null || right == null || FAMILIES[left] === FAMILIES[right]) return [];
  return [
    `events_outbox.work_item_id is ${left} but work_items.id is ${right}: make them the same type, so that they compare`,
  ];
}

/** A column's limit, which is below 0 where there is none. */
function within(characters: string | null | undefined, needed: number): boolean {
  const limit = Number(characters ?? -1);
  return limit >= 0 && limit < needed;
}
