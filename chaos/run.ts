/** The chaos run: a safety phase under faults, a liveness phase without them, and a verdict. */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type pg from "pg";
import { afterUs } from "../demo/after-us.ts";
import { type Database, startDatabase } from "../demo/database.ts";
import { withClient } from "../demo/with-client.ts";
import { patchedTree } from "../tests/support/mutant.ts";
import { type Pooler, startPooler } from "../tests/support/pooler.ts";
import { findProgram } from "../tests/support/programs.ts";
import { until } from "../tests/support/until.ts";
import { administer } from "./administrator.ts";
import { Instance } from "./instance.ts";
import {
  type Counted,
  count,
  judgeLedger,
  judgeLines,
  judgeMemories,
  judgeWaits,
  longest,
  unsettled,
} from "./judge.ts";
import { ledgerPool, makeLedger } from "./ledger.ts";
import { Load } from "./load.ts";
import type { Options } from "./options.ts";
import { Outages } from "./outages.ts";
import { widenAhead } from "./partitions.ts";
import type { Fault } from "./plan.ts";
import { Readers } from "./readers.ts";
import type { Forgiven } from "./server-faults.ts";
import { stopAll, strike } from "./strike.ts";
import { makeVariant } from "./tables.ts";
import { keepUp, takeReports } from "./upkeep.ts";
import type { Variant } from "./variant.ts";
import { Waits } from "./waits.ts";

export type Result = {
  readonly faults: ReadonlyMap<Fault["kind"], number>;
  readonly counted: Counted;
  /** COMMITs whose outcome was not known, by how they were resolved. */
  readonly unknownCommits: { readonly committed: number; readonly aborted: number };
  readonly processes: number;
  /** How often the orchestrator waited for us, and how long at most; and so its administrator. */
  readonly waits: { readonly count: number; readonly longestMs: number; readonly administratorMs: number };
  /** Reading commands beside it; null where there were none. */
  readonly reads: number | null;
  readonly pooled: boolean;
  /** From the last fault to every merge recorded and every daemon ready; null where it did not come to that. */
  readonly convergedMs: number | null;
  readonly violations: readonly string[];
  /** Everything that each daemon's processes wrote, by the daemon's name. */
  readonly logs: ReadonlyMap<string, string>;
};

const DAEMONS = 3;
/** Merges without faults at the end, with every daemon back: what a scan misses now, no restore's comparison finds. */
const CALM_MS = 3_000;
/** A chance with which all daemons are asked to stop, and everything before the newest checkpoint goes. */
const ORDERLY = 0.5;
/** Merges that wait while others come. */
const FEW = 5;
const CONVERGES_WITHIN_MS = 30_000;
/** What does not come to pass at all need not be waited for that long. */
const MUTANT_CONVERGES_WITHIN_MS = 15_000;
const READY_WITHIN_MS = 30_000;
/** With a mutant: how often the log is judged meanwhile, as one violation is enough. */
const JUDGED_EVERY_MS = 2_000;
const SERVER = {
  binDir: process.env["TEST_PG_BIN"] || undefined,
  settings: { max_prepared_transactions: 20, fsync: false, autovacuum_naptime: 1 },
};

/** The daemon's role may have twenty connections; an unused one ends at once, as the server does. */
const POOLER = { default_pool_size: 5, server_login_retry: 1 };

export async function run({ seconds, seed, mutant, variant }: Options): Promise<Result> {
  await using resources = new AsyncDisposableStack();
  const tree = mutant === null ? undefined : resources.use(await patchedTree(mutant.patches));
  const folder = mkdtempSync(join(tmpdir(), "damascus-chaos-"));
  // However this ends; the server goes first.
  afterUs('read -r _; sleep 1; rm -rf -- "$0"', folder);
  const database = resources.use(await startDatabase(folder, SERVER));
  await withClient(database.ownerUrl, async (admin) => {
    await makeVariant(admin, variant);
    await makeLedger(admin);
  });
  const ledger = ledgerPool(database.ownerUrl);
  resources.defer(() => ledger.end());
  const pooler = await poolerOf(database, variant);
  const pooled = resources.adopt(pooler, (one) => one?.[Symbol.asyncDispose]());

  const instances: Instance[] = [];
  for (let number = 1; number <= DAEMONS; number += 1) {
    const url = number === DAEMONS ? (pooled?.url ?? database.daemonUrl) : database.daemonUrl;
    const options = {
      entry: tree?.path("../bin/metrics.js"),
      comparesOften: variant.lowIds === "yes",
      waitsLong: variant.rowLocks === "yes",
    };
    instances.push(resources.use(await Instance.start(`daemon ${number}`, url, options)));
  }
  const forgiven: Forgiven = new Set();
  const found: string[] = [];
  for (const instance of instances)
    await until(`${instance.name} is ready`, () => instance.memory(), READY_WITHIN_MS).catch(
      (error: unknown) => found.push(`at the start: ${String(error)}; ${instance.lastWords}`),
    );
  const enough = new AbortController();
  const { signal } = enough;
  const outages = new Outages();
  const waits = new Waits(database.ownerUrl);
  resources.defer(() => waits.stop());
  const load = new Load(database.ownerUrl, seed, variant);
  const readers = variant.readers === "yes" ? new Readers(database.daemonUrl, outages) : null;
  const upkeep = keepUp(database.ownerUrl, ledger, instances, { seed, variant, enough: signal });
  const judge = { ledger, instances, variant, forgiven };
  const judging = mutant === null ? null : judgeMeanwhile(judge, enough, found);
  const faults = await strike(database, instances, {
    seconds,
    seed,
    variant,
    forgiven,
    outages,
    enough: signal,
  });
  const stoppedEarly = signal.aborted;
  for (const instance of instances) instance.calm();
  if (!stoppedEarly) {
    if (variant.retention !== "none") await pruneOnceMore(database, ledger, instances, variant);
    await everyoneBack(instances, signal, mutant === null);
    await delay(CALM_MS);
  }
  enough.abort();
  await judging;
  await upkeep;
  await readers?.stop();
  await load.stop();
  await waits.stop();
  await widenOnceMore(database, variant);
  if (!stoppedEarly && variant.lowIds === "yes") await reconcileOnceMore(instances);

  const convergedMs = stoppedEarly ? null : await converge(judge, found, mutant === null);
  if (convergedMs !== null && variant.checkpoints === "kept")
    found.push(...(await judgeMemories(ledger, database.daemonUrl, instances)));
  if (!stoppedEarly) found.push(...(await judgeLedger(ledger, instances, variant, false)));
  for (const instance of instances) await instance.leave();
  await pooled?.[Symbol.asyncDispose]();
  found.push(...judgeLines(instances, forgiven, variant), ...(await leftBehind(ledger)));
  found.push(
    ...load.orchestrator.mistakes,
    ...(readers?.falseAlarms ?? []),
    ...judgeWaits(waits, load.orchestrator.deadlocks, variant),
  );
  if (!stoppedEarly) found.push(...(await judgeLedger(ledger, instances, variant, false)));
  return {
    faults,
    counted: await count(ledger, variant),
    unknownCommits: { committed: outcomes(instances, "committed"), aborted: outcomes(instances, "aborted") },
    processes: instances.reduce((sum, { processes }) => sum + processes.length, 0),
    waits: {
      count: waits.orchestrators.length,
      longestMs: longest(waits.orchestrators),
      administratorMs: longest(waits.administrators),
    },
    reads: readers?.runs ?? null,
    pooled: pooled !== null,
    convergedMs,
    violations: [...new Set(found)],
    logs: new Map(instances.map(({ name, output }) => [name, output])),
  };
}

/** Retention takes what it may once more, up to the checkpoint that an orderly stop leaves: every run has some of it. */
async function pruneOnceMore(
  database: Database,
  ledger: pg.Pool,
  instances: readonly Instance[],
  variant: Variant,
): Promise<void> {
  const almostNothing = async (): Promise<boolean> => (await count(ledger, variant)).waiting <= FEW;
  await until("almost nothing waits", almostNothing, CONVERGES_WITHIN_MS).catch(() => undefined);
  await stopAll(database, instances, variant, 0, ORDERLY);
}

/** The administrator is not kept waiting any more: what the daemons still record finds a partition. */
async function widenOnceMore({ ownerUrl }: Database, { partitions }: Variant): Promise<void> {
  if (partitions !== "none") await administer(ownerUrl, (admin) => widenAhead(admin, partitions));
}

/**
 * Merges under low ids wait for a reconciliation. Its pace may put the next one minutes off, after one that took long on a busy
 * machine; each start begins with one.
 */
async function reconcileOnceMore([instance]: readonly Instance[]): Promise<void> {
  await instance?.suffer("terminate", 0);
}

async function poolerOf(database: Database, { pooler }: Variant): Promise<Pooler | null> {
  const program = findProgram("pgbouncer", "../sbin/pgbouncer");
  return pooler === "yes" && program !== null ? startPooler(program, database.daemonUrl, POOLER) : null;
}

type Judge = {
  readonly ledger: pg.Pool;
  readonly instances: readonly Instance[];
  readonly variant: Variant;
  readonly forgiven: Forgiven;
};

async function judgeMeanwhile(
  { ledger, instances, variant, forgiven }: Judge,
  enough: AbortController,
  found: string[],
): Promise<void> {
  const { signal } = enough;
  while (!signal.aborted) {
    await delay(JUDGED_EVERY_MS, undefined, { signal }).catch(() => undefined);
    // The server may be away just now.
    const inLog = await judgeLedger(ledger, instances, variant, true).catch(() => []);
    found.push(...inLog, ...judgeLines(instances, forgiven, variant));
    if (found.length > 0) enough.abort();
  }
}

/** Who does not come back is told by the convergence. */
async function everyoneBack(
  instances: readonly Instance[],
  enough: AbortSignal,
  patient: boolean,
): Promise<void> {
  const back = async (): Promise<boolean> => {
    const memories = await Promise.all(instances.map((instance) => instance.memory()));
    return enough.aborted || memories.every((memory) => memory !== null);
  };
  await until("every daemon is back", back, patience(patient)).catch(() => undefined);
}

function patience(patient: boolean): number {
  return patient ? CONVERGES_WITHIN_MS : MUTANT_CONVERGES_WITHIN_MS;
}

async function converge(
  { ledger, instances, variant }: Judge,
  found: string[],
  patient: boolean,
): Promise<number | null> {
  const startedAt = performance.now();
  let lacking: string[] = [];
  try {
    await until(
      "every merge is recorded, every daemon ready",
      async () => {
        await takeReports(ledger, instances, variant);
        lacking = await unsettled(ledger, instances, variant);
        return lacking.length === 0;
      },
      patience(patient),
    );
    return Math.round(performance.now() - startedAt);
  } catch (error) {
    found.push(
      `no convergence: ${error instanceof Error ? error.message : String(error)}: ${lacking.join("; ")}`,
    );
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
