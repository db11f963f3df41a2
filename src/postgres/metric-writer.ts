/** The writers' transaction, statement by statement. Why it is built like this stands in `recorder.ts`. */
import { createHash } from "node:crypto";
import { CHECKPOINT_KIND } from "../core/metric-event.ts";
import { type AppendedRow, CommitUnknown, DatabaseFailure } from "../outbox-log.ts";
import { begin, type Connection, type ConnectionSettings } from "./connection.ts";
import { PAYLOAD_FINGERPRINT } from "./journal.ts";
import { literal, type Names } from "./names.ts";
import type { Fitness } from "./preflight.ts";

/** The advisory lock of the writers of one schema's outbox: 64 bits of a hash, so that schemas do not wait for each other. */
export function lockKey({ schema }: Names): bigint {
  return createHash("sha256").update(`damascus-metrics:${schema}.events_outbox`).digest().readBigInt64BE();
}

/**
 * The lock's statement takes its snapshot before it waits, so nothing may be read by it. A statement behind it takes
 * its own when it begins, and it begins when the lock has been granted, also within one message: under READ COMMITTED
 * the server runs the statements of a message one after the other, each like one that was sent alone.
 */
export function lockingStatements(settings: ConnectionSettings, names: Names): string {
  return `${begin(settings, "ISOLATION LEVEL READ COMMITTED READ WRITE")}; SELECT pg_advisory_xact_lock(${literal(lockKey(names))})`;
}

/**
 * One multi-row insert. A sequence with a cache would give this session ids set aside long ago, below those of others:
 * then what is set aside is thrown away first, so that journal ids ascend.
 */
export async function append(
  connection: Connection,
  { outbox }: Names,
  { columns, sequenceCache }: Fitness,
  rows: readonly AppendedRow[],
): Promise<{ ids: string[]; fingerprint: string }> {
  if (sequenceCache > 1) await connection.run("DISCARD SEQUENCES");
  const { rows: appended } = await connection.run(
    `WITH e AS (
       INSERT INTO ${outbox} (kind, work_item_id, payload)
       SELECT row.kind, row.work_item_id::${columns.workItemId}, row.payload::${columns.payload}
         FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS row (kind, work_item_id, payload, place)
        ORDER BY row.place
       RETURNING id, payload)
     SELECT e.id::text AS row_id, CASE WHEN e.id = max(e.id) OVER () THEN ${PAYLOAD_FINGERPRINT} END AS fingerprint
       FROM e`,
    [
      rows.map((row) => row.kind),
      rows.map((row) => (row.kind === CHECKPOINT_KIND && columns.workItemNullable ? null : row.workItemId)),
      rows.map((row) => JSON.stringify(row.payload)),
    ],
  );
  return {
    ids: appended.map((row) => row["row_id"] ?? ""),
    fingerprint: appended.at(-1)?.["fingerprint"] ?? "",
  };
}

/** SQLSTATE classes with which a server says that it did not commit: bad data, constraints, rights, resources. */
const REFUSALS = /^(2[0-9]|40|42|53|55|P0)[0-9A-Z]{3}$/;

/**
 * A transaction that has failed answers COMMIT with ROLLBACK and no error. And when no answer comes, the server may
 * have committed all the same.
 */
export async function commit(connection: Connection): Promise<void> {
  let command: string;
  try {
    ({ command } = await connection.run("COMMIT"));
  } catch (error) {
    throw error instanceof DatabaseFailure && !REFUSALS.test(error.failure.code)
      ? new CommitUnknown(error.failure)
      : error;
  }
  if (command !== "COMMIT") {
    connection.destroy();
    throw new DatabaseFailure({ code: "COMMIT_ROLLED_BACK", message: `COMMIT was answered with ${command}` });
  }
}
