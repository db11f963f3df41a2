/** The snapshot from the log alone: one connection, one repeatable-read snapshot, the same fold as the daemon's. */
import type { Config } from "../config.ts";
import { mergeIdentity } from "../core/merge.ts";
import { type Snapshot, snapshotOf } from "../core/snapshot.ts";
import { DAEMON_NAME } from "../postgres/application-name.ts";
import type { Query } from "../postgres/connection.ts";
import { literal } from "../postgres/names.ts";
import { PAGE_ROWS, restore } from "../restore.ts";
import { type LogAccess, now, readLog } from "./read-log.ts";

export const SILENT = { passed: () => undefined, passedOver: () => undefined };

/** @throws Unreadable when the database is away, refuses, takes too long, or the log cannot be trusted. */
export function readSnapshot(config: Config, options: { readonly timeoutMs: number }): Promise<Snapshot> {
  return readLog(config, "snapshot", options.timeoutMs, (access) => read(access, config));
}

async function read({ reader, query }: LogAccess, config: Config): Promise<Snapshot> {
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
    `SELECT count(DISTINCT application_name)::text AS running
       FROM pg_stat_activity
      WHERE datname = current_database() AND starts_with(application_name, ${literal(DAEMON_NAME)})`,
  );
  return { generatedAt: await now(query), running: Number(rows[0]?.["running"] ?? 0) };
}
