/** The indexes and foreign keys around the outbox, and what they cost. Nothing here makes a row wrong. */
import type { Outbox } from "../names.ts";
import { relations } from "../obstacles.ts";
import type { Findings } from "./server.ts";

/** Warns about what costs time or rows. @returns whether an index leads to rows by their ids. */
export async function inspectSurroundings(
  { query, written: schema, outbox }: Outbox,
  { warnings }: Findings,
): Promise<boolean> {
  const indexed = (column: string, condition: string): string =>
    `EXISTS (SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
              WHERE i.indrelid = '${outbox}'::regclass AND i.indisvalid AND a.attname = '${column}' AND ${condition})::text`;
  const { rows } = await query(
    `SELECT ${indexed("id", "i.indpred IS NULL")} AS ids, ${indexed("work_item_id", "true")} AS items,
            EXISTS (SELECT FROM pg_class c WHERE c.relpersistence = 'u' AND c.oid IN (${relations(outbox)}))::text AS unlogged,
            (SELECT string_agg(confdeltype::text, '') FROM pg_constraint
              WHERE conrelid = '${outbox}'::regclass AND contype = 'f') AS deletes`,
  );
  const { ids, items, unlogged, deletes } = rows[0] ?? {};
  const table = `${schema}.events_outbox`;
  if (items !== "true")
    warnings.push(
      `${table} has no index that begins with work_item_id: finding out what is recorded reads the whole table; ` +
        `CREATE INDEX ON ${table} (work_item_id, kind, created_at)`,
    );
  if (ids !== "true")
    warnings.push(
      `${table} has no index that begins with id: each poll reads the whole table, so the daemon polls rarely (for at most 1 % ` +
        `of the time, at least once a minute); CREATE INDEX ON ${table} (id)`,
    );
  if (unlogged === "true")
    warnings.push(
      `${table} is UNLOGGED: a crash of the server empties it, and what was recorded is lost; ` +
        `ALTER TABLE ${table} SET LOGGED (or its partitions)`,
    );
  if (deletes?.includes("c"))
    warnings.push(
      `a foreign key of ${table} cascades deletes: deleting a work item deletes its metric rows, and from then on the log ` +
        "contradicts itself; use ON DELETE NO ACTION",
    );
  if (/[nd]/.test(deletes ?? ""))
    warnings.push(
      `a foreign key of ${table} removes the work item from rows when it is deleted (SET NULL or SET DEFAULT): ` +
        "what is recorded stays recorded, but a merge whose work item is deleted before the daemon sees it is skipped; use ON DELETE NO ACTION",
    );
  return ids === "true";
}
