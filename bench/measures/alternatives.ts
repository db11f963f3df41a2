/** P7: the same numbers by other means, recomputed by SQL at every merge. */
import { isDeepStrictEqual } from "node:util";
import type pg from "pg";
import { type Snapshot, snapshotOf } from "../../src/core/snapshot.ts";
import { interleave, sampleOf, timed } from "../figures.ts";
import { merge } from "../merges.ts";
import { record } from "../product.ts";
import type { SizedRun } from "../run.ts";
import { connected } from "../server.ts";

/** Every reading of every project and of all of them, from the transitions and the work items, as one would write it. */
const READINGS = `
  WITH merges AS (
    SELECT e.id, w.project, w.attempts, w.last_verdict IS NOT DISTINCT FROM 'rebase_conflict' AS conflicted
      FROM events_outbox e JOIN work_items w ON w.id = e.work_item_id
     WHERE e.kind = 'phase.transition' AND e.payload->>'target' = 'merged'
  ), scoped AS (
    SELECT NULL AS project, id, attempts, conflicted FROM merges UNION ALL SELECT project, id, attempts, conflicted FROM merges
  ), aged AS (
    SELECT *, row_number() OVER (PARTITION BY project ORDER BY id DESC) AS age FROM scoped
  )
  SELECT project,
         count(*) FILTER (WHERE age <= 50)::int AS n50,
         count(*) FILTER (WHERE age <= 50 AND attempts = 1)::int AS first_pass,
         count(*)::int AS n100,
         count(*) FILTER (WHERE conflicted)::int AS conflicts,
         percentile_disc(0.95) WITHIN GROUP (ORDER BY attempts) AS p95
    FROM aged WHERE age <= 100
   GROUP BY project`;
const VIEW = "bench_readings";
/** From here on the goal holds. */
const LARGE = 100_000;
const MERGES_EACH = 40;

type Reading = {
  readonly project: string | null;
  readonly n50: number;
  readonly first_pass: number;
  readonly n100: number;
  readonly conflicts: number;
  readonly p95: number;
};

export async function alternatives(run: SizedRun): Promise<void> {
  const { database, find } = run;
  const { owner } = database;
  const orchestrator = await connected(database.ownerUrl);
  try {
    await owner.query("SET jit = off");
    await owner.query(`CREATE MATERIALIZED VIEW ${VIEW} AS ${READINGS}`);
    await using recording = await record(database.daemonUrl);
    await recording.poll();
    const work: number[] = [];
    const ms = await interleave(Math.min(run.repeat, 5), {
      product: async () => {
        for (let count = 0; count < MERGES_EACH; count += 1) {
          await merge(orchestrator);
          work.push(
            await timed(async () => {
              if ((await recording.poll()) !== 1) throw new Error("the merge was not recorded");
            }),
          );
        }
        run.recorded += MERGES_EACH;
        return work.at(-1) ?? Number.NaN;
      },
      windows: () => timed(() => owner.query(READINGS)),
      view: () => timed(() => owner.query(`REFRESH MATERIALIZED VIEW ${VIEW}`)),
    });
    await owner.query(`REFRESH MATERIALIZED VIEW ${VIEW}`);
    const snapshot = snapshotOf(recording.recorder.projection.analyzer, {
      generatedAt: "",
      running: 0,
      lag: { merges: 0, seconds: null },
    });
    await compare(owner, READINGS, snapshot);
    await compare(owner, `SELECT * FROM ${VIEW}`, snapshot);
    await owner.query(`DROP MATERIALIZED VIEW ${VIEW}`);

    const product = sampleOf(work);
    for (const [what, times] of [
      ["all readings anew by SQL with windows, for each merge", ms.windows],
      ["a materialized view refreshed for each merge", ms.view],
    ] as const) {
      find({
        id: "P7",
        what,
        unit: "ms",
        value: sampleOf(times),
        floor: { what: "the daemon's whole work", sample: product },
        goal:
          run.merges >= LARGE && times === ms.windows ? { of: "ratio", is: "at least", bound: 500 } : null,
      });
    }
  } finally {
    await orchestrator.end();
  }
}

async function compare(owner: pg.Client, query: string, snapshot: Snapshot): Promise<void> {
  const { rows } = await owner.query<Reading>(query);
  const bySql = new Map<string, unknown>();
  for (const row of rows) {
    const scope = row.project ?? "";
    bySql.set(`${scope} first_pass_merge_rate`, row.n50 < 50 ? null : row.first_pass / 50);
    bySql.set(`${scope} rebase_conflict_rate`, row.n100 < 100 ? null : row.conflicts / 100);
    bySql.set(`${scope} p95_attempts_to_merge`, row.n100 < 100 ? null : row.p95);
  }
  const ours = new Map<string, unknown>(
    snapshot.metrics.map(({ metric, project, value }) => [`${project ?? ""} ${metric}`, value]),
  );
  if (!isDeepStrictEqual(bySql, ours)) throw new Error("the daemon and SQL do not give the same readings");
}
