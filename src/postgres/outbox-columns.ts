/**
 * The columns of the orchestrator's two tables, from the catalogue: their types, and what this role may do with them.
 * `preflight/tables.ts` decides what of it makes the database unfit. Statements depend on some of it either way.
 */
import { UnfitDatabase } from "../outbox/outbox-log.ts";
import type { TextRow } from "./connection.ts";
import { literal, type Outbox } from "./names.ts";

/** The form of the outbox, as far as statements depend on it. */
export type OutboxColumns = {
  readonly payload: "json" | "jsonb";
  readonly workItemId: string;
  readonly workItemNullable: boolean;
  /** Whether an index begins with work_item_id and kind. */
  readonly itemsIndexed: boolean;
  /** The tables that its rows are in: 1 where it is not partitioned. */
  readonly partitions: number;
};

/** A row for each column of both tables. */
export async function columnsOf({ query, schema }: Outbox): Promise<readonly TextRow[]> {
  const { rows } = await query(`
  SELECT c.relname, c.relkind, a.attname, t.typname, row_security_active(c.oid)::text AS row_security,
         has_schema_privilege(n.oid, 'USAGE')::text AS schema_usage,
         has_column_privilege(c.oid, a.attnum, 'SELECT')::text AS may_select,
         has_column_privilege(c.oid, a.attnum, 'INSERT')::text AS may_insert,
         (SELECT NOT l.collisdeterministic FROM pg_collation l WHERE l.oid = a.attcollation)::text AS blurred,
         a.attnotnull::text AS not_null, (a.atttypmod - 4)::text AS characters,
         CASE WHEN a.attname = 'work_item_id' THEN
           EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisvalid AND i.indpred IS NULL AND i.indkey[0] = a.attnum
                    AND i.indkey[1] = (SELECT k.attnum FROM pg_attribute k WHERE k.attrelid = c.oid AND k.attname = 'kind'))
         END::text AS items_indexed,
         CASE WHEN a.attname = 'work_item_id' THEN
           (WITH RECURSIVE tree AS (SELECT c.oid UNION ALL SELECT h.inhrelid FROM pg_inherits h JOIN tree ON h.inhparent = tree.oid)
            SELECT count(*) FROM tree JOIN pg_class t ON t.oid = tree.oid AND t.relkind <> 'p')
         END::text AS partitions,
         (a.attnotnull AND NOT a.atthasdef AND a.attidentity = '' AND a.attgenerated = '')::text AS must_be_given
    FROM pg_namespace n
    JOIN pg_class c ON c.relnamespace = n.oid
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_type t ON t.oid = a.atttypid
   WHERE n.nspname = ${literal(schema)} AND c.relname IN ('events_outbox', 'work_items')
     AND c.relkind NOT IN ('i', 'I', 'S', 'c')`);
  return rows;
}

/** The form of the outbox. @param rows as `columnsOf` gives them. */
export function outboxColumnsIn(rows: readonly TextRow[]): OutboxColumns {
  const column = (name: string): TextRow =>
    rows.find(({ relname, attname }) => relname === "events_outbox" && attname === name) ?? {};
  const item = column("work_item_id");
  return {
    payload: column("payload")["typname"] === "json" ? "json" : "jsonb",
    workItemId: item["typname"] ?? "text",
    workItemNullable: item["not_null"] !== "true",
    itemsIndexed: item["items_indexed"] === "true",
    partitions: Math.max(1, Number(item["partitions"] ?? 1)),
  };
}

/**
 * What reading needs to know, for the verbs that only read: a problem of writing does not concern them.
 * @throws UnfitDatabase where there is no outbox to read.
 */
export async function readableColumns(outbox: Outbox): Promise<OutboxColumns> {
  const rows = await columnsOf(outbox);
  if (rows.some(({ relname, attname }) => relname === "events_outbox" && attname === "payload"))
    return outboxColumnsIn(rows);
  throw new UnfitDatabase("unfit_schema", [
    `table ${outbox.written}.events_outbox with a column payload does not exist: check METRICS_SCHEMA and DATABASE_URL`,
  ]);
}
