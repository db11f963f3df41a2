/** One look at the log for a command that only reads: one connection, one repeatable-read snapshot, no writes. */
import type { Config } from "../config.ts";
import { UnfitLog } from "../core/journal-row.ts";
import { DatabaseFailure, type JournalReader, UnfitDatabase } from "../outbox-log.ts";
import { applicationName } from "../postgres/application-name.ts";
import { begin, type Connection, type CopyOut, connect, type Query } from "../postgres/connection.ts";
import { isBadData, isOverdue } from "../postgres/failure.ts";
import { type Names, namesIn } from "../postgres/names.ts";
import { type OutboxColumns, readableColumns } from "../postgres/outbox-columns.ts";
import { journalReader } from "../postgres/reader.ts";
import { advice } from "./advice.ts";

export type LogAccess = {
  readonly reader: JournalReader;
  readonly query: Query;
  readonly names: Names;
  readonly columns: OutboxColumns;
};

/** Of the time for an answer, what may be spent on waiting for a lock. */
const LOCK_SHARE = 0.8;

/** The database cannot be read: the message says why and what to do. */
class Unreadable extends Error {
  readonly exitCode = 3;

  constructor(message: string) {
    super(message);
    this.name = "Unreadable";
  }
}

/**
 * Reads within one snapshot of the database, and is gone from it afterwards.
 * @param verb names the connection in `pg_stat_activity`.
 * @throws Unreadable when the database is away, refuses, takes too long, or the log cannot be trusted.
 */
export async function readLog<T>(
  config: Config,
  verb: string,
  timeoutMs: number,
  read: (access: LogAccess) => Promise<T>,
): Promise<T> {
  const settings = {
    database: config.database,
    applicationName: applicationName(verb),
    connectTimeoutMs: timeoutMs,
    statementTimeoutMs: timeoutMs,
    // Before the statement's own, or nobody would hear that it was a lock.
    lockTimeoutMs: Math.ceil(timeoutMs * LOCK_SHARE),
  };
  try {
    const connection = await connect(settings);
    try {
      await connection.run(
        `${begin(settings, "ISOLATION LEVEL REPEATABLE READ READ ONLY")}; SAVEPOINT sound`,
      );
      const query = tolerant(connection.run);
      const names = namesIn(config.schema);
      const columns = await readableColumns(query, names);
      const copyOut = tolerantCopy(connection);
      const reader = journalReader(query, copyOut, config, columns);
      const result = await read({ reader, query, names, columns });
      // In good order, or the server would log an unexpected end for every look.
      await connection.end();
      return result;
    } finally {
      connection.destroy();
    }
  } catch (error) {
    throw unreadable(error);
  }
}

/** A statement that fails on odd data spoils the transaction; the reader goes on from before it, in the same snapshot. */
function tolerant(run: Query): Query {
  return async (text, parameters) => {
    try {
      return await run(text, parameters);
    } catch (error) {
      if (isBadData(error)) await run("ROLLBACK TO SAVEPOINT sound");
      throw error;
    }
  };
}

/** The same for what is copied, which may also take too long as one statement. */
function tolerantCopy({ run, copyOut }: Connection): CopyOut {
  return async (statement, take) => {
    try {
      await copyOut(statement, take);
    } catch (error) {
      if (isBadData(error) || isOverdue(error)) await run("ROLLBACK TO SAVEPOINT sound");
      throw error;
    }
  };
}

/** The server's clock, as documents write it. */
export async function now(query: Query): Promise<string> {
  const { rows } = await query(
    `SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS now`,
  );
  return rows[0]?.["now"] ?? "";
}

function unreadable(error: unknown): unknown {
  if (error instanceof UnfitLog) return new Unreadable(error.message);
  if (error instanceof UnfitDatabase) return new Unreadable(error.problems.join("\n"));
  if (!(error instanceof DatabaseFailure)) return error;
  return new Unreadable(advice(error.failure));
}
