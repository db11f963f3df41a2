/** One look at the log: its newest id, who may still bring rows below it, and whether the head is still there. */
import type { Head, Look } from "../outbox-log.ts";
import type { Query } from "./connection.ts";
import { PAYLOAD_FINGERPRINT } from "./journal.ts";
import { literal, type Names } from "./names.ts";

/**
 * Newest id and holders in one statement, see `core/low-mark.ts`. Holders of the table, of its partitions, and of the
 * sequences that its id is drawn from; prepared transactions have no pid. Names are resolved each time, as a table may
 * be swapped for another.
 */
const lookStatement = ({ outbox }: Names, head: Head | null): string => `
  SELECT
    (SELECT max(id) FROM ${outbox})::text AS newest,
    (SELECT ${PAYLOAD_FINGERPRINT} FROM ${outbox} e WHERE e.id = ${literal(head?.id ?? null)}::bigint) AS head,
    (SELECT string_agg(DISTINCT l.virtualtransaction, ' ')
       FROM pg_locks l
      WHERE l.locktype = 'relation' AND l.mode = 'RowExclusiveLock' AND l.granted
        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND l.pid IS DISTINCT FROM pg_backend_pid()
        AND l.relation IN (
          SELECT '${outbox}'::regclass
          UNION ALL SELECT inhrelid FROM pg_inherits WHERE inhparent = '${outbox}'::regclass
          UNION ALL ${SEQUENCES_OF_ID.replaceAll("$OUTBOX", `'${outbox}'::regclass`)}
        )) AS holders`;

/** The sequences that `id` draws from: owned (serial, identity) or named in its default. */
export const SEQUENCES_OF_ID = `
  SELECT d.objid FROM pg_depend d JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
   WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = $OUTBOX
     AND a.attname = 'id' AND d.deptype IN ('a', 'i')
     AND (SELECT relkind FROM pg_class WHERE oid = d.objid) = 'S'
  UNION
  SELECT d.refobjid FROM pg_attrdef f JOIN pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = f.adnum
    JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid AND d.refclassid = 'pg_class'::regclass
   WHERE f.adrelid = $OUTBOX AND a.attname = 'id'
     AND (SELECT relkind FROM pg_class WHERE oid = d.refobjid) = 'S'`;

export async function look(query: Query, names: Names, head: Head | null): Promise<Look> {
  const { rows } = await query(lookStatement(names, head));
  const row = rows[0];
  return {
    newest: BigInt(row?.["newest"] ?? 0),
    holders: new Set(row?.["holders"]?.split(" ")),
    headFingerprint: row?.["head"] ?? null,
  };
}
