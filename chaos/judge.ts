/** The verdict over a run: the oracle's, and what the daemons hold in memory, what they told, and how they ended. */
import { isDeepStrictEqual } from "node:util";
import type pg from "pg";
import { readSnapshot } from "../demo/command.ts";
import type { Snapshot } from "../src/core/snapshot.ts";
import { comparable } from "../tests/support/daemon.ts";
import { naiveReadings, violations } from "../tests/support/oracle.ts";
import type { Instance } from "./instance.ts";
import type { Forgiven } from "./server-faults.ts";

/** What the log holds, counted by the database. */
export type Counted = {
  /** Work items with a transition to merged, and transitions of none. */
  readonly merges: number;
  readonly recorded: number;
  readonly skipped: number;
  readonly repeats: number;
  /** Recorded after a merge with a higher id. */
  readonly late: number;
  readonly waiting: number;
};

export async function count(admin: pg.Pool): Promise<Counted> {
  const { rows } = await admin.query<Counted>(
    `WITH transitions AS (
       SELECT coalesce(work_item_id::text, 'event ' || id) AS identity FROM events_outbox
        WHERE kind = 'phase.transition' AND payload->>'target' = 'merged'
     ), merges AS (SELECT DISTINCT identity FROM transitions),
     ours AS (
       SELECT kind, coalesce(payload->'merge'->>'work_item_id', 'event ' || (payload->'merge'->>'event_id')) AS identity,
              (payload->>'seq')::bigint AS seq, (payload->'merge'->>'event_id')::bigint AS event_id
         FROM events_outbox WHERE kind IN ('metric.first_pass_merge_rate', 'metric.merge_skipped')
     ), recorded AS (
       SELECT event_id, max(event_id) OVER (ORDER BY seq ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS highest
         FROM ours WHERE kind <> 'metric.merge_skipped'
     )
     SELECT (SELECT count(*) FROM merges)::int AS merges, (SELECT count(*) FROM recorded)::int AS recorded,
            (SELECT count(*) FROM ours WHERE kind = 'metric.merge_skipped')::int AS skipped,
            ((SELECT count(*) FROM transitions) - (SELECT count(*) FROM merges))::int AS repeats,
            (SELECT count(*) FROM recorded WHERE event_id < highest)::int AS late,
            (SELECT count(*) FROM merges m WHERE NOT EXISTS (SELECT FROM ours o WHERE o.identity = m.identity))::int AS waiting`,
  );
  return rows[0] as Counted;
}

/** Every instance is ready, nothing waits, and what one holds is what the other holds. */
export async function settled(admin: pg.Pool, instances: readonly Instance[]): Promise<boolean> {
  const [{ recorded, skipped, waiting }, ...memories] = await Promise.all([
    count(admin),
    ...instances.map((instance) => instance.memory()),
  ]);
  return (
    waiting === 0 &&
    memories.every((memory) => memory?.as_of.seq === recorded && memory.skipped.total === skipped)
  );
}

/** What each holds in memory, the command's snapshot, and the oracle's numbers must be one. */
export async function judgeMemories(
  admin: pg.Pool,
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
  if (!isDeepStrictEqual(readings, await naiveReadings(admin)))
    found.push("metrics snapshot --json is not what the recorded facts give");
  const expected = comparable(snapshot);
  for (const instance of instances) {
    const memory = await instance.memory();
    if (!isDeepStrictEqual(comparable(memory), expected))
      found.push(
        `${instance.name}'s memory differs from metrics snapshot --json: ${difference(memory, snapshot)}`,
      );
  }
  return found;
}

function difference(memory: Snapshot | null, snapshot: Snapshot): string {
  if (memory === null) return "it has none";
  const other = memory.metrics.find((one, index) => !isDeepStrictEqual(one, snapshot.metrics[index]));
  return JSON.stringify([memory.as_of, snapshot.as_of, memory.skipped, snapshot.skipped, other]).slice(
    0,
    1_000,
  );
}

/** By what the daemons told: they ended when they were asked to, and nobody recorded what another one had. */
export function judgeLines(instances: readonly Instance[], forgiven: Forgiven): string[] {
  const found = instances.flatMap(({ complaints }) => complaints);
  const tellers = new Map<string, string>();
  for (const { name, processes } of instances) {
    for (const { lines } of processes) {
      for (const line of lines) {
        if (line.event !== "merge.recorded") continue;
        const merge = `${String(line["event_id"])}|${String(line["work_item_id"])}`;
        const other = tellers.get(merge);
        if (other !== undefined && !forgiven.has(merge))
          found.push(`told twice: ${merge} was recorded by ${other} and by ${name}`);
        tellers.set(merge, name);
      }
    }
  }
  return found;
}

export function judgeLog(admin: pg.Pool, unfinished: boolean): Promise<string[]> {
  return violations(admin, { unfinished });
}

/** How many of the violations are of each sort; one line may stand for several. */
export function tally(found: readonly string[]): { missing: number; repeated: number; wrong: number } {
  const sum = { missing: 0, repeated: 0, wrong: 0 };
  for (const line of found) {
    const sort = /not recorded/.test(line)
      ? "missing"
      : /recorded again|repeated|told twice/.test(line)
        ? "repeated"
        : "wrong";
    sum[sort] += Number(/: and (\d+) more$/.exec(line)?.[1] ?? 1);
  }
  return sum;
}
