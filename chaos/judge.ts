/** The verdict over a run: the oracle's, and what the daemons hold in memory, what they told, and how they ended. */
import { isDeepStrictEqual } from "node:util";
import type pg from "pg";
import { readSnapshot } from "../demo/command.ts";
import type { Snapshot } from "../src/core/snapshot.ts";
import { comparable } from "../tests/support/daemon.ts";
import { naiveReadings, violations } from "../tests/support/oracle.ts";
import { checkLedger, REPLACED, REPLACED_WITHOUT_CHECKPOINT } from "./checks.ts";
import type { Instance } from "./instance.ts";
import type { Forgiven } from "./server-faults.ts";
import type { Variant } from "./variant.ts";
import type { Wait, Waits } from "./waits.ts";

/** What there ever was, counted by the database. */
export type Counted = {
  /** Work items with a transition to merged, and transitions of none. */
  readonly merges: number;
  readonly recorded: number;
  readonly skipped: number;
  readonly duplicates: number;
  /** Recorded after a merge with a higher id. */
  readonly late: number;
  readonly waiting: number;
  /** Merges of deleted work items: the foreign key refuses their records. */
  readonly refused: number;
  /** Rows that retention took. */
  readonly pruned: number;
  readonly presumed: number;
  readonly newestSeq: number;
};

/** @param ledger connections that see the ledger. */
export async function count(ledger: pg.Pool, { foreignKey }: Variant): Promise<Counted> {
  const { rows } = await ledger.query<Counted>(
    `WITH recorded AS (
       SELECT id, seq, event_id::bigint, max(event_id::bigint) OVER (ORDER BY seq, id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS highest
         FROM chaos.records WHERE kind <> 'metric.merge_skipped'
     ), unrecorded AS (SELECT DISTINCT identity, deleted AND $1 AS refused FROM chaos.unrecorded)
     SELECT (SELECT count(DISTINCT identity) FROM chaos.merges)::int AS merges, (SELECT count(*) FROM recorded)::int AS recorded,
            (SELECT count(*) FROM chaos.records WHERE kind = 'metric.merge_skipped')::int AS skipped,
            (SELECT count(*) - count(DISTINCT identity) FROM chaos.merges)::int AS duplicates,
            (SELECT count(*) FROM recorded WHERE event_id < highest)::int AS late,
            (SELECT count(*) FROM unrecorded WHERE NOT refused)::int AS waiting,
            (SELECT count(*) FROM unrecorded WHERE refused)::int AS refused,
            (SELECT count(*) FROM chaos.pruned)::int AS pruned, (SELECT count(*) FROM chaos.presumed)::int AS presumed,
            coalesce((SELECT seq FROM recorded ORDER BY id DESC LIMIT 1), 0)::int AS "newestSeq"`,
    [foreignKey === "not-valid"],
  );
  return rows[0] as Counted;
}

/** What keeps a run from its end: merges that wait, instances that are not ready or hold something else. Empty where nothing does. */
export async function unsettled(
  ledger: pg.Pool,
  instances: readonly Instance[],
  variant: Variant,
): Promise<string[]> {
  const [{ newestSeq, skipped, waiting }, ...memories] = await Promise.all([
    count(ledger, variant),
    ...instances.map((instance) => instance.memory()),
  ]);
  const found = waiting === 0 ? [] : [`${waiting} merges wait`];
  memories.forEach((memory, index) => {
    const name = instances[index]?.name;
    if (memory === null) found.push(`${name} is not ready: ${instances[index]?.lastWords}`);
    else if (memory.as_of.seq !== newestSeq)
      found.push(`${name} is at seq ${memory.as_of.seq} of ${newestSeq}`);
    else if (variant.checkpoints !== "lost" && memory.skipped.total !== skipped)
      found.push(`${name} knows ${memory.skipped.total} of ${skipped} skipped merges`);
  });
  return found;
}

/** What each holds in memory, the command's snapshot, and the oracle's numbers must be one. */
export async function judgeMemories(
  ledger: pg.Pool,
  daemonUrl: string,
  instances: readonly Instance[],
): Promise<string[]> {
  const found: string[] = [];
  const snapshot = await readSnapshot(daemonUrl, AbortSignal.timeout(30_000));
  const readings = snapshot.metrics.map(({ metric, project, value, numerator, n }) => ({
    metric,
    project,
    value,
    numerator,
    n,
  }));
  if (!isDeepStrictEqual(readings, await naiveReadings(ledger)))
    found.push("metrics snapshot --json is not what the recorded facts give");
  const expected = comparable(snapshot);
  for (const instance of instances) {
    const memory = await instance.memory();
    if (memory === null)
      found.push(`${instance.name} is not ready at ${new Date().toISOString()}: ${instance.lastWords}`);
    else if (!isDeepStrictEqual(comparable(memory), expected))
      found.push(
        `${instance.name}'s memory differs from metrics snapshot --json: ${difference(memory, snapshot)}`,
      );
  }
  return found;
}

function difference(memory: Snapshot, snapshot: Snapshot): string {
  const other = memory.metrics.find((one, index) => !isDeepStrictEqual(one, snapshot.metrics[index]));
  return JSON.stringify([memory.as_of, snapshot.as_of, memory.skipped, snapshot.skipped, other]).slice(
    0,
    1_000,
  );
}

/** Judges the daemons' logs: each ended when it was asked to, and no merge was recorded by two of them. */
export function judgeLines(
  instances: readonly Instance[],
  forgiven: Forgiven,
  { checkpoints }: Variant,
): string[] {
  const found = instances.flatMap(({ complaints }) => complaints);
  const tellers = new Map<string, string>();
  for (const { name, lines } of instances) {
    for (const line of lines) {
      if (line.event === "db.unfit") found.push(`false alarm: ${name} reports ${JSON.stringify(line)}`);
      if (checkpoints === "lost") continue;
      if (line.event === "history.truncated" || line.event === "merge.presumed_recorded")
        found.push(`${name} forgot what a checkpoint knows: ${JSON.stringify(line)}`);
      if (line.event !== "merge.recorded") continue;
      const merge = `${String(line["event_id"])}|${String(line["work_item_id"])}`;
      const other = tellers.get(merge);
      if (other !== undefined && !forgiven.has(merge))
        found.push(`told twice: ${merge} was recorded by ${other} and by ${name}`);
      tellers.set(merge, name);
    }
  }
  return found;
}

/** Of every merge and row there ever was, whether the log still holds it or not. */
export async function judgeLedger(
  ledger: pg.Pool,
  instances: readonly Instance[],
  variant: Variant,
  unfinished: boolean,
): Promise<string[]> {
  const without = variant.checkpoints === "lost" ? REPLACED_WITHOUT_CHECKPOINT : REPLACED;
  return [
    ...(await checkLedger(ledger, variant, eventsOf(instances, "merge.refused"), unfinished)),
    ...(await violations(ledger, { unfinished, without })),
  ];
}

/** The merges of which daemons reported this event. */
export function eventsOf(instances: readonly Instance[], event: string): string[] {
  return instances.flatMap(({ lines }) =>
    lines.filter((line) => line.event === event).map((line) => String(line["event_id"])),
  );
}

/** Longer than our inserts wait for anybody. */
const MAY_BLOCK_MS = 300;

/** The orchestrator waits for us at most as long as an insert of ours does, and is never the victim. */
export function judgeWaits(waits: Waits, deadlocks: readonly string[], { foreignKey }: Variant): string[] {
  // Without a foreign key there is no lock that we have in common.
  const most = foreignKey === "none" ? 0 : MAY_BLOCK_MS;
  return [
    ...waits.orchestrators
      .filter(({ ms }) => ms > most)
      .map(({ ms, query, blocker }) => `blocked for ${Math.round(ms)} ms: ${query}; by ${blocker}`),
    ...deadlocks.map(
      (detail) =>
        `aborted by a deadlock${waits.concernsUs(detail) ? " with us" : ", not with us"}: ${detail}`,
    ),
  ];
}

export function longest(waits: readonly Wait[]): number {
  return Math.round(Math.max(0, ...waits.map(({ ms }) => ms)));
}

/** By the first that fits. */
const SORTS = {
  blocked: /^blocked for/,
  aborted: /^aborted by/,
  "false alarms": /^false alarm/,
  missing: /not recorded/,
  repeated: /recorded again|repeated|told twice/,
  wrong: /./,
};
const SHOWN = ["missing", "repeated", "wrong", "blocked", "aborted", "false alarms"] as const;
export type Sort = keyof typeof SORTS;

export function sortOf(violation: string): Sort {
  const [sort] = Object.entries(SORTS).find(([, pattern]) => pattern.test(violation)) ?? ["wrong"];
  return sort as Sort;
}

/** How many of the violations are of each sort; one line may stand for several. */
export function tally(found: readonly string[]): Readonly<Record<Sort, number>> {
  const sum = Object.fromEntries(SHOWN.map((sort) => [sort, 0])) as Record<Sort, number>;
  for (const line of found) {
    sum[sortOf(line)] += Number(/: and (\d+) more$/.exec(line)?.[1] ?? 1);
  }
  return sum;
}
