/** The snapshot from the log alone: one connection, one repeatable-read snapshot, the same fold as the daemon's. */
import type { Config } from "../config.ts";
import { Analyzer } from "../core/analyzer.ts";
import { parseJournalRow, UnfitLog } from "../core/journal-row.ts";
import { mergeIdentity } from "../core/merge.ts";
import { journalNeeds, Replay } from "../core/replay.ts";
import { type Snapshot, snapshotOf } from "../core/snapshot.ts";
import { DatabaseFailure, UnfitDatabase } from "../outbox-log.ts";
import { applicationName, DAEMON_NAME } from "../postgres/application-name.ts";
import { begin, connect, type Query } from "../postgres/connection.ts";
import { journal, newestJournal } from "../postgres/journal.ts";
import { mergeSource } from "../postgres/merge-source.ts";
import { literal, namesIn } from "../postgres/names.ts";
import { outboxColumns } from "../postgres/preflight.ts";
import { look } from "../postgres/settled.ts";
import { PAGE_ROWS, TAIL_ROWS } from "../recorder.ts";

/** The database cannot be read: the message says why and what to do. */
export class Unreadable extends Error {
  readonly exitCode = 3;

  constructor(message: string) {
    super(message);
    this.name = "Unreadable";
  }
}

/** @throws Unreadable when the database is away, refuses, takes too long, or the log cannot be trusted. */
export async function readSnapshot(
  config: Config,
  options: { readonly timeoutMs: number },
): Promise<Snapshot> {
  const settings = {
    database: config.database,
    applicationName: applicationName("snapshot"),
    connectTimeoutMs: options.timeoutMs,
    statementTimeoutMs: options.timeoutMs,
    lockTimeoutMs: options.timeoutMs,
  };
  try {
    const connection = await connect(settings);
    try {
      await connection.run(begin(settings, "ISOLATION LEVEL REPEATABLE READ READ ONLY"));
      return await read(connection.run, config);
    } finally {
      connection.destroy();
    }
  } catch (error) {
    throw unreadable(error);
  }
}

async function read(query: Query, config: Config): Promise<Snapshot> {
  const names = namesIn(config.schema);
  const columns = await outboxColumns(query, names);
  const source = mergeSource(query, names, config.merge, columns);
  const { newest } = await look(query, names, null);
  const tail = await newestJournal(query, names, TAIL_ROWS);
  const replay = new Replay(new Analyzer(config.metrics, journalNeeds(tail)));
  for (let after = 0n; after < newest; ) {
    const end = await source.pageEnd(after, newest, PAGE_ROWS);
    for (const row of await journal(query, names, after, end)) replay.accept(parseJournalRow(row));
    after = end;
  }
  replay.end();
  const due = new Map<string, number | null>();
  for (let after = replay.floor; after < newest; ) {
    const end = await source.pageEnd(after, newest, PAGE_ROWS);
    for (const merge of await source.merges(after, end)) {
      const identity = mergeIdentity(merge);
      if (merge.recordedAs === null && !due.has(identity)) due.set(identity, merge.ageMs);
    }
    after = end;
  }
  const ages = [...due.values()].filter((age) => age !== null);
  return snapshotOf(replay.analyzer, {
    ...(await surroundings(query)),
    lag: { merges: due.size, seconds: ages.length === 0 ? null : Math.round(Math.max(...ages) / 100) / 10 },
  });
}

async function surroundings(query: Query): Promise<{ generatedAt: string; running: number }> {
  const { rows } = await query(
    `SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS now,
            count(DISTINCT application_name)::text AS running
       FROM pg_stat_activity
      WHERE datname = current_database() AND starts_with(application_name, ${literal(DAEMON_NAME)})`,
  );
  return { generatedAt: rows[0]?.["now"] ?? "", running: Number(rows[0]?.["running"] ?? 0) };
}

function unreadable(error: unknown): unknown {
  if (error instanceof UnfitLog) return new Unreadable(error.message);
  if (error instanceof UnfitDatabase) return new Unreadable(error.problems.join("\n"));
  if (!(error instanceof DatabaseFailure)) return error;
  const { code, message } = error.failure;
  return new Unreadable(`${adviceFor(code)} (${code}: ${message})`);
}

function adviceFor(code: string): string {
  if (/^(ECONN|ENOTFOUND|EAI_|EHOST|ENET|ETIMEDOUT|CONNECTION|08|57P)/.test(code))
    return "the database cannot be reached: check that it is running and that DATABASE_URL is right";
  if (code.startsWith("28")) return "the database refused the login: check the user and the password";
  if (code === "3D000") return "the database does not exist: check the name in DATABASE_URL";
  if (code === "57014") return "the database did not answer in time: try a longer --timeout";
  if (code.startsWith("42"))
    return "the log cannot be read: check METRICS_SCHEMA and the grants (config/grants.sql)";
  return "the database failed: see its message";
}
