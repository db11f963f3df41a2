/** The snapshot from the log alone: one connection, one repeatable-read snapshot, the same fold as the daemon's. */
import type { Config } from "../config.ts";
import { UnfitLog } from "../core/journal-row.ts";
import { mergeIdentity } from "../core/merge.ts";
import { type Snapshot, snapshotOf } from "../core/snapshot.ts";
import { DatabaseFailure, UnfitDatabase } from "../outbox-log.ts";
import { applicationName, DAEMON_NAME } from "../postgres/application-name.ts";
import { begin, connect, inSavepoint, type Query } from "../postgres/connection.ts";
import { literal, namesIn } from "../postgres/names.ts";
import { readableColumns } from "../postgres/preflight.ts";
import { journalReader } from "../postgres/reader.ts";
import { PAGE_ROWS, restore } from "../restore.ts";

const SILENT = { passed: () => undefined, passedOver: () => undefined };

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
  const columns = await readableColumns(query, names);
  const reader = journalReader(columns.payload === "json" ? inSavepoint(query) : query, config, columns);
  const { newest } = await reader.look(null);
  const { replay, lowMark } = await restore(reader, config.metrics, newest, SILENT);
  const due = new Map<string, number | null>();
  for (let after = lowMark; after < newest; ) {
    const end = await reader.pageEnd(after, newest, PAGE_ROWS);
    for (const merge of await reader.merges(after, end)) {
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
