/** Parts that are measured in a process of their own: `node bench/child.ts <part> <arguments>`, one line of JSON. */
import pg from "pg";
import { Analyzer, fold, type Scopes, slide } from "../src/core/analyzer.ts";
import type { Merge } from "../src/core/merge.ts";
import type { ScopeKind } from "../src/core/scope.ts";
import { timed } from "./figures.ts";
import { configOf, open, restoreFrom, withoutCheckpoints } from "./product.ts";

export type RestartFigures = {
  /** A connection of the driver and nothing else. */
  readonly connectMs: number;
  /** Restore and first poll, after the process has done them a few times. */
  readonly againMs: number;
};

/** Enough for what runs to have been compiled. */
const RESTARTS_AGAIN = 10;

export type ReplayFigures = { readonly ms: number; readonly rssMb: number; readonly seq: number };

export type FoldFigures = {
  /** The windows slide, and what is recorded is read. */
  readonly slideNs: number;
  /** And the rows are made that record the merge. */
  readonly foldNs: number;
};

export type ProjectsFigures = { readonly bytesPerProject: number; readonly rssMb: number };

const PARTS: Readonly<Record<string, (...args: string[]) => unknown>> = {
  restart,
  replay,
  fold: foldSpeed,
  projects,
};

async function restart(databaseUrl: string): Promise<RestartFigures> {
  const client = new pg.Client({ connectionString: databaseUrl });
  const connectMs = await timed(() => client.connect());
  await client.end();
  let againMs = Number.NaN;
  for (let time = 0; time < RESTARTS_AGAIN; time += 1) againMs = await restartAgain(databaseUrl);
  return { connectMs, againMs };
}

async function restartAgain(databaseUrl: string): Promise<number> {
  const log = await open(databaseUrl);
  const ms = await timed(async () => {
    const recorder = await restoreFrom(log, databaseUrl);
    await recorder.poll();
  });
  await log.end();
  return ms;
}

async function replay(databaseUrl: string): Promise<ReplayFigures> {
  const log = withoutCheckpoints(await open(databaseUrl));
  const startedAt = performance.now();
  const recorder = await restoreFrom(log, databaseUrl);
  const ms = performance.now() - startedAt;
  const rssMb = process.resourceUsage().maxRSS / 1024;
  await log.end();
  return { ms, rssMb, seq: recorder.projection.analyzer.global.seq };
}

function foldSpeed(mergeCount: string): FoldFigures {
  const merges = madeUpMerges(20);
  const count = Number(mergeCount);
  const perMerge = (each: (scopes: Scopes, merge: Merge) => void): number => {
    const analyzer = emptyAnalyzer();
    const run = (times: number): void => {
      for (let index = 0; index < times; index += 1) each(analyzer, merges[index % merges.length] as Merge);
    };
    run(count / 10);
    // The processor's time, not the clock's: other processes may have had it meanwhile.
    const before = process.cpuUsage();
    run(count);
    const { user, system } = process.cpuUsage(before);
    const ns = ((user + system) * 1_000) / count;
    // The engine may skip a computation whose result is unused.
    if (analyzer.global.seq !== count / 10 + count) throw new Error("merges were lost");
    return ns;
  };
  let seen = 0;
  const [ofAll, ofProject] = [recordedFor("global"), recordedFor("project")];
  const slideNs = perMerge((scopes, merge) => {
    slide(scopes, merge);
    const project = scopes.project(merge.project);
    for (const index of ofAll) seen += scopes.global.reading(index).n;
    for (const index of ofProject) seen += project.reading(index).n;
  });
  const foldNs = perMerge((scopes, merge) => {
    seen += fold(scopes, merge, "bench").length;
  });
  if (seen === 0) throw new Error("nothing was folded");
  return { slideNs, foldNs };
}

/** Where the metrics that are recorded for such a scope stand among all. */
function recordedFor(kind: ScopeKind): readonly number[] {
  return emptyAnalyzer().metrics.flatMap(({ record }, index) => (record.includes(kind) ? [index] : []));
}

/** Windows of this many projects, all of them full. */
function projects(projectCount: string, mergesEach: string): ProjectsFigures {
  const collect = (globalThis as { gc?: () => void }).gc;
  if (collect === undefined) throw new Error("needs --expose-gc");
  const used = (): number => {
    collect();
    collect();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  const count = Number(projectCount);
  const merges = madeUpMerges(1).slice(0, Number(mergesEach));
  const names = Array.from({ length: count }, (_, index) => `project-${index}`);
  const analyzer = emptyAnalyzer();
  const before = used();
  for (const name of names) {
    for (const merge of merges) slide(analyzer, { ...merge, project: name });
  }
  const bytesPerProject = (used() - before) / count;
  if (analyzer.projects.size !== count) throw new Error("projects were lost");
  return { bytesPerProject, rssMb: process.resourceUsage().maxRSS / 1024 };
}

function emptyAnalyzer(): Analyzer {
  return new Analyzer(configOf("postgres://nobody@127.0.0.1/none").metrics);
}

/** Facts like those of `history.ts`. */
function madeUpMerges(projectCount: number): Merge[] {
  return Array.from({ length: 10_007 }, (_, index) => ({
    eventId: String(index * 18),
    workItemId: String(index),
    mergedAt: "2026-11-22T10:06:27.384Z",
    project: `project-${Math.floor((projectCount * ((index * 7919) % 10_007) ** 3) / 10_007 ** 3)}`,
    attempts: index % 9 === 0 ? 1 + (index % 5) : index % 7 === 0 ? 2 : 1,
    lastVerdict: index % 13 === 0 ? "rebase_conflict" : "approve",
  }));
}

const [part = "", ...args] = process.argv.slice(2);
const measure = PARTS[part];
if (measure === undefined) throw new Error(`no part ${part}`);
process.stdout.write(`${JSON.stringify(await measure(...args))}\n`);
