/**
 * Reads the log for a command: one connection, and a short transaction for each statement.
 *
 * A transaction as long as the command would keep its lock on the table: `ALTER TABLE` waits for it, and every writer
 * waits behind `ALTER TABLE`. So there is no snapshot of the whole log. Reading page by page is exact all the same:
 *
 *   Our rows never change and are only appended. Their ids are drawn under the writers' lock, so they ascend in the order
 *   in which their transactions commit. If our newest visible row has the id N, all our rows up to N are committed, and
 *   every later statement sees them. `journalEnd` reads that bound first, and no page goes beyond it.
 *
 * The newest id of the table is not such a bound: our rows with lower ids may not be committed yet. Neither is a free
 * writers' lock: a standby does not show the locks of the primary, and ids may be given by hand.
 *
 * Retention may delete the oldest rows between two pages. Pages that go back then end earlier. A walk forward finds a gap
 * that is not in the log, and reads again (`restore/lasting.ts`, `fold-recorded.ts`).
 */
import type { Config } from "../config.ts";
import { parseJournalRow, type RawJournalRow, UnfitLog } from "../core/journal-row.ts";
import type { Failure } from "../events/fields.ts";
import { meaningOf } from "../events/meaning.ts";
import { Failed } from "../failed.ts";
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
/** At most this share of the timeout is spent on waiting for a lock. */
const LOCK_SHARE = 0.8;
/** How long one transaction waits for a lock. It may itself hold a lock for which another session waits. */
const LOCK_WAIT_MS = 500;
/** More damaged rows than this are a damaged table, index or disk. */
const MOST_UNREADABLE = 1_000;

/**
 * Reads the log over a connection of its own.
 * @param verb names the connection in `pg_stat_activity`.
 * @throws Failed when the database is unavailable, refuses, takes too long, or the log cannot be trusted.
 */
export async function readLog<T>(
  config: Config,
  verb: string,
  { timeoutMs, unreadable }: ReadOptions,
  read: (access: LogAccess) => Promise<T>,
): Promise<T> {
  try {
    const connection = await connect({
      database: config.database,
      applicationName: `damascus-metrics/${verb}`,
      connectTimeoutMs: timeoutMs,
      statementTimeoutMs: timeoutMs,
      lockTimeoutMs: Math.min(LOCK_WAIT_MS, Math.ceil(timeoutMs * LOCK_SHARE)),
    });
    try {
      const query = shortTransactions(connection, timeoutMs * LOCK_SHARE);
      const outbox = { ...namesIn(config.schema), query, unreadable: once(unreadable) };
      const columns = await readableColumns(outbox);
      const reader = journalReader(outbox, connection.readOut, config.merge, columns);
      const result = await read({ ...outbox, reader, columns });
      // Without a clean end, the server logs an unexpected end of each connection.
      await connection.end();
      return result;
    } finally {
      connection.destroy();
    }
  } catch (error) {
    throw asFailed(error);
  }
}

/** Each statement in its own transaction. It holds no lock between two attempts. */
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
      throw new Failed(
        3,
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
  for await (const page of pagesAfter(reader, start, upTo, () => READ_ROWS)) {
    yield page;
    progress?.(shareOf(page.end, start, upTo));
  }
}

/**
 * What is read of each page, in their order. The server looks up and reads the next page while the caller works on this one.
 */
export async function* readPages<T>(
  pages: AsyncGenerator<PageBounds>,
  read: (page: PageBounds) => Promise<T>,
): AsyncGenerator<T> {
  try {
    let page = await pages.next();
    let current: Promise<T> | null = null;
    while (page.done !== true) {
      const next = inItsTurn(read(page.value));
      const nextPage = inItsTurn(pages.next());
      if (current !== null) yield current;
      current = next;
      page = await nextPage;
    }
    if (current !== null) yield current;
  } finally {
    await pages.return(undefined);
  }
}

/** A failure is thrown when its turn comes. */
function inItsTurn<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

/** How far a walk from `start` to `end` has come at `place`, 0–1. */
export function shareOf(place: bigint, start: bigint, end: bigint): number {
  return end <= start ? 1 : Math.min(1, Number(place - start) / Number(end - start));
}

/**
 * Our newest row: up to here the journal is complete, now and for every later statement. Null if we have none.
 *
 * The search goes from the newest row of the outbox back, page by page. Of a set that commits meanwhile it may see some rows
 * and miss those with higher ids, with the orchestrator's rows between them. So it follows the set to its end.
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
    const set = setOf(raw);
    if (set !== null) return larger(damaged, await endOfSet(access, BigInt(raw.id), set));
  }
  return damaged;
}

/** The last row of the set of which one row has the id `place`. */
async function endOfSet(access: LogAccess, place: bigint, set: string): Promise<bigint> {
  let end = place;
  if (set === ALONE) return end;
  for await (const page of logPages(access, place, await access.reader.newest())) {
    for (const raw of await access.reader.journal(page.after, page.end)) {
      const next = setOf(raw);
      if (next === null) continue;
      if (next !== set) return end;
      end = BigInt(raw.id);
    }
  }
  return end;
}

function larger(a: bigint | null, b: bigint): bigint {
  return a !== null && a > b ? a : b;
}

const ALONE = "alone";

/** The event that identifies the set of one of our rows. Null for an unmarked row: it was written without the lock. */
function setOf(raw: RawJournalRow): string | null {
  try {
    const row = parseJournalRow(raw);
    if (row.type === "unmarked") return null;
    return row.type === "metric" ? row.merge.eventId : ALONE;
  } catch (error) {
    // The row is ours and unfit; the verbs report why.
    if (error instanceof UnfitLog) return ALONE;
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

/** The message says why the log cannot be read, and what to do. */
function asFailed(error: unknown): unknown {
  if (error instanceof UnfitLog) return new Failed(3, error.message);
  if (error instanceof UnfitDatabase) return new Failed(3, error.problems.join("\n"));
  return error instanceof DatabaseFailure ? new Failed(3, advice(error.failure)) : error;
}

/** One line: what is wrong, what to do, and in brackets the failure's own words. */
export function advice({ code, message }: Failure): string {
  return `${meaningOf(code).advice} (${code}: ${message})`;
}
