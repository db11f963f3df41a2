/** What others have put around the outbox, and what it costs: nothing here keeps a row from being right. */
import type { Query } from "../connection.ts";
import type { Names } from "../names.ts";
import { relations } from "../obstacles.ts";

export async function inspectSurroundings(
  query: Query,
  { written: schema, outbox }: Names,
): Promise<{ readonly warnings: readonly string[]; readonly idsIndexed: boolean }> {
  const { rows } = await query(
    `SELECT EXISTS (SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
                     WHERE i.indrelid = '${outbox}'::regclass AND i.indisvalid AND i.indpred IS NULL AND a.attname = 'id')::text AS ids_indexed,
            EXISTS (SELECT FROM pg_class c WHERE c.relpersistence = 'u' AND c.oid IN (${relations(outbox)}))::text AS unlogged,
            EXISTS (SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
                     WHERE i.indrelid = '${outbox}'::regclass AND i.indisvalid AND a.attname = 'work_item_id')::text AS has_index,
            (SELECT string_agg(confdeltype::text, '') FROM pg_constraint
              WHERE conrelid = '${outbox}'::regclass AND contype = 'f') AS deletes`,
  );
  const warnings: string[] = [];
  if (rows[0]?.["has_index"] !== "true")
    warnings.push(
      `${schema}.events_outbox has no index that begins with work_item_id: finding out what is recorded reads the whole table; ` +
        `CREATE INDEX ON ${schema}.events_outbox (work_item_id, kind, created_at)`,
    );
  const idsIndexed = rows[0]?.["ids_indexed"] === "true";
  if (!idsIndexed)
    warnings.push(
      `${schema}.events_outbox has no index that begins with id: each look for merges reads the whole table, so the daemon looks ` +
        `rarely (at most 1 % of the time, at least once a minute); CREATE INDEX ON ${schema}.events_outbox (id)`,
    );
  if (rows[0]?.["unlogged"] === "true")
    warnings.push(
      `${schema}.events_outbox is UNLOGGED: a crash of the server empties it, and what was recorded is lost; ` +
        `ALTER TABLE ${schema}.events_outbox SET LOGGED (or its partitions)`,
    );
  const deletes = rows[0]?.["deletes"] ?? "";
  if (deletes.includes("c"))
    warnings.push(
      `a foreign key of ${schema}.events_outbox cascades deletes: deleting a work item deletes its metric rows, and the log ` +
        "contradicts itself from then on; use ON DELETE NO ACTION",
    );
  if (/[nd]/.test(deletes))
    warnings.push(
      `a foreign key of ${schema}.events_outbox takes the work item from rows when it is deleted (SET NULL or SET DEFAULT): ` +
        "what is recorded stays recorded, but a merge whose work item is deleted before the daemon sees it is skipped; use ON DELETE NO ACTION",
    );
  return { warnings, idsIndexed };
}
