/**
 * Reading the log for a command: one connection, and one short transaction for each statement.
 *
 * A transaction that lasts as long as the command keeps its lock on the table: `ALTER TABLE` waits for it, and every writer
 * waits behind `ALTER TABLE`. So there is no snapshot of the whole log. Reading page by page is exact all the same:
 *
 *   Rows of ours never change and are only appended. Their ids are drawn under the writers' lock, so they ascend in the
 *   order in which their transactions commit (`recorder/projection.ts`). Where the newest visible row of ours has the
 *   id N, every row of ours up to N is committed, and every later statement sees it: up to N the journal is one state of
 *   the log. That bound comes first, and no page goes beyond it (`journalEnd`).
 *
 * The newest id of the table is no such bound: rows of ours with lower ids may be on their way. To look whether anybody holds the
 * writers' lock would not help on a standby, which does not show the primary's locks, nor beside ids given by hand.
 *
 * Retention may delete rows between two pages. It deletes from the old end, so pages that go back only end earlier. What
 * goes forward finds a gap that is not in the log, and reads again (`recorder/lasting.ts`, `recorded-merges.ts`,
 * `read-verification.ts`).
 */
import type { Config } from "../config.ts";
import { type JournalRow, parseJournalRow, type RawJournalRow, UnfitLog } from "../core/journal-row.ts";
import { DatabaseFailure, type JournalReader, UnfitDatabase } from "../outbox-log.ts";
import { pagesAfter } from "../pages.ts";
import { applicationName } from "../postgres/application-name.ts";
import { type Connection, connect, type Query } from "../postgres/connection.ts";
import { isLockTimeout } from "../postgres/failure.ts";
import { namesIn } from "../postgres/names.ts";
import { newestRows } from "../postgres/newest-rows.ts";
import { readableColumns } from "../postgres/outbox-columns.ts";
import { journalReader } from "../postgres/reader.ts";
import { type ReadAccess, sturdy } from "../postgres/reader-at.ts";
import type { LeaveOut, UnreadableRow } from "../postgres/unreadable.ts";
import { advice } from "./advice.ts";

export type LogAccess = ReadAccess;

export type ReadOptions = {
  /** For each answer of the database. */
  readonly timeoutMs: number;
  /** Called once for each row that the server cannot read. */
  readonly unreadable?: LeaveOut | undefined;
};

/** Outbox rows that one statement passes: a writer behind a migration that waits for it waits for as long. */
export const READ_ROWS = 5_000;

/** Of the time for an answer, what may be spent on waiting for a lock. */
const LOCK_SHARE = 0.8;
/** What one transaction waits for a lock: it may have been granted another one, for which another session waits. */
const LOCK_WAIT_MS = 500;
/** More damaged rows than this are not a few rows: the table, its index or the disk is. */
const MOST_UNREADABLE = 1_000;

/** The database cannot be read: the message says why and what to do. */
class Unreadable extends Error {
  readonly exitCode = 3;

  constructor(message: string) {
    super(message);
    this.name = "Unreadable";
  }
}

/**
 * Reads the log, and is gone from the database afterwards.
 * @param verb names the connection in `pg_stat_activity`.
 * @throws Unreadable when the database is away, refuses, takes too long, or the log cannot be trusted.
 */
export async function readLog<T>(
  config: Config,
  verb: string,
  { timeoutMs, unreadable }: ReadOptions,
  read: (access: LogAccess) => Promise<T>,
): Promise<T> {
  const settings = {
    database: config.database,
    applicationName: applicationName(verb),
    connectTimeoutMs: timeoutMs,
    statementTimeoutMs: timeoutMs,
    lockTimeoutMs: Math.min(LOCK_WAIT_MS, Math.ceil(timeoutMs * LOCK_SHARE)),
  };
  try {
    const connection = await connect(settings);
    try {
      const query = shortTransactions(connection, timeoutMs * LOCK_SHARE);
      const names = namesIn(config.schema);
      const columns = await readableColumns(query, names);
      const damaged = once(unreadable);
      const plain = journalReader(query, connection.readOut, config, columns);
      const reader = sturdy({ reader: plain, query, names, unreadable: damaged });
      const result = await read({ reader, query, names, columns, unreadable: damaged });
      // In good order, or the server would log an unexpected end for every look.
      await connection.end();
      return result;
    } finally {
      connection.destroy();
    }
  } catch (error) {
    throw asUnreadable(error);
  }
}

/** Each statement in a transaction of its own. While a lock is not granted, it is asked for again: nothing is held meanwhile. */
function shortTransactions({ read }: Connection, patienceMs: number): Query {
  return async (text) => {
    const giveUpAt = performance.now() + patienceMs;
    for (;;) {
      try {
        return await read(text);
      } catch (error) {
        if (!isLockTimeout(error) || performance.now() >= giveUpAt) throw error;
      }
    }
  };
}

/** Tells each row once, however often it is met. */
function once(tell: LeaveOut | undefined): LeaveOut {
  const told = new Set<string>();
  return (row: UnreadableRow) => {
    if (told.has(row.id)) return;
    if (told.add(row.id).size > MOST_UNREADABLE)
      throw new Unreadable(
        `more than ${MOST_UNREADABLE} rows of events_outbox cannot be read (${row.reason}): its storage or an index is damaged, see the server's log`,
      );
    tell?.(row);
  };
}

/**
 * The newest row of ours: up to here the journal is complete, now and for every later statement. Null where there is none.
 *
 * It is looked for below the newest row of the outbox and page by page, so a set that commits meanwhile may be seen in part: its
 * other rows have higher ids than were looked at, with rows of others between them. So the set is followed to its end.
 */
export async function journalEnd({ reader, query, names, unreadable }: LogAccess): Promise<bigint | null> {
  let damaged: bigint | null = null;
  const rows = newestRows(query, names, { upTo: await reader.newest() }, (row) => {
    unreadable(row);
    // Of the rows that are read, those of kind `metric.*`: it may be one of ours.
    damaged = larger(damaged, BigInt(row.id));
  });
  for await (const raw of rows) {
    const own = parsedOwn(raw);
    if (own !== null) return endOfSet(reader, larger(damaged, BigInt(raw.id)), own);
  }
  return damaged;
}

/** The last row of the set of which one row has the id `place`. */
async function endOfSet(reader: JournalReader, place: bigint, row: OwnRow): Promise<bigint> {
  if (row.type !== "metric") return place;
  let end = place;
  for await (const page of pagesAfter(reader, place, await reader.newest(), READ_ROWS)) {
    for (const raw of await reader.journal(page.after, page.end)) {
      const next = parsedOwn(raw);
      if (next === null) continue;
      if (next.type !== "metric" || next.merge.eventId !== row.merge.eventId) return end;
      end = BigInt(raw.id);
    }
  }
  return end;
}

function larger(a: bigint | null, b: bigint): bigint {
  return a !== null && a > b ? a : b;
}

/** Rows of kind `metric.*` that others write are written without our lock: they prove nothing. One with our marker is ours, readable or not. */
type OwnRow = JournalRow | { readonly type: "unfit" };

function parsedOwn(raw: RawJournalRow): OwnRow | null {
  try {
    const row = parseJournalRow(raw);
    return row.type === "unmarked" ? null : row;
  } catch (error) {
    // `readLog`'s verbs say themselves what is wrong with it.
    if (error instanceof UnfitLog) return { type: "unfit" };
    throw error;
  }
}

/** The server's clock, as documents write it. */
export async function now(query: Query): Promise<string> {
  const { rows } = await query(
    `SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS now`,
  );
  return rows[0]?.["now"] ?? "";
}

function asUnreadable(error: unknown): unknown {
  if (error instanceof UnfitLog) return new Unreadable(error.message);
  if (error instanceof UnfitDatabase) return new Unreadable(error.problems.join("\n"));
  if (!(error instanceof DatabaseFailure)) return error;
  return new Unreadable(advice(error.failure));
}
