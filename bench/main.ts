/**
 * `npm run bench`: the product against its goals, each next to the least that it could cost, measured in the same run
 * on a PostgreSQL of its own with its default settings. What was measured is checked: a log that is not complete, or
 * holds something twice, ends the benchmark with an error. A goal that was missed does not: the table says so.
 *
 * A busy machine makes times long and ratios less so. So the load and the drift of `node -e 0` are printed, and times are
 * judged only where the machine was calm.
 */
import { writeFileSync } from "node:fs";
import { arch, availableParallelism, cpus, loadavg, platform } from "node:os";
import { installPackage } from "../build/package.ts";
import { percentile, type Sample } from "./figures.ts";
import { type Finding, type Judging, ratioOf, renderTable, verdictOf } from "./finding.ts";
import { seedRecorded } from "./history.ts";
import { alternatives } from "./measures/alternatives.ts";
import { besideReaders } from "./measures/beside-readers.ts";
import { catchUp } from "./measures/catch-up.ts";
import { foldCost } from "./measures/fold.ts";
import { live } from "./measures/live.ts";
import { orchestrator } from "./measures/orchestrator.ts";
import { replay, restart, restartAfterBackfill } from "./measures/restart.ts";
import { readingVerbs, snapshot } from "./measures/verbs.ts";
import { type Measure, type Options, parseOptions } from "./options.ts";
import { nodeStart } from "./processes.ts";
import type { Run, SizedRun } from "./run.ts";
import { startServer } from "./server.ts";
import { verify } from "./verify.ts";

/** A ratio of a brief run on a machine that does other things as well may be this much worse. */
const CI_SLACK = 2;
/** A machine is calm where `node -e 0` takes about as long at every moment, and little else runs before. */
const CALM_DRIFT = 1.25;
const CALM_LOAD = 0.5;
const NODE_STARTS = 5;
/** Larger unknown histories take minutes for each measurement and show nothing new. */
const LARGEST_CATCH_UP = 100_000;

const startedAt = performance.now();

process.exitCode = await bench(parseOptions(process.argv.slice(2)));

async function bench(options: Options): Promise<number> {
  const findings: Finding[] = [];
  const wanted = (...measures: Measure[]): boolean => measures.some((measure) => options.only.has(measure));
  let version = "";
  const [loadBefore = 0] = loadavg();
  const nodeMs = [await nodeStarts()];
  {
    say("building and installing the package");
    await using shipped = await installPackage();
    await using server = await startServer();
    ({ version } = server);
    const run: Run = {
      server,
      entry: shipped.entry,
      repeat: options.repeat,
      brief: options.ci,
      find: (finding) => findings.push(finding),
      say,
    };
    say(
      `PostgreSQL ${version}, node ${process.version}, ${availableParallelism()} × ${cpus()[0]?.model ?? arch()}`,
    );
    if (wanted("P6")) await foldCost(run);
    if (wanted("P8")) {
      say("beside readers");
      await besideReaders(run);
    }
    const atSmallest = new Map<string, Sample>();
    for (const merges of options.merges) {
      const smallest = merges === options.merges[0];
      const here: Finding[] = [];
      const sized = { ...run, find: (finding: Finding) => here.push(finding) };
      if (wanted("P1", "P2", "P3", "P5", "P7", "P9", "P10") || (smallest && wanted("P8")))
        await atSize(sized, merges, atSmallest, smallest, wanted);
      if (wanted("P4") && merges <= LARGEST_CATCH_UP) {
        say(`${merges} merges: catch-up`);
        await catchUp(sized, merges);
      }
      if (smallest) for (const { what, value } of here) atSmallest.set(what, value);
      nodeMs.push(await nodeStarts());
      findings.push(...here.map((finding) => ({ ...finding, what: `${finding.what} [${merges}]` })));
    }
  }
  const drift = Math.max(...nodeMs) / Math.min(...nodeMs);
  const calm = drift <= CALM_DRIFT && loadBefore <= CALM_LOAD;
  const judging: Judging = { slack: options.ci ? CI_SLACK : 1, values: calm && !options.ci };
  const ordered = findings.toSorted((a, b) => a.id.localeCompare(b.id, "en", { numeric: true }));
  process.stdout.write(`\n${renderTable(ordered, judging)}\n`);
  const load = { before: loadBefore, node_ms: nodeMs, drift, calm };
  if (options.json !== null) writeFileSync(options.json, document(options, version, load, ordered, judging));
  say(
    `load before ${loadBefore.toFixed(2)}, node -e 0 ${nodeMs.map((ms) => ms.toFixed(0)).join(", ")} ms, drift ${drift.toFixed(2)}: ` +
      (calm ? "calm" : "not calm, so times are not judged, only ratios"),
  );
  const missed = ordered.filter((finding) => verdictOf(finding, judging) === "MISS").length;
  const judged = ordered.filter((finding) => verdictOf(finding, judging) !== "").length;
  say(`${judged - missed} of ${judged} goals met${options.ci ? `, ratios with a slack of ${CI_SLACK}` : ""}`);
  return options.ci && missed > 0 ? 1 : 0;
}

async function atSize(
  run: Run,
  merges: number,
  atSmallest: ReadonlyMap<string, Sample>,
  smallest: boolean,
  wanted: (...measures: Measure[]) => boolean,
): Promise<void> {
  let reportedAt = performance.now();
  await using database = await run.server.database(`history_${merges}`);
  say(`${merges} merges: making the history`);
  const recorded = await seedRecorded(database, merges, (done) => {
    if (performance.now() - reportedAt < 10_000) return;
    reportedAt = performance.now();
    say(`${done} of ${merges}`);
  });
  await verify(database, recorded);
  const sized: SizedRun = { ...run, merges, database, recorded, atSmallest };
  const measure = async (what: string, wantedHere: boolean, take: () => Promise<void>): Promise<void> => {
    if (!wantedHere) return;
    say(`${merges} merges: ${what}`);
    await take();
  };
  await measure("restart", wanted("P1"), () => restart(sized));
  await measure("restart after a backfill", smallest && wanted("P1"), () => restartAfterBackfill(sized));
  await measure("replay", wanted("P2"), () => replay(sized));
  await measure("snapshot", wanted("P9"), () => snapshot(sized));
  await measure("reading verbs", wanted("P10"), () => readingVerbs(sized));
  await measure("SQL instead", wanted("P7"), () => alternatives(sized));
  await measure("live", wanted("P3", "P5"), () =>
    live(sized, { latency: wanted("P3"), burst: wanted("P5") }),
  );
  await measure("the orchestrator", smallest && wanted("P8"), () => orchestrator(sized));
  await verify(database, sized.recorded);
}

/** The median of a few, in milliseconds. */
async function nodeStarts(): Promise<number> {
  const ms: number[] = [];
  for (let count = 0; count < NODE_STARTS; count += 1) ms.push(await nodeStart());
  return percentile(ms, 0.5);
}

function document(
  { merges, repeat }: Options,
  version: string,
  load: object,
  findings: readonly Finding[],
  judging: Judging,
): string {
  const machine = {
    platform: platform(),
    arch: arch(),
    cpus: availableParallelism(),
    model: cpus()[0]?.model ?? null,
  };
  const all = findings.map((finding) => ({
    ...finding,
    ratio: ratioOf(finding),
    verdict: verdictOf(finding, judging) || null,
  }));
  return `${JSON.stringify({ postgres: version, node: process.version, machine, load, merges, repeat, findings: all }, null, 2)}\n`;
}

function say(text: string): void {
  process.stderr.write(`${((performance.now() - startedAt) / 1_000).toFixed(1).padStart(6)}s  ${text}\n`);
}
