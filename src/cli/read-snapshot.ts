/** The snapshot from the log alone: the daemon's fold up to our newest row, and the merges that are due. */
import type { Config } from "../config.ts";
import type { Analyzer } from "../core/analyzer.ts";
import { BEFORE_ALL } from "../core/event-id.ts";
import { mergeIdentity } from "../core/merge.ts";
import { type Snapshot, snapshotOf } from "../core/snapshot.ts";
import type { FoundMerge } from "../outbox/outbox-log.ts";
import type { Query } from "../postgres/connection.ts";
import { DAEMON_NAME } from "../postgres/lock-holders.ts";
import { literal } from "../postgres/names.ts";
import { readerAt } from "../postgres/reader-at.ts";
import { DueMerges } from "../restore/due-merges.ts";
import { lasting } from "../restore/lasting.ts";
import { CHECKED, restore } from "../restore/restore.ts";
import type { Known } from "../restore/restored.ts";
import { journalEnd, type LogAccess, logPages, now, type ReadOptions, readLog } from "./read-log.ts";
import { recordedAt } from "./recorded-at.ts";

const SILENT = { checked: CHECKED.toServe, passed: () => undefined, unusable: () => undefined };

export type SnapshotOptions = ReadOptions & {
  /** The values just after this event was recorded; left out for the newest. */
  readonly at?: bigint | undefined;
};

/** @throws Failed */
export function readSnapshot(config: Config, options: SnapshotOptions): Promise<Snapshot> {
  return readLog(config, "snapshot", options, async (access) => {
    const { snapshot } = await lookAt(access, config, options.at);
    return snapshot;
  });
}

/** The snapshot, the memory that it describes, and our row up to which that was read. */
type Looked = { readonly snapshot: Snapshot; readonly analyzer: Analyzer; readonly end: bigint | null };

/** Reads again if a contradiction may come from rows that retention has just deleted. */
export function lookAt(access: LogAccess, config: Config, at?: bigint): Promise<Looked> {
  return lasting(async () => {
    const restored = (upTo: bigint | null) => {
      const place = upTo ?? BEFORE_ALL;
      return restore({ log: readerAt(access, place), metrics: config.metrics, newest: place, ...SILENT });
    };
    const end = at === undefined ? await journalEnd(access) : await recordedAt(access, config, at);
    const { walk, known } = await restored(end);
    // The lag is today's even if the values are older.
    const today = at === undefined ? known : (await restored(await journalEnd(access))).known;
    const due = await readDue(access, today);
    const { analyzer } = walk;
    return {
      snapshot: snapshotOf(analyzer, { ...(await surroundings(access.query)), ...due }),
      analyzer,
      end,
    };
  });
}

/** The merges that are due, and how many of them the table refused before the newest checkpoint was written. */
async function readDue(
  access: LogAccess,
  known: Known,
): Promise<{ readonly lag: Snapshot["lag"]; readonly refused: number }> {
  const { reader } = access;
  const recorded = new DueMerges(reader, known);
  const due = new Set<string>();
  let oldestMs: number | null = null;
  const count = async (found: readonly FoundMerge[]): Promise<number> => {
    const merges = (await recorded.classify(found)).due;
    for (const merge of merges) {
      due.add(mergeIdentity(merge));
      if (merge.ageMs !== null) oldestMs = Math.max(oldestMs ?? 0, merge.ageMs);
    }
    return merges.length;
  };
  const newest = await reader.newest();
  const { low, unrecorded } = recorded.coverage;
  for await (const { after, end } of logPages(access, low, newest))
    await count(await reader.merges(after, end));
  let refused = 0;
  for (const event of unrecorded) refused += await count(await reader.merges(event - 1n, event));
  const seconds = oldestMs === null ? null : Math.round(oldestMs / 100) / 10;
  return { lag: { merges: due.size, seconds }, refused };
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
