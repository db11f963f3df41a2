/**
 * A connection to PostgreSQL that lives until its first failure. It is never repaired: after any failure, a deadline
 * included, its socket is destroyed and its owner opens another one. Closing the socket rolls back whatever was not
 * committed.
 */
import pg from "pg";
import type { Failure } from "../events/fields.ts";
import { AppendRefused, DatabaseFailure } from "../outbox/outbox-log.ts";
import { ProtocolViolation } from "./backend-messages.ts";
import { CopyOutQuery, type TakeFields } from "./copy-out.ts";
import { databaseSocket } from "./database-socket.ts";
import { failureOf, faultOf, isRefusal, leavesConnection } from "./failure.ts";
import { innerConnection } from "./inner-connection.ts";

/** Where to connect, under which name, and how long to wait. */
export type ConnectionSettings = {
  /** Where, read anew for each connection: a rotated secret or certificate needs no restart. It may throw. */
  readonly database: { readonly read: () => pg.ClientConfig };
  readonly applicationName: string;
  readonly connectTimeoutMs: number;
  readonly statementTimeoutMs: number;
  readonly lockTimeoutMs: number;
};

/**
 * The values of a row as PostgreSQL writes them; nothing is cast. The type says that a column may be missing, the
 * statements say that it is not: a fallback such as `?? ""` in this folder satisfies the compiler and is never reached.
 */
export type TextRow = Readonly<Record<string, string | null>>;

export type Answer = { readonly rows: readonly TextRow[]; readonly command: string };

/**
 * Runs one statement.
 * @param name under which the session keeps the statement, always with the same text.
 * @throws DatabaseFailure; the connection is gone then, unless `leavesConnection`.
 */
export type Query = (text: string, parameters?: unknown[], name?: string) => Promise<Answer>;

/** COPY … TO STDOUT, row by row as the rows arrive. @throws DatabaseFailure as `Query` does. */
export type CopyOut = (statement: string, take: TakeFields) => Promise<void>;

export interface Connection {
  /** The backend's process id, or the number by which a pooler knows this client. */
  readonly processId: number | null;
  /** The server's notices while the connection was made. */
  readonly notices: readonly string[];
  /** Runs a statement in the open transaction, if any. */
  readonly run: Query;
  /** Runs several statements, sent as one message, in the open transaction. They take no parameters. */
  readonly runEach: (texts: readonly string[]) => Promise<Answer[]>;
  /** Runs a statement in a read-only transaction of its own, all in one message. It takes no parameters. */
  readonly read: (text: string) => Promise<Answer>;
  /** Runs several statements in one such transaction; each sees what was committed before it began. */
  readonly readEach: (texts: readonly string[]) => Promise<Answer[]>;
  /** Copies rows out in a read-only transaction of its own. */
  readonly readOut: CopyOut;
  /** Ends the connection in good order. */
  readonly end: () => Promise<void>;
  /** Ends the connection at once. */
  readonly destroy: () => void;
}

/** How long to wait for an answer beyond the server's own deadline: a server that exceeds it is silent, not slow. */
const ANSWER_GRACE_MS = 2_000;

/**
 * Opens a connection.
 * @param onLoss called when the server or the network ends it: without a statement under way nothing else would show that.
 * @throws DatabaseFailure when the server cannot be reached, refuses, or `stop` is aborted meanwhile.
 */
export async function connect(
  settings: ConnectionSettings,
  stop?: AbortSignal,
  onLoss?: () => void,
): Promise<Connection> {
  const client = clientOf(settings);
  let state: "connecting" | "connected" | "over" = "connecting";
  /** The first error of the connection is the reason for its end; later ones only report that it is over. */
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
  const failed = (error: unknown): DatabaseFailure => {
    if (!leavesConnection(error)) destroy();
    const failure = reason ?? failureOf(error);
    return isRefusal(error) ? new AppendRefused(failure) : new DatabaseFailure(failure);
  };
  stop?.addEventListener("abort", destroy, { once: true });
  try {
    if (stop?.aborted === true) throw new Error("stopping");
    await client.connect();
    state = "connected";
  } catch (error) {
    destroy();
    throw failed(error);
  } finally {
    stop?.removeEventListener("abort", destroy);
  }

  const send = async (text: string, values?: unknown[], name?: string): Promise<Answer[]> => {
    try {
      const answer: pg.QueryResult<TextRow> | pg.QueryResult<TextRow>[] = await client.query({
        text,
        ...(values && { values }),
        ...(name !== undefined && { name }),
      });
      const results = Array.isArray(answer) ? answer : [answer];
      checkWhole(results, values === undefined ? statementsIn(text) : 1);
      return results;
    } catch (error) {
      throw failed(error);
    }
  };
  let turn: Promise<unknown> = Promise.resolve();
  /** Waits for the read before it: that one may have failed, and its ROLLBACK must come first. */
  const inTurn = <T>(read: () => Promise<T>): Promise<T> => {
    const result = turn.then(read);
    turn = result.catch(() => undefined);
    return result;
  };
  const readOnly = begin(settings, "ISOLATION LEVEL READ COMMITTED READ ONLY");
  /** Ends the transaction of what fails, if the connection survives that. */
  const orRolledBack = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      const failure = failed(error);
      if (leavesConnection(failure)) await send("ROLLBACK");
      throw failure;
    }
  };
  const readEach = async (texts: readonly string[]): Promise<Answer[]> => {
    const message = `${readOnly}; ${texts.join("; ")}; COMMIT`;
    return (await inTurn(() => orRolledBack(send(message)))).slice(-1 - texts.length, -1);
  };
  return {
    processId: "processID" in client && typeof client.processID === "number" ? client.processID : null,
    notices,
    run: async (text, parameters, name) => (await send(text, parameters, name)).at(-1) ?? NOTHING,
    runEach: (texts) => send(texts.join("; ")),
    read: async (text) => (await readEach([text]))[0] ?? NOTHING,
    readEach,
    readOut: (statement, take) =>
      inTurn(async () => {
        await send(readOnly);
        await orRolledBack(client.query(new CopyOutQuery(statement, take)).ended);
        await send("COMMIT");
      }),
    end: async () => {
      state = "over";
      await client.end().catch(destroy);
    },
    destroy,
  };
}

const NOTHING: Answer = { rows: [], command: "" };

/** How many statements a text of ours contains: no name or value of ours contains a semicolon, see `names.ts`. */
function statementsIn(text: string): number {
  return text.split(";").filter((statement) => statement.trim() !== "").length;
}

/**
 * Checks that each statement was answered once and completely, with as many rows as the server says it sent. An answer
 * that was cut or repeated on its way must not be taken for the content of the log.
 * @throws ProtocolViolation
 */
function checkWhole(results: readonly pg.QueryResult<TextRow>[], statements: number): void {
  const whole = results.every(
    // A result that was never completed has no command, whatever its type says.
    ({ command, rowCount, fields, rows }: { [M in keyof pg.QueryResult]: pg.QueryResult[M] | null }) =>
      command !== null &&
      (fields?.length === 0 ? rows?.length === 0 : (rowCount ?? rows?.length) === rows?.length),
  );
  if (!whole || results.length !== statements) throw new ProtocolViolation("an incomplete answer");
}

/** @throws DatabaseFailure when something that the settings name cannot be read. */
function clientOf(settings: ConnectionSettings): pg.Client {
  try {
    const config = clientConfig(settings);
    const types = { getTypeParser: () => (text: string) => text };
    return new pg.Client({ ...config, connection: innerConnection(config), types });
  } catch (error) {
    throw new DatabaseFailure(failureOf(error));
  }
}

/** @throws what reading the settings throws. */
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
 * The beginning of a transaction, with every setting that our statements rely on. They are set in each transaction,
 * because behind a pooler the next transaction may run on another backend.
 *
 * - `search_path`: CVE-2018-1058. `row_security = off`: rows that a policy would hide become an error. `jit`: compiling
 *   a replay query takes longer than running it.
 * - `enable_seqscan`, `enable_bitmapscan`: plans do not depend on the table's statistics, which may be missing. Each
 *   statement of ours has an index in whose order it reads, and the planner is made to take it.
 * - The timeouts: no backend of ours waits without a bound, be it for the next statement or the rest of one
 *   (`idle_in_transaction_session_timeout`), for a client that does not read (`tcp_user_timeout`; `statement_timeout`
 *   does not end that, measured on PostgreSQL 15 and 18), for a lock, or for its own work.
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
 * A query inside a transaction that must survive a statement which fails on a row: the reader asks again for the rows
 * around it.
 */
export function inSavepoint(run: Query): Query {
  return async (text) => {
    await run("SAVEPOINT reading");
    try {
      return await run(text);
    } catch (error) {
      if (["value", "storage"].includes(faultOf(error))) await run("ROLLBACK TO SAVEPOINT reading");
      throw error;
    }
  };
}
