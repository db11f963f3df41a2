/**
 * Whether this database can be written to rightly, asked on every new connection. Each problem is one line that says
 * what to do. A problem means that nothing is written; a warning, that something works less well than it could.
 */
import { METRIC_NAMES } from "../core/metric.ts";
import { CROSSING_KIND, metricKind } from "../core/metric-event.ts";
import { UnfitDatabase } from "../outbox-log.ts";
import type { Query, TextRow } from "./connection.ts";
import { literal, type Names } from "./names.ts";
import { SEQUENCES_OF_ID, type Watched } from "./settled.ts";

/** How the outbox is made, as far as statements depend on it. */
export type OutboxColumns = {
  readonly payload: "json" | "jsonb";
  readonly workItemId: string;
  readonly workItemNullable: boolean;
};

/** What the other conversations need to know of the database. */
export type Fitness = {
  readonly columns: OutboxColumns;
  readonly watched: Watched;
  /** Ids that a session may set aside at once. */
  readonly sequenceCache: number;
  readonly serverVersion: string;
  readonly role: string;
  readonly warnings: readonly string[];
};

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
const WRITTEN = ["kind", "work_item_id", "payload"];

/** Characters of the longest kind that is written. */
const LONGEST_KIND = Math.max(
  ...METRIC_NAMES.map((metric) => metricKind(metric).length),
  CROSSING_KIND.length,
);

/** A column's limit, which is below 0 where there is none. */
function within(characters: string | null | undefined, needed: number): boolean {
  const limit = Number(characters ?? -1);
  return limit >= 0 && limit < needed;
}

/** Types whose values `=` compares without a cast. */
const FAMILIES: Readonly<Record<string, string>> = {
  int8: "integer",
  int4: "integer",
  int2: "integer",
  uuid: "uuid",
  text: "text",
  varchar: "text",
};

const OLDEST_SERVER = 15;

/** @throws UnfitDatabase with every problem there is. */
export async function preflight(query: Query, names: Names): Promise<Fitness> {
  const server = (await query(SERVER)).rows[0] ?? {};
  const role = server["role"] ?? "";
  if (server["standby"] === "true") {
    throw new UnfitDatabase("read_only_server", [
      "this server is a standby and takes no writes: waiting for its promotion (or point DATABASE_URL at the primary)",
    ]);
  }
  const problems: string[] = [];
  const warnings: string[] = [];
  if (server["encoding"] !== "UTF8")
    problems.push(
      `the database's encoding is ${server["encoding"]}, UTF8 is needed for project names: recreate it`,
    );
  if (Number(server["version_num"]) < OLDEST_SERVER * 10_000)
    warnings.push(
      `PostgreSQL ${server["version"]} is older than ${OLDEST_SERVER}, the oldest version that is tested: upgrade the server`,
    );
  const columns = (await query(columnsStatement(names))).rows;
  for (const table of Object.keys(READ)) problems.push(...tableProblems(names, table, columns, role));
  const types = new Map(columns.map((row) => [`${row["relname"]}.${row["attname"]}`, row["typname"] ?? ""]));
  const [left, right] = [types.get("events_outbox.work_item_id"), types.get("work_items.id")];
  if (left !== undefined && right !== undefined && FAMILIES[left] !== FAMILIES[right])
    problems.push(
      `events_outbox.work_item_id is ${left} but work_items.id is ${right}: make them the same type, so that they compare`,
    );
  let sequenceCache = 1;
  let watched: Watched = { outbox: "0", sequences: [] };
  // Without USAGE on the schema the table cannot even be named.
  if (columns.some((row) => row["relname"] === "events_outbox" && row["schema_usage"] === "true")) {
    const sequences = await inspectSequences(query, names, role);
    problems.push(...sequences.problems);
    warnings.push(...sequences.warnings);
    sequenceCache = sequences.cache;
    ({ watched } = sequences);
    warnings.push(...(await inspectSurroundings(query, names)));
  }
  if (problems.length > 0) throw new UnfitDatabase("unfit_schema", [...new Set(problems)]);
  return {
    columns: outboxColumnsOf(columns),
    watched,
    sequenceCache,
    serverVersion: server["version"] ?? "",
    role,
    warnings,
  };
}

/** What reading needs to know: for the verbs that only read, where a problem of writing is none. */
export async function readableColumns(query: Query, names: Names): Promise<OutboxColumns> {
  const { rows } = await query(columnsStatement(names));
  if (rows.some((row) => row["relname"] === "events_outbox" && row["attname"] === "payload"))
    return outboxColumnsOf(rows);
  throw new UnfitDatabase("unfit_schema", [
    `there is no table ${names.schema}.events_outbox with a payload: check METRICS_SCHEMA and DATABASE_URL`,
  ]);
}

function outboxColumnsOf(rows: readonly TextRow[]): OutboxColumns {
  const column = (name: string): TextRow | undefined =>
    rows.find((row) => row["relname"] === "events_outbox" && row["attname"] === name);
  return {
    payload: column("payload")?.["typname"] === "json" ? "json" : "jsonb",
    workItemId: column("work_item_id")?.["typname"] ?? "text",
    workItemNullable: column("work_item_id")?.["not_null"] !== "true",
  };
}

const SERVER = `
  SELECT current_user::text AS role, current_setting('server_version') AS version,
         current_setting('server_version_num') AS version_num, pg_is_in_recovery()::text AS standby,
         current_setting('server_encoding') AS encoding`;

const columnsStatement = ({ schema }: Names): string => `
  SELECT c.relname, c.relkind, a.attname, t.typname, row_security_active(c.oid)::text AS row_security,
         has_schema_privilege(n.oid, 'USAGE')::text AS schema_usage,
         has_column_privilege(c.oid, a.attnum, 'SELECT')::text AS may_select,
         has_column_privilege(c.oid, a.attnum, 'INSERT')::text AS may_insert,
         a.attnotnull::text AS not_null, (a.atttypmod - 4)::text AS characters,
         (a.attnotnull AND NOT a.atthasdef AND a.attidentity = '' AND a.attgenerated = '')::text AS must_be_given
    FROM pg_namespace n
    JOIN pg_class c ON c.relnamespace = n.oid
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_type t ON t.oid = a.atttypid
   WHERE n.nspname = ${literal(schema)} AND c.relname IN ('events_outbox', 'work_items')
     AND c.relkind NOT IN ('i', 'I', 'S', 'c')`;

function tableProblems({ schema }: Names, table: string, all: readonly TextRow[], role: string): string[] {
  const columns = all.filter((row) => row["relname"] === table);
  const first = columns[0];
  const name = `${schema}.${table}`;
  if (first === undefined)
    return [
      `table ${name} does not exist: create the orchestrator's tables first, or set METRICS_SCHEMA to their schema`,
    ];
  if (first["schema_usage"] !== "true")
    return [`no USAGE on schema ${schema}: GRANT USAGE ON SCHEMA ${schema} TO ${role}`];
  if (first["relkind"] !== "r" && first["relkind"] !== "p")
    return [
      `${name} is not a table (relkind ${first["relkind"]}): point METRICS_SCHEMA at the schema of the tables themselves`,
    ];
  const problems: string[] = [];
  if (first["row_security"] === "true")
    problems.push(
      `row security is in force on ${name}, so rows may be hidden: ALTER TABLE ${name} DISABLE ROW LEVEL SECURITY, ` +
        `or, as a superuser, ALTER ROLE ${role} BYPASSRLS`,
    );
  for (const [column, types] of Object.entries(READ[table] ?? {})) {
    const row = columns.find((candidate) => candidate["attname"] === column);
    if (row === undefined)
      problems.push(`column ${name}.${column} does not exist: add it, metrics are computed from it`);
    else if (types !== null && !types.includes(row["typname"] ?? ""))
      problems.push(`column ${name}.${column} is ${row["typname"]}, needed: ${types.join(" or ")}`);
    else if (row["may_select"] !== "true")
      problems.push(
        `no SELECT on ${name}.${column}: GRANT SELECT ON ${name} TO ${role} (see config/grants.sql)`,
      );
  }
  if (table !== "events_outbox") return problems;
  for (const row of columns) {
    const column = row["attname"] ?? "";
    if (column === "kind" && row["typname"] === "varchar" && within(row["characters"], LONGEST_KIND))
      problems.push(
        `column ${name}.kind holds ${row["characters"]} characters, ${LONGEST_KIND} are needed: ALTER TABLE ${name} ALTER kind TYPE text`,
      );
    if (WRITTEN.includes(column)) {
      if (row["may_insert"] !== "true")
        problems.push(
          `no INSERT on ${name}.${column}: GRANT INSERT (${WRITTEN.join(", ")}) ON ${name} TO ${role} (see config/grants.sql)`,
        );
    } else if (row["must_be_given"] === "true") {
      problems.push(
        `column ${name}.${column} is NOT NULL without a default, so our rows are refused: give it a default`,
      );
    }
  }
  return problems;
}

type Sequences = {
  readonly problems: string[];
  readonly warnings: string[];
  readonly cache: number;
  readonly watched: Watched;
};

async function inspectSequences(query: Query, { schema, outbox }: Names, role: string): Promise<Sequences> {
  const { rows } = await query(
    `SELECT a.attrelid::text AS outbox, s.seqrelid::text AS oid, s.seqrelid::regclass::text AS name, s.seqcache::text AS cache, s.seqincrement::text AS increment,
            s.seqcycle::text AS cycle,
            (has_sequence_privilege(s.seqrelid, 'USAGE') OR a.attidentity <> '')::text AS usable
       FROM pg_sequence s, pg_attribute a
      WHERE a.attrelid = '${outbox}'::regclass AND a.attname = 'id'
        AND s.seqrelid IN (${SEQUENCES_OF_ID.replaceAll("$OUTBOX", `'${outbox}'::regclass`)})`,
  );
  const problems: string[] = [];
  const warnings: string[] = [];
  if (rows.length !== 1)
    problems.push(
      `${schema}.events_outbox.id draws from ${rows.length} sequences, exactly one is needed (serial or identity): ` +
        "without it nothing tells which rows are still to come",
    );
  let cache = 1;
  for (const row of rows) {
    const name = row["name"] ?? "";
    cache = Math.max(cache, Number(row["cache"]));
    if (row["usable"] !== "true")
      problems.push(`no USAGE on sequence ${name}: GRANT USAGE ON SEQUENCE ${name} TO ${role}`);
    if (Number(row["increment"]) < 1 || row["cycle"] === "true")
      problems.push(`sequence ${name} does not only ascend: ALTER SEQUENCE ${name} INCREMENT BY 1 NO CYCLE`);
    if (Number(row["cache"]) > 1)
      warnings.push(
        `sequence ${name} has CACHE ${row["cache"]}: merges that commit out of order are found only by the comparison of the whole ` +
          `log; ALTER SEQUENCE ${name} CACHE 1 makes them visible at once`,
      );
  }
  const watched = { outbox: rows[0]?.["outbox"] ?? "0", sequences: rows.map((row) => row["oid"] ?? "0") };
  return { problems, warnings, cache, watched };
}

async function inspectSurroundings(query: Query, { schema, outbox }: Names): Promise<string[]> {
  const { rows } = await query(
    `SELECT EXISTS (SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
                     WHERE i.indrelid = '${outbox}'::regclass AND i.indisvalid AND a.attname = 'work_item_id')::text AS has_index,
            EXISTS (SELECT FROM pg_constraint
                     WHERE conrelid = '${outbox}'::regclass AND contype = 'f' AND confdeltype = 'c')::text AS cascades`,
  );
  const warnings: string[] = [];
  if (rows[0]?.["has_index"] !== "true")
    warnings.push(
      `${schema}.events_outbox has no index that begins with work_item_id: finding out what is recorded reads the whole table; ` +
        `CREATE INDEX ON ${schema}.events_outbox (work_item_id, kind, created_at)`,
    );
  if (rows[0]?.["cascades"] === "true")
    warnings.push(
      `a foreign key of ${schema}.events_outbox cascades deletes: deleting a work item deletes its metric rows, and the log ` +
        "contradicts itself from then on; use ON DELETE NO ACTION",
    );
  return warnings;
}
