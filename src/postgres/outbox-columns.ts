/**
 * The columns of the orchestrator's two tables, from the catalogue: what they are, and what this role may do with them.
 * Which of it makes the database unfit is for `preflight/tables.ts` to say; statements depend on some of it either way.
 */
import { UnfitDatabase } from "../outbox-log.ts";
import type { Query, TextRow } from "./connection.ts";
import { literal, type Names } from "./names.ts";

/** How the outbox is made, as far as statements depend on it. */
export type OutboxColumns = {
  readonly payload: "json" | "jsonb";
  readonly workItemId: string;
  readonly workItemNullable: boolean;
  /** Whether an index begins with work_item_id and kind. */
  readonly itemsIndexed: boolean;
};

/** A row for each column of both tables. */
export async function columnsOf(query: Query, { schema }: Names): Promise<readonly TextRow[]> {
  const { rows } = await query(`
  SELECT c.relname, c.relkind, a.attname, t.typname, row_security_active(c.oid)::text AS row_security,
         has_schema_privilege(n.oid, 'USAGE')::text AS schema_usage,
         has_column_privilege(c.oid, a.attnum, 'SELECT')::text AS may_select,
         has_column_privilege(c.oid, a.attnum, 'INSERT')::text AS may_insert,
         (SELECT NOT l.collisdeterministic FROM pg_collation l WHERE l.oid = a.attcollation)::text AS blurred,
         a.attnotnull::text AS not_null, (a.atttypmod - 4)::text AS characters,
         EXISTS (SELECT FROM pg_index i
                   JOIN pg_attribute one ON one.attrelid = c.oid AND one.attnum = i.indkey[0] AND one.attname = 'work_item_id'
                   JOIN pg_attribute two ON two.attrelid = c.oid AND two.attnum = i.indkey[1] AND two.attname = 'kind'
                  WHERE i.indrelid = c.oid AND i.indisvalid AND i.indpred IS NULL)::text AS items_indexed,
         (a.attnotnull AND NOT a.atthasdef AND a.attidentity = '' AND a.attgenerated = '')::text AS must_be_given
    FROM pg_namespace n
    JOIN pg_class c ON c.relnamespace = n.oid
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_type t ON t.oid = a.atttypid
   WHERE n.nspname = ${literal(schema)} AND c.relname IN ('events_outbox', 'work_items')
     AND c.relkind NOT IN ('i', 'I', 'S', 'c')`);
  return rows;
}

/** @param rows as `columnsOf` gives them. */
export function outboxColumnsIn(rows: readonly TextRow[]): OutboxColumns {
  const column = (name: string): TextRow | undefined =>
    rows.find((row) => row["relname"] === "events_outbox" && row["attname"] === name);
  return {
    payload: column("payload")?.["typname"] === "json" ? "json" : "jsonb",
    workItemId: column("work_item_id")?.["typname"] ?? "text",
    workItemNullable: column("work_item_id")?.["not_null"] !== "true",
    itemsIndexed: column("work_item_id")?.["items_indexed"] === "true",
  };
}

/**
 * What reading needs to know: for the verbs that only read, where a problem of writing is none.
 * @throws UnfitDatabase where there is nothing to read.
 */
export async function readableColumns(query: Query, names: Names): Promise<OutboxColumns> {
  const rows = await columnsOf(query, names);
  if (rows.some((row) => row["relname"] === "events_outbox" && row["attname"] === "payload"))
    return outboxColumnsIn(rows);
  throw new UnfitDatabase("unfit_schema", [
    `there is no table ${names.written}.events_outbox with a payload: check METRICS_SCHEMA and DATABASE_URL`,
  ]);
}
