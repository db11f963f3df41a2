/** P1, P2: what the daemon has to read before it knows where things stand. */
import { setTimeout as delay } from "node:timers/promises";
import type { ReplayFigures, RestartFigures } from "../child.ts";
import { interleave, sampleOf, timed } from "../figures.ts";
import { besideNode, type Finding } from "../finding.ts";
import { seedUnanalysed } from "../history.ts";
import { daemonProcess, inChild, nodeStart } from "../processes.ts";
import { expectSeq, findGrowth, type SizedRun } from "../run.ts";
import type { Database } from "../server.ts";
import { verify } from "../verify.ts";

/** From here on the goal of a replay is a ratio; below, a time. */
const LARGE = 100_000;
const SAMPLE_EVERY_MS = 20;
/** Merges of the histories that differ from others in their projects. */
const SMALL_HISTORY = 10_000;

/** P1. The log is left as it was found: the daemon is killed before it can write a checkpoint. */
export async function restart(run: SizedRun): Promise<void> {
  const { database, repeat, find } = run;
  const fromConnected: number[] = [];
  const again: number[] = [];
  const ms = await interleave(repeat, {
    started: async () => {
      const ready = await startAndKill(run, database, run.recorded);
      fromConnected.push(ready.fromConnectedMs);
      return ready.ms;
    },
    connect: async () => {
      const figures = await inChild<RestartFigures>("restart", [database.daemonUrl]);
      again.push(figures.againMs);
      return figures.connectMs;
    },
    node: nodeStart,
  });
  const connect = { what: "a new connection", sample: sampleOf(ms.connect) };
  const restarted: Finding = {
    id: "P1",
    what: "restart: from connected to ready",
    unit: "ms",
    value: sampleOf(fromConnected),
    floor: connect,
    goal: { of: "ratio", is: "at most", bound: 3.5 },
  };
  find(restarted);
  findGrowth(run, restarted, 1.2);
  find({
    id: "P1",
    what: "restore and first poll in a process that has done it before",
    unit: "ms",
    value: sampleOf(again),
    floor: connect,
    goal: null,
  });
  find(besideNode("P1", "process start to ready", ms, 4.5));
}

/** P1 after a first start's backfill, on tables that were never analysed, with few and with many projects. */
export async function restartAfterBackfill(run: SizedRun): Promise<void> {
  const usual: number[] = [];
  for (let round = 0; round < run.repeat; round += 1)
    usual.push((await startAndKill(run, run.database, run.recorded)).fromConnectedMs);
  for (const [projects, bound] of [
    [20, 1.2],
    [400, 1.5],
    [3_000, 3],
  ] as const) {
    await using database = await run.server.database(`projects_${projects}`);
    await seedUnanalysed(database, SMALL_HISTORY, projects);
    // The backfill.
    await startAndKill(run, database, SMALL_HISTORY);
    await verify(database, SMALL_HISTORY, false);
    const ms: number[] = [];
    for (let round = 0; round < run.repeat; round += 1)
      ms.push((await startAndKill(run, database, SMALL_HISTORY)).fromConnectedMs);
    run.find({
      id: "P1",
      what: `the same right after a backfill, never analysed, ${projects} projects`,
      unit: "ms",
      value: sampleOf(ms),
      floor: { what: "a usual restart, 20 projects", sample: sampleOf(usual) },
      goal: { of: "ratio", is: "at most", bound },
    });
  }
}

async function startAndKill({ entry }: SizedRun, { daemonUrl }: Database, seq: number) {
  await using daemon = await daemonProcess(entry, daemonUrl);
  expectSeq(daemon.ready.seq, seq);
  return daemon.ready;
}

/** P2. */
export async function replay({ database, repeat, find, recorded, merges }: SizedRun): Promise<void> {
  const rss: number[] = [];
  const longest: number[] = [];
  const { owner } = database;
  // The table itself: an index that happens to hold the kind would answer without any row.
  await owner.query("SET jit = off; SET max_parallel_workers_per_gather = 0; SET enable_indexonlyscan = off");
  const { replayed, filtered } = await interleave(repeat, {
    replayed: async () => {
      const replaying = inChild<ReplayFigures>("replay", [database.daemonUrl]);
      longest.push(await longestTransaction(database, replaying));
      const { ms, rssMb, seq } = await replaying;
      expectSeq(seq, recorded);
      rss.push(rssMb);
      return ms;
    },
    filtered: () =>
      timed(async () => {
        const { rows } = await owner.query<{ n: number }>(
          "SELECT count(*)::int AS n FROM events_outbox WHERE starts_with(kind, 'metric.')",
        );
        if ((rows[0]?.n ?? 0) < recorded * 4) throw new Error("the filter does not find the journal");
      }),
  });
  await owner.query("RESET max_parallel_workers_per_gather; RESET enable_indexonlyscan");
  find({
    id: "P2",
    what: "full replay without a checkpoint",
    unit: "ms",
    value: sampleOf(replayed),
    floor: { what: "serial filter", sample: sampleOf(filtered) },
    goal:
      merges >= LARGE
        ? { of: "ratio", is: "at most", bound: 1.35 }
        : { of: "value", is: "at most", bound: 120 },
  });
  find({
    id: "P2",
    what: "memory of a full replay",
    unit: "MB",
    value: sampleOf(rss),
    floor: null,
    goal: { of: "value", is: "at most", bound: 120 },
  });
  find({
    id: "P2",
    what: "longest transaction of a full replay",
    unit: "ms",
    value: sampleOf(longest),
    floor: null,
    goal: { of: "value", is: "at most", bound: 1_000 },
  });
}

/** @returns the age of the oldest transaction of ours that was seen until `work` ended, in milliseconds. */
export async function longestTransaction({ owner }: Database, work: Promise<unknown>): Promise<number> {
  const ended = new AbortController();
  const end = () => ended.abort();
  work.then(end, end);
  let longest = 0;
  while (!ended.signal.aborted) {
    const { rows } = await owner.query<{ age: number | null }>(
      `SELECT max(extract(epoch FROM clock_timestamp() - xact_start) * 1000)::float8 AS age
         FROM pg_stat_activity WHERE starts_with(application_name, 'damascus-metrics')`,
    );
    longest = Math.max(longest, rows[0]?.age ?? 0);
    await delay(SAMPLE_EVERY_MS);
  }
  return longest;
}
