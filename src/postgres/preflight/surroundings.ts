/** What others have put around the outbox, and what it costs: nothing here keeps a row from being right. */
import type { Query } from "../connection.ts";
import type { Names } from "../names.ts";

/** @returns warnings. */
export async function inspectSurroundings(
  query: Query,
  { written: schema, outbox }: Names,
): Promise<string[]> {
  const { rows } = await query(
    `SELECT EXISTS (SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
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
  return warnings;
}
