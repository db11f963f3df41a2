/** The snapshot from the log alone: one connection, one repeatable-read snapshot, the same fold as the daemon's. */
import type { Config } from "../config.ts";
import type { Analyzer } from "../core/analyzer.ts";
import { BEFORE_ALL } from "../core/event-id.ts";
import { mergeIdentity } from "../core/merge.ts";
import { type Snapshot, snapshotOf } from "../core/snapshot.ts";
import { PAGE_ROWS } from "../outbox-log.ts";
import { DAEMON_NAME } from "../postgres/application-name.ts";
import type { Query } from "../postgres/connection.ts";
import { literal } from "../postgres/names.ts";
import { readerAt } from "../postgres/reader-at.ts";
import { RecordedMerges } from "../restore/recorded.ts";
import { restore } from "../restore/restore.ts";
import { type LogAccess, now, readLog } from "./read-log.ts";
import { recordedAt } from "./recorded-at.ts";

const SILENT = { passed: () => undefined, passedOver: () => undefined };

export type SnapshotRequest = {
  readonly timeoutMs: number;
  /** The values just after this event was recorded; left out for the newest. */
  readonly at?: bigint | undefined;
};

/**
 * @throws Unreadable when the database is away, refuses, takes too long, or the log cannot be trusted.
 * @throws Error with exit code 1 when there is no record of the event that was asked for.
 */
export function readSnapshot(config: Config, request: SnapshotRequest): Promise<Snapshot> {
  return readLog(config, "snapshot", request.timeoutMs, (access) => read(access, config, request));
}

async function read(access: LogAccess, config: Config, request: SnapshotRequest): Promise<Snapshot> {
  return (await lookAt(access, config, request)).snapshot;
}

/** The snapshot, and the memory that it describes. */
export async function lookAt(
  access: LogAccess,
  config: Config,
  { at }: Pick<SnapshotRequest, "at">,
): Promise<{ readonly snapshot: Snapshot; readonly analyzer: Analyzer; readonly newest: bigint }> {
  const { reader, query, names } = access;
  const newest = await reader.newest();
  const upTo = at === undefined ? newest : await recordedAt(access, config, at);
  const source = at === undefined ? reader : readerAt(reader, query, names, upTo);
  const { replay, known } = await restore(source, config.metrics, upTo, SILENT);
  const recorded = new RecordedMerges(
    reader,
    at === undefined ? known : (await restore(reader, config.metrics, newest, SILENT)).known,
  );
  const due = new Map<string, number | null>();
  const low = recorded.coverage.low;
  for (let after = low === BEFORE_ALL ? ((await reader.oldest()) ?? newest) - 1n : low; after < newest; ) {
    const end = await reader.pageEnd(after, newest, PAGE_ROWS);
    for (const merge of (await recorded.classify(await reader.merges(after, end))).due)
      if (!due.has(mergeIdentity(merge))) due.set(mergeIdentity(merge), merge.ageMs);
    after = end;
  }
  for (const event of recorded.coverage.unrecorded)
    for (const merge of (await recorded.classify(await reader.merges(event - 1n, event))).due)
      due.set(mergeIdentity(merge), merge.ageMs);
  const ages = [...due.values()].filter((age) => age !== null);
  const snapshot = snapshotOf(replay.analyzer, {
    ...(await surroundings(query)),
    lag: { merges: due.size, seconds: ages.length === 0 ? null : Math.round(Math.max(...ages) / 100) / 10 },
  });
  return { snapshot, analyzer: replay.analyzer, newest };
}

async function surroundings(query: Query): Promise<{ generatedAt: string; running: number }> {
  const { rows } = await query(
    `SELECT count(DISTINCT application_name)::text AS running
       FROM pg_stat_activity
      WHERE datname = current_database() AND starts_with(application_name, ${literal(DAEMON_NAME)})`,
  );
  return { generatedAt: await now(query), running: Number(rows[0]?.["running"] ?? 0) };
}
