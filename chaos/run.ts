/** The chaos run: a safety phase under faults, a liveness phase without them, and a verdict. */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { afterUs } from "../demo/after-us.ts";
import { type Database, startDatabase } from "../demo/database.ts";
import { mulberry32 } from "../demo/random.ts";
import { patchedTree } from "../tests/support/mutant.ts";
import { until } from "../tests/support/until.ts";
import { Instance } from "./instance.ts";
import { type Counted, count, judgeLines, judgeLog, judgeMemories, settled } from "./judge.ts";
import { Load, ORCHESTRATOR } from "./load.ts";
import type { Options } from "./options.ts";
import { type Fault, planFaults } from "./plan.ts";
import { type Forgiven, strikeServer } from "./server-faults.ts";

export type Result = {
  readonly faults: ReadonlyMap<Fault["kind"], number>;
  readonly counted: Counted;
  /** COMMITs whose outcome was not known, by how they were resolved. */
  readonly unknownCommits: { readonly committed: number; readonly aborted: number };
  readonly processes: number;
  /** From the last fault to every merge recorded and every daemon ready; null where it did not come to that. */
  readonly convergedMs: number | null;
  readonly violations: readonly string[];
};

const DAEMONS = 3;
/** Merges without faults at the end: what a scan misses now, no restore's comparison finds. */
const CALM_MS = 3_000;
const CONVERGES_WITHIN_MS = 30_000;
/** What does not come to pass at all need not be waited for that long. */
const MUTANT_CONVERGES_WITHIN_MS = 15_000;
const READY_WITHIN_MS = 30_000;
const WATCHED_EVERY_MS = 300;
/** With a mutant: how often the log is judged meanwhile, as one violation is enough. */
const JUDGED_EVERY_MS = 2_000;
const SERVER = {
  binDir: process.env["TEST_PG_BIN"] || undefined,
  settings: { max_prepared_transactions: 20, fsync: false, autovacuum_naptime: 1 },
};

export async function run({ seconds, seed, mutant }: Options): Promise<Result> {
  await using resources = new AsyncDisposableStack();
  const tree = mutant === null ? undefined : resources.use(await patchedTree(mutant.patches));
  const folder = mkdtempSync(join(tmpdir(), "damascus-chaos-"));
  // However this ends; the server goes first.
  afterUs('read -r _; sleep 1; rm -rf -- "$0"', folder);
  const database = resources.use(await startDatabase(folder, SERVER));
  const admin = new pg.Pool({ connectionString: database.ownerUrl, max: 4 });
  admin.on("error", () => undefined);
  // The server goes away while it is asked, too.
  admin.on("connect", (client) => client.on("error", () => undefined));
  resources.defer(() => admin.end());

  const instances: Instance[] = [];
  for (let number = 1; number <= DAEMONS; number += 1) {
    instances.push(
      resources.use(await Instance.start(`daemon ${number}`, database.daemonUrl, tree?.path("main.ts"))),
    );
  }
  for (const instance of instances)
    await until(`${instance.name} is ready`, () => instance.memory(), READY_WITHIN_MS);

  const forgiven: Forgiven = new Set();
  const found: string[] = [];
  const enough = new AbortController();
  const load = new Load(database.ownerUrl, seed);
  const watching = watch(admin, enough.signal, found);
  const judging = mutant === null ? null : judgeMeanwhile(admin, instances, forgiven, enough, found);
  const faults = await strike(database, instances, { seconds, seed, forgiven, enough: enough.signal });
  const stoppedEarly = enough.signal.aborted;
  for (const instance of instances) instance.calm();
  if (!stoppedEarly) await delay(CALM_MS);
  enough.abort();
  await watching;
  await judging;
  await load.stop();

  const convergedMs = stoppedEarly ? null : await converge(admin, instances, found, mutant === null);
  if (convergedMs !== null) found.push(...(await judgeMemories(admin, database.daemonUrl, instances)));
  if (!stoppedEarly) found.push(...(await judgeLog(admin, false)));
  for (const instance of instances) await instance.leave();
  found.push(...judgeLines(instances, forgiven), ...(await leftBehind(admin)));
  if (!stoppedEarly) found.push(...(await judgeLog(admin, false)));
  return {
    faults,
    counted: await count(admin),
    unknownCommits: { committed: outcomes(instances, "committed"), aborted: outcomes(instances, "aborted") },
    processes: instances.reduce((sum, { processes }) => sum + processes.length, 0),
    convergedMs,
    violations: [...new Set(found)],
  };
}

type Striking = {
  readonly seconds: number;
  readonly seed: number;
  readonly forgiven: Forgiven;
  readonly enough: AbortSignal;
};

/** Carries the plan out; faults of one daemon come one after another, and so do those of the server. */
async function strike(
  database: Database,
  instances: readonly Instance[],
  { seconds, seed, forgiven, enough }: Striking,
): Promise<Map<Fault["kind"], number>> {
  const struck = new Map<Fault["kind"], number>();
  const chances = mulberry32(seed + 1);
  const startedAt = performance.now();
  let server = Promise.resolve();
  const local = instances.map(() => Promise.resolve());
  for (const fault of planFaults(seed, seconds, instances.length)) {
    const chance = chances();
    const wait = fault.atMs - (performance.now() - startedAt);
    if (wait > 0) await delay(wait, undefined, { signal: enough }).catch(() => undefined);
    if (enough.aborted) break;
    const inTurn = async (before: Promise<void> | undefined, carryOut: () => Promise<void> | undefined) => {
      await before;
      if (enough.aborted || performance.now() - startedAt > seconds * 1_000) return;
      struck.set(fault.kind, (struck.get(fault.kind) ?? 0) + 1);
      await carryOut();
    };
    if ("daemon" in fault) {
      const { daemon, kind, forMs } = fault;
      local[daemon] = inTurn(local[daemon], () => instances[daemon]?.suffer(kind, forMs));
    } else {
      const { kind, forMs } = fault;
      server = inTurn(server, () => strikeServer(database, kind, forMs, chance, forgiven));
    }
  }
  await Promise.all([server, ...local]);
  return struck;
}

/** The orchestrator never waits for us: looks who waits for whom. */
async function watch(admin: pg.Pool, enough: AbortSignal, found: string[]): Promise<void> {
  while (!enough.aborted) {
    const { rows } = await admin
      .query<{ what: string }>(
        `SELECT a.wait_event || ' by ' || d.query AS what
           FROM pg_stat_activity a, unnest(pg_blocking_pids(a.pid)) AS blocking (pid) JOIN pg_stat_activity d USING (pid)
          WHERE a.application_name = $1 AND d.usename = 'damascus_metrics'`,
        [ORCHESTRATOR],
      )
      .catch(() => ({ rows: [] }));
    found.push(...rows.map(({ what }) => `the orchestrator waits for a daemon: ${what}`));
    await delay(WATCHED_EVERY_MS, undefined, { signal: enough }).catch(() => undefined);
  }
}

async function judgeMeanwhile(
  admin: pg.Pool,
  instances: readonly Instance[],
  forgiven: Forgiven,
  enough: AbortController,
  found: string[],
): Promise<void> {
  const { signal } = enough;
  while (!signal.aborted) {
    await delay(JUDGED_EVERY_MS, undefined, { signal }).catch(() => undefined);
    // The server may be away just now.
    const inLog = await judgeLog(admin, true).catch(() => []);
    found.push(...inLog, ...judgeLines(instances, forgiven));
    if (found.length > 0) enough.abort();
  }
}

async function converge(
  admin: pg.Pool,
  instances: readonly Instance[],
  found: string[],
  patient: boolean,
): Promise<number | null> {
  const startedAt = performance.now();
  const withinMs = patient ? CONVERGES_WITHIN_MS : MUTANT_CONVERGES_WITHIN_MS;
  try {
    await until("every merge is recorded, every daemon ready", () => settled(admin, instances), withinMs);
    return Math.round(performance.now() - startedAt);
  } catch (error) {
    found.push(`no convergence: ${error instanceof Error ? error.message : String(error)}`);
    return null;
  }
}

async function leftBehind(admin: pg.Pool): Promise<string[]> {
  const backends = async (): Promise<number> => {
    const { rows } = await admin.query<{ count: number }>(
      "SELECT count(*)::int FROM pg_stat_activity WHERE usename = 'damascus_metrics'",
    );
    return rows[0]?.count ?? 0;
  };
  try {
    await until("no backend is left", async () => (await backends()) === 0);
    return [];
  } catch {
    return [`${await backends()} backends of ours are left`];
  }
}

function outcomes(instances: readonly Instance[], outcome: string): number {
  return instances
    .flatMap(({ processes }) => processes.flatMap(({ lines }) => lines))
    .filter((line) => line.event === "commit.resolved" && line["outcome"] === outcome).length;
}
