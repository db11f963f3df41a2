/**
 * Who is in the way: sessions and prepared transactions behind a lock. Our role may know the application and the role
 * of everybody, and the age of its own sessions' transactions; others' ages are null without `pg_read_all_stats`.
 */
import type { Holder } from "../events/fields.ts";
import { DAEMON_NAME } from "./application-name.ts";
import type { Query } from "./connection.ts";
import { literal, literals } from "./names.ts";

/** The holders of these transactions' locks. */
export function describeTransactions(query: Query, transactions: ReadonlySet<string>): Promise<Holder[]> {
  return holders(query, `l.virtualtransaction IN (${literals(transactions)})`);
}

/** The holders of an advisory lock; its 64 bits stand in two halves in `pg_locks`. */
export function advisoryLockHolders(query: Query, lockKey: bigint): Promise<Holder[]> {
  return holders(query, holdsLock(lockKey));
}

/**
 * Ends the backends of daemons of our role that hold the writers' lock in a transaction that began longer ago than any of
 * ours may last: their daemon was stopped, or its host is gone. The server rolls the transaction back.
 * @returns how many it ended.
 */
export async function endStalledPeers(query: Query, lockKey: bigint, afterMs: number): Promise<number> {
  const { rows } = await query(
    `SELECT pg_terminate_backend(a.pid)::text AS ended FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
      WHERE ${holdsLock(lockKey)} AND a.usename = current_user AND starts_with(a.application_name, ${literal(DAEMON_NAME)})
        AND clock_timestamp() - a.xact_start > ${literal(afterMs)} * interval '1 millisecond'`,
  );
  return rows.length;
}

function holdsLock(lockKey: bigint): string {
  const key = BigInt.asUintN(64, lockKey);
  return `l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
     AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
     AND l.classid = ${literal(key >> 32n)} AND l.objid = ${literal(key & 0xffff_ffffn)}`;
}

async function holders(query: Query, condition: string): Promise<Holder[]> {
  const { rows } = await query(
    `SELECT DISTINCT l.virtualtransaction, l.pid::text AS pid, a.application_name, coalesce(a.usename, p.owner) AS role, p.gid,
            round(extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, p.prepared)))::text AS seconds
       FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
       LEFT JOIN pg_locks x ON l.pid IS NULL AND x.virtualtransaction = l.virtualtransaction AND x.locktype = 'transactionid'
       LEFT JOIN pg_prepared_xacts p ON p.transaction = x.transactionid
      WHERE ${condition}`,
  );
  return rows.map((row) => ({
    pid: numberOrNull(row["pid"]),
    application: row["application_name"] ?? null,
    role: row["role"] ?? null,
    seconds: numberOrNull(row["seconds"]),
    prepared: row["gid"] ?? null,
  }));
}

function numberOrNull(text: string | null | undefined): number | null {
  return text == null ? null : Number(text);
}
