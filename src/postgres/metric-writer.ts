/** The writers' transaction, statement by statement. The reasons for this form are in `recorder/fence.ts`. */
import { CHECKPOINT_KIND } from "../core/metric-event.ts";
import {
  type Appended,
  type AppendedRow,
  CommitUnknown,
  DatabaseFailure,
  LockBlocked,
  type OutboxLog,
} from "../outbox/outbox-log.ts";
import { type Answer, begin, type Connection, type ConnectionSettings, inSavepoint } from "./connection.ts";
import { faultOf, isLockTimeout } from "./failure.ts";
import { OURS, PAYLOAD_FINGERPRINT, sinceIn, sinceStatement } from "./journal.ts";
import { endStalledPeers, lockKey, writersLockHolders } from "./lock-holders.ts";
import { literal, type Names, quote } from "./names.ts";
import type { OutboxColumns } from "./outbox-columns.ts";
import type { Fitness } from "./preflight.ts";
import { PLANNED_ONCE, type Prepared, type Statement } from "./prepared.ts";

export type MetricWriter = Pick<
  OutboxLog,
  "journalSince" | "beginLocked" | "beginFenced" | "append" | "commit" | "rollback"
> & {
  /** Begins the writers' transaction with the lock, and runs statements in it, in one message. @returns their answers. */
  readonly beginWith: (statements: readonly string[]) => Promise<readonly Answer[]>;
  /** Runs a statement inside the writers' transaction while one is open, otherwise in a transaction of its own. */
  readonly query: (text: string) => Promise<Answer>;
};

/** The statements of each write, to be prepared with the connection. */
export function writerStatements(names: Names): Readonly<Record<"since" | "fingerprint", Statement>> {
  return { since: sinceStatement(names), fingerprint: fingerprintStatement(names) };
}

/** Binds the writers' transaction to a connection. */
export function metricWriter(
  connection: Connection,
  names: Names,
  settings: ConnectionSettings,
  fitness: Fitness,
  { say, name }: Prepared,
): MetricWriter {
  const { run, runEach, read } = connection;
  const { since, fingerprint } = writerStatements(names);
  const begins = lockingStatements(settings, names, fitness.deadlockMs);
  const join = inSavepoint(run);
  const outside = { ...names, query: read };
  let locked = false;
  const beginWith = async (statements: readonly string[]): Promise<readonly Answer[]> => {
    try {
      const answers = await runEach([begins, ...statements]);
      locked = true;
      return answers.slice(answers.length - statements.length);
    } catch (error) {
      if (!isLockTimeout(error)) throw error;
      await run("ROLLBACK");
      await endStalledPeers(outside, settings.statementTimeoutMs);
      const holders = await writersLockHolders(outside);
      // Without a holder of the writers' lock, the table was what it waited for.
      throw holders.length === 0 ? error : new LockBlocked(error.failure, holders);
    }
  };
  const query = (text: string): Promise<Answer> => (locked ? join(text) : read(text));
  return {
    query,
    beginWith,
    journalSince: async (applied, after) => {
      const { rows } = await query(say(since, applied?.id ?? null, after));
      return sinceIn(rows, fitness.watched.server);
    },
    beginLocked: async () => {
      await beginWith([]);
    },
    beginFenced: async (applied, after) => {
      const answers = await beginWith([PLANNED_ONCE, say(since, applied.id, after)]);
      return sinceIn(answers.at(-1)?.rows ?? [], fitness.watched.server);
    },
    append: (rows) => append(connection, names, fitness, rows, name("insert")),
    commit: async (last) => {
      const appended = await commit(connection, say(fingerprint, last));
      locked = false;
      return appended;
    },
    rollback: async () => {
      await run("ROLLBACK");
      locked = false;
    },
  };
}

/** Milliseconds. Longer than an orchestrator's transaction usually holds a row, and shorter than it may be kept waiting. */
const APPEND_LOCK_MS = 100;

/**
 * The lock's statement takes its snapshot before it waits, so nothing may be read by it. A later statement takes its own
 * snapshot when it begins, and it begins when the lock has been granted. That is also true within one message: under READ
 * COMMITTED the server runs the statements of a message one after the other, each as if it were sent alone.
 *
 * While it holds the lock, the transaction never waits for long. Where a foreign key makes the append wait for a row that
 * the orchestrator has locked, it gives up well before the server looks for deadlocks, so that the orchestrator is never
 * the victim of one. The search path lets the orchestrator's triggers find their tables.
 *
 * @param deadlockMs after how long a wait the server looks for deadlocks.
 */
function lockingStatements(settings: ConnectionSettings, names: Names, deadlockMs: number): string {
  const lockTimeoutMs = Math.max(1, Math.min(APPEND_LOCK_MS, Math.floor(deadlockMs / 4)));
  return [
    begin(settings, "ISOLATION LEVEL READ COMMITTED READ WRITE"),
    `SELECT pg_advisory_xact_lock(${literal(lockKey(names))})`,
    `SET LOCAL lock_timeout = ${lockTimeoutMs}`,
    `SET LOCAL search_path = pg_catalog, ${quote(names.schema)}`,
  ].join("; ");
}

/**
 * One statement for one merge and for a thousand, with the rows as three lists in three texts: as fast as COPY (1.0 to 1.1
 * times its time for 4,000 rows; a multi-row INSERT 1.25 to 1.45, unnest 1.7), and it returns the ids.
 *
 * Not COPY FROM STDIN: no timeout of the server ends a backend that waits for the next piece, so a stopped daemon would keep
 * the writers' lock for as long as it is stopped. A statement that has arrived only in part is ended by
 * `idle_in_transaction_session_timeout`.
 *
 * A sequence with a cache would give this session ids from an old reserve, below those of others. So the reserve is
 * discarded first, and journal ids ascend.
 */
async function append(
  connection: Connection,
  { outbox }: Names,
  { columns, sequenceCache }: Fitness,
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

/** Two characters that no work item's id contains: a separator, and a sign for no work item. JSON contains no control characters. */
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

/** The `work_item_id` under which a row is filed: a checkpoint has none, where the column allows it. */
export function workItemOf(row: AppendedRow, { workItemNullable }: OutboxColumns): string | null {
  return row.kind === CHECKPOINT_KIND && workItemNullable ? null : row.workItemId;
}

/** The fingerprint of one row. */
function fingerprintStatement({ outbox }: Names): Statement {
  return {
    name: "fingerprint",
    types: ["bigint"],
    text: (id) =>
      `SELECT ${PAYLOAD_FINGERPRINT} AS fingerprint FROM ${outbox} e WHERE e.id = ${id}::bigint AND ${OURS}`,
  };
}

/**
 * A failed transaction answers COMMIT with ROLLBACK and without an error. Where no answer comes, the server may have
 * committed all the same.
 * @param fingerprint the statement, sent along, that reads the fingerprint of the new last applied row.
 */
async function commit(connection: Connection, fingerprint: string): Promise<string | null> {
  let answers: readonly Answer[];
  try {
    answers = await connection.runEach([fingerprint, "COMMIT"]);
  } catch (error) {
    const isUnknown =
      error instanceof DatabaseFailure && ["lost", "time", "storage"].includes(faultOf(error));
    throw isUnknown ? new CommitUnknown(error.failure) : error;
  }
  const command = answers.at(-1)?.command ?? "";
  if (command !== "COMMIT") {
    connection.destroy();
    throw new DatabaseFailure({ code: "COMMIT_ROLLED_BACK", message: `COMMIT was answered with ${command}` });
  }
  return answers[0]?.rows[0]?.["fingerprint"] ?? null;
}
