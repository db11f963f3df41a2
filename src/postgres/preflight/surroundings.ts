/** What others have put around the outbox, and what it costs: nothing here keeps a row from being right. */
import type { Query } from "../connection.ts";
import type { Names } from "../names.ts";

/** @returns warnings. */
export async function inspectSurroundings(query: Query, { schema, outbox }: Names): Promise<string[]> {
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
