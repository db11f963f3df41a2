/**
 * The sessions and prepared transactions that hold a lock: long transactions that keep the low-water mark back, and the
 * holder of the writers' lock. Our role sees the application and the role of all sessions, but the age of a transaction
 * only for its own sessions; other ages are null without `pg_read_all_stats`.
 */
import { createHash } from "node:crypto";
import type { Holder } from "../events/fields.ts";
import type { Query } from "./connection.ts";
import { literal, literals, type Names, type Outbox } from "./names.ts";

/** The beginning of the name of every daemon's connections in `pg_stat_activity`. PostgreSQL keeps 63 bytes of a name. */
export const DAEMON_NAME = "damascus-metrics/run:";

/** The writers' lock of one schema's outbox: 64 bits of a hash, so that schemas do not wait for each other. */
export function lockKey({ schema }: Names): bigint {
  return createHash("sha256").update(`damascus-metrics:${schema}.events_outbox`).digest().readBigInt64BE();
}

/** The sessions of these transactions, which `pg_locks.virtualtransaction` names. */
export function describeTransactions(query: Query, transactions: ReadonlySet<string>): Promise<Holder[]> {
  return holders(query, `l.virtualtransaction IN (${literals(transactions)})`);
}

/** The holder of the writers' lock; none where it is free. */
export function writersLockHolders(outbox: Outbox): Promise<Holder[]> {
  return holders(outbox.query, isWritersLock(outbox));
}

/**
 * Ends the backends of daemons of our role that hold the writers' lock in a transaction older than any of ours may become:
 * their daemon is stopped, or its host is gone. The server rolls the transaction back.
 * @param afterMs the age, in milliseconds.
 */
export async function endStalledPeers(outbox: Outbox, afterMs: number): Promise<void> {
  await outbox.query(
    `SELECT pg_terminate_backend(a.pid)::text AS ended FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
      WHERE ${isWritersLock(outbox)} AND a.usename = current_user AND starts_with(a.application_name, ${literal(DAEMON_NAME)})
        AND clock_timestamp() - a.xact_start > ${literal(afterMs)} * interval '1 millisecond'`,
  );
}

/** The 64 bits of an advisory lock are in two halves in `pg_locks`. */
function isWritersLock(names: Names): string {
  const key = BigInt.asUintN(64, lockKey(names));
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
