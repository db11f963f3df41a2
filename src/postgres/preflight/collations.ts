/**
 * Ids of work items that are text are compared by a collation. If the library that sorts them now has another version than
 * the one that indexes were built with, an index may miss rows: merges would be counted twice or skipped.
 */
import { literal, type Outbox } from "../names.ts";

/** Since this version the server knows the version of a database's own collation. */
const KNOWN_SINCE = 15;

/** One line for each collation whose version changed. @param version the server's, such as 15. */
export async function collationProblems(
  { query, schema, written }: Outbox,
  version: number,
): Promise<string[]> {
  const ofDatabase =
    version < KNOWN_SINCE
      ? "NULL, NULL"
      : "d.datcollversion, CASE WHEN d.datcollversion IS NOT NULL THEN pg_database_collation_actual_version(d.oid) END";
  const { rows } = await query(
    `SELECT CASE WHEN c.collname = 'default' THEN 'DATABASE ' || quote_ident(d.datname)
                 ELSE 'COLLATION ' || format('%I.%I', n.nspname, c.collname) END AS place, used.built_with, used.actual
       FROM (SELECT DISTINCT a.attcollation FROM pg_attribute a JOIN pg_class t ON t.oid = a.attrelid JOIN pg_namespace s ON s.oid = t.relnamespace
              WHERE s.nspname = ${literal(schema)} AND a.attcollation <> 0
                AND (t.relname, a.attname) IN (('events_outbox', 'work_item_id'), ('work_items', 'id'))) u
       JOIN pg_collation c ON c.oid = u.attcollation JOIN pg_namespace n ON n.oid = c.collnamespace
       CROSS JOIN (SELECT * FROM pg_database WHERE datname = current_database()) d
       CROSS JOIN LATERAL (SELECT ${ofDatabase} WHERE c.collname = 'default'
         UNION ALL SELECT c.collversion, pg_collation_actual_version(c.oid) WHERE c.collname <> 'default') used (built_with, actual)
      WHERE used.built_with <> used.actual`,
  );
  return rows.map(({ place, built_with: builtWith, actual }) => {
    const collation = place
      ?.replace(/^DATABASE/, "the collation of database")
      .replace(/^COLLATION/, "collation");
    return (
      `${collation}, which compares the ids of work items, has version ${actual}, but indexes were built with version ${builtWith} ` +
      `and may miss rows: REINDEX TABLE ${written}.events_outbox; REINDEX TABLE ${written}.work_items; ALTER ${place} REFRESH VERSION`
    );
  });
}
