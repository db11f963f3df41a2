/**
 * Ids of work items that are text are compared by a collation. Where the library that sorts them has another version than
 * the one that indexes were built with, an index may not find a row that is there: merges would be counted twice or skipped.
 */
import type { Query } from "../connection.ts";
import { literal, type Names } from "../names.ts";

/** Since when the server tells a database's own. */
const TOLD_SINCE = 15;

/** @returns problems. @param version the server's, such as 15. */
export async function inspectCollations(
  query: Query,
  { schema, written }: Names,
  version: number,
): Promise<string[]> {
  const ofDatabase =
    version < TOLD_SINCE
      ? "NULL, NULL"
      : "d.datcollversion, CASE WHEN d.datcollversion IS NOT NULL THEN pg_database_collation_actual_version(d.oid) END";
  const { rows } = await query(
    `SELECT format('%I.%I', n.nspname, c.collname) AS name, (c.collname = 'default')::text AS is_default, quote_ident(d.datname) AS database,
            used.built_with, used.actual
       FROM (SELECT DISTINCT a.attcollation FROM pg_attribute a JOIN pg_class t ON t.oid = a.attrelid JOIN pg_namespace s ON s.oid = t.relnamespace
              WHERE s.nspname = ${literal(schema)} AND a.attcollation <> 0
                AND (t.relname, a.attname) IN (('events_outbox', 'work_item_id'), ('work_items', 'id'))) u
       JOIN pg_collation c ON c.oid = u.attcollation JOIN pg_namespace n ON n.oid = c.collnamespace
       CROSS JOIN (SELECT * FROM pg_database WHERE datname = current_database()) d
       CROSS JOIN LATERAL (SELECT ${ofDatabase} WHERE c.collname = 'default'
         UNION ALL SELECT c.collversion, pg_collation_actual_version(c.oid) WHERE c.collname <> 'default') used (built_with, actual)
      WHERE used.built_with <> used.actual`,
  );
  return rows.map((row) => {
    const isDefault = row["is_default"] === "true";
    const [what, refresh] = isDefault
      ? [`the collation of database ${row["database"]}`, `ALTER DATABASE ${row["database"]}`]
      : [`collation ${row["name"]}`, `ALTER COLLATION ${row["name"]}`];
    return (
      `${what}, which compares the ids of work items, has version ${row["actual"]}, and indexes were built with ${row["built_with"]}: ` +
      `rows that are there may not be found; REINDEX TABLE ${written}.events_outbox; REINDEX TABLE ${written}.work_items; ${refresh} REFRESH VERSION`
    );
  });
}
