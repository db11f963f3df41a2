/** The snapshot from the log alone: one connection, and the same fold as the daemon's up to the newest row of ours. */
import type { Config } from "../config.ts";
import type { Analyzer } from "../core/analyzer.ts";
import { BEFORE_ALL } from "../core/event-id.ts";
import { type Snapshot, snapshotOf } from "../core/snapshot.ts";
import { DAEMON_NAME } from "../postgres/application-name.ts";
import type { Query } from "../postgres/connection.ts";
import { literal } from "../postgres/names.ts";
import { readerAt } from "../postgres/reader-at.ts";
import { lasting } from "../recorder/lasting.ts";
import { restore } from "../restore/restore.ts";
import { readLag } from "./read-lag.ts";
import { journalEnd, type LogAccess, now, type ReadOptions, readLog } from "./read-log.ts";
import { recordedAt } from "./recorded-at.ts";

const SILENT = { passed: () => undefined, unusable: () => undefined };

export type SnapshotRequest = ReadOptions & {
  /** The values just after this event was recorded; left out for the newest. */
  readonly at?: bigint | undefined;
};

/** The snapshot, the memory that it describes, and the row of ours up to which that was read. */
type Looked = { readonly snapshot: Snapshot; readonly analyzer: Analyzer; readonly end: bigint | null };

/**
 * @throws Unreadable when the database is away, refuses, takes too long, or the log cannot be trusted.
 * @throws Error with exit code 1 when there is no record of the event that was asked for.
 */
export function readSnapshot(config: Config, request: SnapshotRequest): Promise<Snapshot> {
  return readLog(
    config,
    "snapshot",
    request,
    async (access) => (await lookAt(access, config, request)).snapshot,
  );
}

/** Looks again where rows that retention deleted meanwhile seem to be a contradiction. */
export function lookAt(
  access: LogAccess,
  config: Config,
  request: Pick<SnapshotRequest, "at">,
): Promise<Looked> {
  return lasting(() => look(access, config, request));
}

async function look(access: LogAccess, config: Config, { at }: Pick<SnapshotRequest, "at">): Promise<Looked> {
  const { query } = access;
  const end = at === undefined ? await journalEnd(access) : await recordedAt(access, config, at);
  // Where nothing of ours is left, there is nothing to restore.
  const restored = async (upTo: bigint | null) => {
    const place = upTo ?? BEFORE_ALL;
    return restore(readerAt(access, place), config.metrics, place, SILENT);
  };
  const { walk, known } = await restored(end);
  // What is due is due now, also where the values are older.
  const due = await readLag(
    access,
    at === undefined ? known : (await restored(await journalEnd(access))).known,
  );
  const { analyzer } = walk;
  return { snapshot: snapshotOf(analyzer, { ...(await surroundings(query)), ...due }), analyzer, end };
}

/** The server's clock, and how many daemons are connected. */
export async function surroundings(query: Query): Promise<{ generatedAt: string; running: number }> {
  const { rows } = await query(
    `SELECT count(DISTINCT application_name)::text AS running
       FROM pg_stat_activity
      WHERE datname = current_database() AND starts_with(application_name, ${literal(DAEMON_NAME)})`,
  );
  return { generatedAt: await now(query), running: Number(rows[0]?.["running"] ?? 0) };
}
