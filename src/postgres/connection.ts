/**
 * A connection to PostgreSQL that lives until its first failure. Nobody repairs it: whatever goes wrong, a deadline
 * included, its socket is destroyed and the holder opens another. A statement in doubt is thereby in doubt for nobody
 * else: the server rolls back what was not committed.
 */
import pg from "pg";
import type { Failure } from "../events/fields.ts";
import { AppendRefused, DatabaseFailure } from "../outbox-log.ts";
import { ProtocolViolation } from "./backend-messages.ts";
import { CopyOutQuery } from "./copy-out.ts";
import { databaseSocket } from "./database-socket.ts";
import { failureOf, isBadData, isDamaged, isOverdue, isRefusal, leavesConnection } from "./failure.ts";
import { innerConnection } from "./inner-connection.ts";

export type ConnectionSettings = {
  /** Where, read anew for each connection: a rotated secret or certificate needs no restart. It may throw. */
  readonly database: { readonly read: () => pg.ClientConfig };
  readonly applicationName: string;
  readonly connectTimeoutMs: number;
  readonly statementTimeoutMs: number;
  readonly lockTimeoutMs: number;
};

/**
 * Values of a row as PostgreSQL writes them; nothing is cast. That a column may be missing is the type's opinion, not the
 * statements': where this folder falls back on `?? ""` or `?? 0` it answers the compiler, and no test can get there.
 */
export type TextRow = Readonly<Record<string, string | null>>;

export type Answer = { readonly rows: readonly TextRow[]; readonly command: string };

/**
 * Runs one statement.
 * @param name under which the session keeps it, always with the same text.
 * @throws DatabaseFailure, after which the connection is gone.
 */
export type Query = (text: string, parameters?: unknown[], name?: string) => Promise<Answer>;

/**
 * COPY … TO STDOUT: `take` is given the text as it comes, and what it has not taken is not asked for.
 * @throws DatabaseFailure, after which the connection is gone, unless the data or the time was the reason.
 */
export type CopyOut = (statement: string, take: (chunk: Buffer) => void) => Promise<void>;

export interface Connection {
  /** As the server told it: the backend's, or whatever a pooler calls this client. */
  readonly processId: number | null;
  /** What the server remarked while the connection was made. */
  readonly notices: readonly string[];
  /** In whatever transaction is open. */
  readonly run: Query;
  /** In a read-only transaction of its own, begun and ended in the same message. Takes no parameters. */
  readonly read: (text: string) => Promise<Answer>;
  /** Several statements in such a transaction, one after the other; each sees what was committed before it began. */
  readonly readEach: (texts: readonly string[]) => Promise<Answer[]>;
  /** Several statements in one message, in whatever transaction is open. Take no parameters. */
  readonly runEach: (texts: readonly string[]) => Promise<Answer[]>;
  /** In whatever transaction is open. */
  readonly copyOut: CopyOut;
  /** In a read-only transaction of its own. */
  readonly readOut: CopyOut;
  /** Ends the connection in good order. */
  readonly end: () => Promise<void>;
  /** Ends the connection at once. */
  readonly destroy: () => void;
}

/** How long beyond the server's own deadline an answer is waited for: then the server is silent, not slow. */
const ANSWER_GRACE_MS = 2_000;

/**
 * @param onLoss called once when the connection is lost without a statement under way or our doing: the next statement
 * fails with the reason, and nobody else would notice before it.
 * @throws DatabaseFailure when the server cannot be reached, refuses, or `stop` is aborted meanwhile.
 */
export async function connect(
  settings: ConnectionSettings,
  stop?: AbortSignal,
  onLoss?: () => void,
): Promise<Connection> {
  const client = clientOf(settings);
  let state: "connecting" | "connected" | "over" = "connecting";
  /** The first error of the connection is the reason of its end; what follows only says that it is over. */
  let reason: Failure | null = null;
  const lose = (): void => {
    if (state === "connected") onLoss?.();
    state = "over";
  };
  // A killed backend emits 'error' twice; without a listener the second one would end the process.
  client.on("error", (error) => {
    reason ??= failureOf(error);
    lose();
  });
  client.on("end", lose);
  const notices: string[] = [];
  client.on("notice", ({ message, hint }) => {
    if (state === "connecting") notices.push([message, hint].filter(Boolean).join(": "));
  });
  const destroy = (): void => {
    state = "over";
    client.connection.stream.destroy();
  };
  stop?.addEventListener("abort", destroy, { once: true });
  try {
    if (stop?.aborted === true) throw new Error("stopping");
    await client.connect();
    state = "connected";
  } catch (error) {
    destroy();
    throw new DatabaseFailure(failureOf(error));
  } finally {
    stop?.removeEventListener("abort", destroy);
  }
  const send = async (
    text: string,
    values?: unknown[],
    name?: string,
  ): Promise<pg.QueryResult<TextRow>[]> => {
    try {
      const answer: pg.QueryResult<TextRow> | pg.QueryResult<TextRow>[] = await client.query({
        text,
        ...(values === undefined ? {} : { values }),
        ...(name === undefined ? {} : { name }),
      });
      const results = Array.isArray(answer) ? answer : [answer];
      checkWhole(results, values === undefined && name === undefined ? statementsIn(text) : 1);
      return results;
    } catch (error) {
      if (!leavesConnection(error)) destroy();
      const failure = reason ?? failureOf(error);
      throw isRefusal(error) ? new AppendRefused(failure) : new DatabaseFailure(failure);
    }
  };
  const readOnly = begin(settings, "ISOLATION LEVEL READ COMMITTED READ ONLY");
  const readEach = async (texts: readonly string[]): Promise<Answer[]> => {
    try {
      return (await send(`${readOnly}; ${texts.join("; ")}; COMMIT`))
        .slice(-1 - texts.length, -1)
        .map(answerOf);
    } catch (error) {
      if (leavesConnection(error)) await send("ROLLBACK");
      throw error;
    }
  };
  const copyOut: CopyOut = async (statement, take) => {
    try {
      await client.query(new CopyOutQuery(statement, take)).ended;
    } catch (error) {
      if (!isBadData(error) && !isOverdue(error) && !isDamaged(error)) destroy();
      throw new DatabaseFailure(reason ?? failureOf(error));
    }
  };
  return {
    processId: "processID" in client && typeof client.processID === "number" ? client.processID : null,
    notices,
    run: async (text, parameters, name) => answerOf((await send(text, parameters, name)).at(-1)),
    read: async (text) => (await readEach([text]))[0] ?? NOTHING,
    readEach,
    runEach: async (texts) => (await send(texts.join("; "))).map(answerOf),
    copyOut,
    readOut: async (statement, take) => {
      await send(readOnly);
      try {
        await copyOut(statement, take);
      } catch (error) {
        if (isBadData(error) || isOverdue(error) || isDamaged(error)) await send("ROLLBACK");
        throw error;
      }
      await send("COMMIT");
    },
    end: async () => {
      state = "over";
      await client.end().catch(destroy);
    },
    destroy,
  };
}

/** How many statements a text of ours holds: none of our names and values has a semicolon, see `names.ts`. */
function statementsIn(text: string): number {
  return text.split(";").filter((statement) => statement.trim() !== "").length;
}

/**
 * Whether each statement was answered once and to its end, with as many rows as the server says it sent: an answer that
 * was cut or repeated on its way must not be taken for what the log says.
 * @throws ProtocolViolation
 */
function checkWhole(results: readonly pg.QueryResult<TextRow>[], statements: number): void {
  const whole = results.every(
    // A result that was never completed has no command, whatever its type says.
    ({ command, rowCount, fields, rows }: { [M in keyof pg.QueryResult]: pg.QueryResult[M] | null }) =>
      command !== null &&
      (fields?.length === 0 ? rows?.length === 0 : (rowCount ?? rows?.length) === rows?.length),
  );
  if (!whole || results.length !== statements) throw new ProtocolViolation("an answer that is not whole");
}

/** @throws DatabaseFailure when what it needs cannot be read. */
function clientOf(settings: ConnectionSettings): pg.Client {
  try {
    const config = clientConfig(settings);
    return new pg.Client({
      ...config,
      connection: innerConnection(config),
      types: { getTypeParser: () => (text: string) => text },
    });
  } catch (error) {
    throw new DatabaseFailure(failureOf(error));
  }
}

const NOTHING: Answer = { rows: [], command: "" };

function answerOf(result: pg.QueryResult<TextRow> | undefined): Answer {
  return { rows: result?.rows ?? [], command: result?.command ?? "" };
}

/** The configuration of every connection of ours, the listener's included. @throws what reading it throws. */
export function clientConfig(settings: ConnectionSettings): pg.ClientConfig {
  return {
    ...settings.database.read(),
    application_name: settings.applicationName,
    connectionTimeoutMillis: settings.connectTimeoutMs,
    query_timeout: settings.statementTimeoutMs + ANSWER_GRACE_MS,
    stream: () => databaseSocket(settings.connectTimeoutMs),
  };
}

/**
 * The beginning of a transaction. What a session would be told once is told to each transaction: behind a pooler the
 * next one may run on another backend. `search_path` for CVE-2018-1058; `row_security = off` turns rows silently
 * withheld into an error; compiling a replay query takes longer than running it.
 *
 * No plan depends on what the table's statistics say, or that they say nothing yet: every statement of ours has an index to go
 * by, in its order, and the planner is made to take it.
 *
 * No backend of ours waits without a bound: for the next statement, or the rest of one (`idle_in_transaction_session_timeout`),
 * for a client that does not take what is sent to it (`tcp_user_timeout`: `statement_timeout` does not end that, measured on
 * 15 and 18), for a lock, for itself.
 */
export function begin(settings: ConnectionSettings, mode: string): string {
  return [
    `BEGIN ${mode}`,
    "SET LOCAL search_path = pg_catalog",
    "SET LOCAL row_security = off",
    "SET LOCAL jit = off",
    "SET LOCAL enable_seqscan = off",
    "SET LOCAL enable_bitmapscan = off",
    `SET LOCAL statement_timeout = ${settings.statementTimeoutMs}`,
    `SET LOCAL lock_timeout = ${settings.lockTimeoutMs}`,
    `SET LOCAL idle_in_transaction_session_timeout = ${settings.statementTimeoutMs}`,
    `SET LOCAL tcp_user_timeout = ${settings.statementTimeoutMs}`,
  ].join("; ");
}

/**
 * For reading inside a transaction that has to go on when a statement cannot take in a row: only a `json` column can
 * hold one, and the reader asks again for the rows around it.
 */
export function inSavepoint(run: Query): Query {
  return async (text, parameters) => {
    await run("SAVEPOINT reading");
    try {
      return await run(text, parameters);
    } catch (error) {
      if (isBadData(error) || isDamaged(error)) await run("ROLLBACK TO SAVEPOINT reading");
      throw error;
    }
  };
}
