/**
 * Reads the log for a command: one connection, and a short transaction for each statement.
 *
 * A transaction as long as the command would keep its lock on the table: `ALTER TABLE` waits for it, and every writer
 * waits behind `ALTER TABLE`. So there is no snapshot of the whole log. Reading page by page is exact all the same:
 *
 *   Rows of ours never change and are only appended. Their ids are drawn under the writers' lock, so they ascend in the
 *   order in which their transactions commit (`recorder/projection.ts`). If the newest visible row of ours has the id N,
 *   every row of ours up to N is committed, and every later statement sees it: up to N the journal is one state of the
 *   log. `journalEnd` reads that bound first, and no page goes beyond it.
 *
 * The newest id of the table is not such a bound: rows of ours with lower ids may not be committed yet. Neither is a free
 * writers' lock: a standby does not show the locks of the primary, and ids may be given by hand.
 *
 * Retention may delete rows between two pages. It deletes the oldest, so pages that go back only end earlier. A walk
 * forward finds a gap that is not in the log, and reads again (`restore/lasting.ts`, `fold-recorded.ts`).
 */
import type { Config } from "../config.ts";
import { type JournalRow, parseJournalRow, type RawJournalRow, UnfitLog } from "../core/journal-row.ts";
import type { Failure } from "../events/fields.ts";
import { meaningOf } from "../events/meaning.ts";
import { DatabaseFailure, UnfitDatabase } from "../outbox/outbox-log.ts";
import { type PageBounds, pagesAfter } from "../outbox/pages.ts";
import { type Connection, connect, type Query } from "../postgres/connection.ts";
import { isLockTimeout } from "../postgres/failure.ts";
import { namesIn } from "../postgres/names.ts";
import { newestRows } from "../postgres/newest-rows.ts";
import { readableColumns } from "../postgres/outbox-columns.ts";
import { journalReader } from "../postgres/reader.ts";
import type { ReadAccess } from "../postgres/reader-at.ts";
import type { LeaveOut } from "../postgres/unreadable.ts";

export type LogAccess = ReadAccess;

export type ReadOptions = {
  /** For each answer of the database. */
  readonly timeoutMs: number;
  /** Is called once for each row that the server cannot read. */
  readonly unreadable?: LeaveOut;
  /** Is called with the share that is done, 0–1. */
  readonly progress?: (share: number) => void;
};

/** Outbox rows of one statement. Writers behind a migration that waits for the statement wait as long. */
const READ_ROWS = 5_000;
/** The share of the time for an answer that may be spent on waiting for a lock. */
const LOCK_SHARE = 0.8;
/** How long one transaction waits for a lock: it may hold another one, for which another session waits. */
const LOCK_WAIT_MS = 500;
/** More damaged rows than this are a damaged table, index or disk. */
const MOST_UNREADABLE = 1_000;

/** The database cannot be read: the message says why and what to do. */
class Unreadable extends Error {
  readonly exitCode = 3;
}

/**
 * Reads the log over a connection of its own.
 * @param verb names the connection in `pg_stat_activity`.
 * @throws Unreadable when the database is unavailable, refuses, takes too long, or the log cannot be trusted.
 */
export async function readLog<T>(
  config: Config,
  verb: string,
  { timeoutMs, unreadable }: ReadOptions,
  read: (access: LogAccess) => Promise<T>,
): Promise<T> {
  const settings = {
    database: config.database,
    applicationName: `damascus-metrics/${verb}`,
    connectTimeoutMs: timeoutMs,
    statementTimeoutMs: timeoutMs,
    lockTimeoutMs: Math.min(LOCK_WAIT_MS, Math.ceil(timeoutMs * LOCK_SHARE)),
  };
  try {
    const connection = await connect(settings);
    try {
      const query = shortTransactions(connection, timeoutMs * LOCK_SHARE);
      const outbox = { ...namesIn(config.schema), query, unreadable: once(unreadable) };
      const columns = await readableColumns(outbox);
      const reader = journalReader(outbox, connection.readOut, config.merge, columns);
      const result = await read({ ...outbox, reader, columns });
      // Ends in good order: otherwise the server logs an unexpected end of each connection.
      await connection.end();
      return result;
    } finally {
      connection.destroy();
    }
  } catch (error) {
    throw asUnreadable(error);
  }
}

/** Each statement in its own transaction. One that does not get its lock holds nothing while it is tried again. */
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

/** Reports each row once, however often it is met. */
function once(report: LeaveOut | undefined): LeaveOut {
  const reported = new Set<string>();
  return (row) => {
    if (reported.has(row.id)) return;
    if (reported.add(row.id).size > MOST_UNREADABLE)
      throw new Unreadable(
        `more than ${MOST_UNREADABLE} rows of events_outbox cannot be read (${row.reason}): its storage or an index is damaged, see the server's log`,
      );
    report?.(row);
  };
}

/**
 * The pages of the outbox after a row, or from the oldest one, up to a row.
 * @param progress is called after each page with the share of the way, 0–1.
 */
export async function* logPages(
  { reader }: Pick<LogAccess, "reader">,
  from: bigint | null,
  upTo: bigint | null,
  progress?: ReadOptions["progress"],
): AsyncGenerator<PageBounds> {
  const oldest = from === null ? await reader.oldest() : null;
  const start = oldest === null ? from : oldest - 1n;
  if (start === null || upTo === null) return;
  for await (const page of pagesAfter(reader, start, upTo, READ_ROWS)) {
    yield page;
    progress?.(shareOf(page.end, start, upTo));
  }
}

/** What is read of each page, in their order. The server works on the next page while the caller works on this one. */
export async function* readPages<T>(
  pages: AsyncIterable<PageBounds>,
  read: (page: PageBounds) => Promise<T>,
): AsyncGenerator<T> {
  let current: Promise<T> | null = null;
  for await (const page of pages) {
    const next = read(page);
    // Its failure is thrown when its turn comes.
    next.catch(() => undefined);
    if (current !== null) yield current;
    current = next;
  }
  if (current !== null) yield current;
}

/** How far a walk from `start` to `end` has come at `place`, 0–1. */
export function shareOf(place: bigint, start: bigint, end: bigint): number {
  return end <= start ? 1 : Math.min(1, Number(place - start) / Number(end - start));
}

/**
 * The newest row of ours: up to here the journal is complete, now and for every later statement. Null where there is none.
 *
 * The search goes from the newest row of the outbox back, page by page. Of a set that commits meanwhile it may see some rows
 * and miss those with higher ids, with rows of others between them. So it follows the set to its end.
 */
export async function journalEnd(access: LogAccess): Promise<bigint | null> {
  let damaged: bigint | null = null;
  const unreadable: LeaveOut = (row) => {
    access.unreadable(row);
    // Its kind is `metric.*`, so it may be one of ours.
    damaged = larger(damaged, BigInt(row.id));
  };
  const rows = newestRows({ ...access, unreadable }, { upTo: await access.reader.newest() });
  for await (const raw of rows) {
    const row = ownRow(raw);
    if (row !== null) return endOfSet(access, larger(damaged, BigInt(raw.id)), row);
  }
  return damaged;
}

/** The last row of the set of which one row has the id `place`. */
async function endOfSet(access: LogAccess, place: bigint, row: OwnRow): Promise<bigint> {
  if (row === "unfit" || row.type !== "metric") return place;
  let end = place;
  for await (const page of logPages(access, place, await access.reader.newest())) {
    for (const raw of await access.reader.journal(page.after, page.end)) {
      const next = ownRow(raw);
      if (next === null) continue;
      if (next === "unfit" || next.type !== "metric" || next.merge.eventId !== row.merge.eventId) return end;
      end = BigInt(raw.id);
    }
  }
  return end;
}

function larger(a: bigint | null, b: bigint): bigint {
  return a !== null && a > b ? a : b;
}

/** A row with our marker, which may be unfit. */
type OwnRow = JournalRow | "unfit";

/** Null for an unmarked row: it was written without the lock and proves nothing. */
function ownRow(raw: RawJournalRow): OwnRow | null {
  try {
    const row = parseJournalRow(raw);
    return row.type === "unmarked" ? null : row;
  } catch (error) {
    // The verbs report what is wrong with it.
    if (error instanceof UnfitLog) return "unfit";
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
  return error instanceof DatabaseFailure ? new Unreadable(advice(error.failure)) : error;
}

/** One line: what is wrong, what to do, and in brackets the failure's own words. */
export function advice({ code, message }: Failure): string {
  return `${meaningOf(code).advice} (${code}: ${message})`;
}
