/** The writers' transaction, statement by statement. Why it is built like this stands in `recorder/recorder.ts`. */
import { createHash } from "node:crypto";
import { CHECKPOINT_KIND } from "../core/metric-event.ts";
import { type Appended, type AppendedRow, CommitUnknown, DatabaseFailure } from "../outbox-log.ts";
import { type Answer, begin, type Connection, type ConnectionSettings } from "./connection.ts";
import { OURS, PAYLOAD_FINGERPRINT } from "./journal.ts";
import { literal, type Names } from "./names.ts";
import type { OutboxColumns } from "./outbox-columns.ts";
import type { Fitness } from "./preflight.ts";
import type { Statement } from "./prepared.ts";

/** The advisory lock of the writers of one schema's outbox: 64 bits of a hash, so that schemas do not wait for each other. */
export function lockKey({ schema }: Names): bigint {
  return createHash("sha256").update(`damascus-metrics:${schema}.events_outbox`).digest().readBigInt64BE();
}

/**
 * The lock's statement takes its snapshot before it waits, so nothing may be read by it. A statement behind it takes
 * its own when it begins, and it begins when the lock has been granted, also within one message: under READ COMMITTED
 * the server runs the statements of a message one after the other, each like one that was sent alone.
 *
 * With the lock in its hands the transaction waits for nothing for long: where a foreign key makes the append wait for a
 * row that the orchestrator has locked, it gives up well before the server looks for deadlocks, so that the orchestrator
 * is never the victim of one. Triggers of the orchestrator's find its tables.
 * @param deadlockMs after how long a wait the server looks for deadlocks.
 */
export function lockingStatements(settings: ConnectionSettings, names: Names, deadlockMs: number): string {
  const lockTimeoutMs = Math.max(1, Math.min(APPEND_LOCK_MS, Math.floor(deadlockMs / 4)));
  return [
    begin(settings, "ISOLATION LEVEL READ COMMITTED READ WRITE"),
    `SELECT pg_advisory_xact_lock(${literal(lockKey(names))})`,
    `SET LOCAL lock_timeout = ${lockTimeoutMs}`,
    `SET LOCAL search_path = pg_catalog, ${names.quotedSchema}`,
  ].join("; ");
}

/** Longer than an orchestrator's transaction usually holds a row, and shorter than one may be kept waiting. */
const APPEND_LOCK_MS = 100;

/**
 * One statement for one merge and for a thousand, with the rows as three lists in three texts: as fast as COPY (1.0 to 1.1
 * times its time for 4,000 rows; a multi-row INSERT 1.25 to 1.45, unnest 1.7), and it returns the ids.
 *
 * Not COPY FROM STDIN: no timeout of the server ends a backend that waits for the next piece, so that a daemon that was
 * stopped there kept the writers' lock for as long as it was stopped. A statement of which only a part has arrived is
 * waited for by `idle_in_transaction_session_timeout`.
 *
 * A sequence with a cache would give this session ids set aside long ago, below those of others: then what is set aside is
 * thrown away first, so that journal ids ascend.
 */
export async function append(
  connection: Connection,
  { outbox }: Names,
  { columns, sequenceCache }: Pick<Fitness, "columns" | "sequenceCache">,
  rows: readonly AppendedRow[],
  name: string | undefined,
): Promise<Appended> {
  if (sequenceCache > 1) await connection.run("DISCARD SEQUENCES");
  const items = rows.map((row) => workItemOf(row, columns));
  const [separator, none] = unusedCharacters(items);
  const lists = [
    rows.map((row) => row.kind),
    items.map((item) => item ?? none),
    rows.map((row) => JSON.stringify(row.payload)),
  ].map((list) => list.join(separator));
  const appended = await connection.run(
    `INSERT INTO ${outbox} AS e (kind, work_item_id, payload)
     SELECT row.kind, row.work_item_id::${columns.workItemId}, row.payload::${columns.payload}
       FROM ROWS FROM (string_to_table($1, $4), string_to_table($2, $4, $5), string_to_table($3, $4))
            WITH ORDINALITY AS row (kind, work_item_id, payload, place)
      ORDER BY row.place
     RETURNING e.id::text AS row_id`,
    [...lists, separator, none],
    name,
  );
  return { ids: appended.rows.map((row) => BigInt(row["row_id"] ?? 0)) };
}

/** Two characters that no work item's id contains: one between the rows, one for no work item. JSON contains no control characters. */
function unusedCharacters(items: readonly (string | null)[]): readonly [string, string] {
  const text = items.join("");
  const unused = (from: number): number => {
    let code = from;
    while (text.includes(String.fromCodePoint(code))) code += 1;
    return code;
  };
  const separator = unused(1);
  return [String.fromCodePoint(separator), String.fromCodePoint(unused(separator + 1))];
}

/** Checkpoints belong to no work item, where the column allows it. */
export function workItemOf(row: AppendedRow, { workItemNullable }: OutboxColumns): string | null {
  return row.kind === CHECKPOINT_KIND && workItemNullable ? null : row.workItemId;
}

/** SQLSTATE classes with which a server says that it did not commit: bad data, constraints, rights, resources. */
const REFUSALS = /^(2[0-9]|40|42|53|55|P0)[0-9A-Z]{3}$/;

/** The fingerprint of one row. */
export function fingerprintStatement({ outbox }: Names): Statement {
  return {
    name: "fingerprint",
    types: ["bigint"],
    text: (id) =>
      `SELECT ${PAYLOAD_FINGERPRINT} AS fingerprint FROM ${outbox} e WHERE e.id = ${id}::bigint AND ${OURS}`,
  };
}

/**
 * A transaction that has failed answers COMMIT with ROLLBACK and no error. And when no answer comes, the server may
 * have committed all the same.
 * @param fingerprint the statement that reads the fingerprint of the row that memory will stand on, sent along.
 */
export async function commit(connection: Connection, fingerprint: string): Promise<string | null> {
  let answers: readonly Answer[];
  try {
    answers = await connection.runEach([fingerprint, "COMMIT"]);
  } catch (error) {
    throw error instanceof DatabaseFailure && !REFUSALS.test(error.failure.code)
      ? new CommitUnknown(error.failure)
      : error;
  }
  const command = answers.at(-1)?.command ?? "";
  if (command !== "COMMIT") {
    connection.destroy();
    throw new DatabaseFailure({ code: "COMMIT_ROLLED_BACK", message: `COMMIT was answered with ${command}` });
  }
  return answers[0]?.rows[0]?.["fingerprint"] ?? null;
}
