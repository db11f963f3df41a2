/**
 * `npm run bench`: the product against its goals, each next to the least that it could cost, measured in the same run
 * on a PostgreSQL of its own with its default settings. What was measured is checked: a log that is not complete, or
 * holds something twice, ends the benchmark with an error. A goal that was missed does not: it stands in the table.
 */
import { writeFileSync } from "node:fs";
import { arch, availableParallelism, cpus, platform } from "node:os";
import { installPackage } from "../build/package.ts";
import type { Sample } from "./figures.ts";
import { type Finding, ratioOf, renderTable, verdictOf } from "./finding.ts";
import { seedRecorded } from "./history.ts";
import { alternatives } from "./measures/alternatives.ts";
import { catchUp } from "./measures/catch-up.ts";
import { foldCost } from "./measures/fold.ts";
import { live } from "./measures/live.ts";
import { orchestrator } from "./measures/orchestrator.ts";
import { replay, restart, snapshot } from "./measures/restart.ts";
import { type Measure, type Options, parseOptions } from "./options.ts";
import type { Run, SizedRun } from "./run.ts";
import { startServer } from "./server.ts";
import { verify } from "./verify.ts";

/** A ratio of a brief run on a machine that does other things as well may be this much worse. */
const CI_SLACK = 2;
/** Larger unknown histories take minutes for each measurement and tell nothing new. */
const LARGEST_CATCH_UP = 100_000;

const startedAt = performance.now();

process.exitCode = await bench(parseOptions(process.argv.slice(2)));

async function bench(options: Options): Promise<number> {
  const findings: Finding[] = [];
  const wanted = (...measures: Measure[]): boolean => measures.some((measure) => options.only.has(measure));
  let version = "";
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
    const atSmallest = new Map<string, Sample>();
    for (const merges of options.merges) {
      const smallest = merges === options.merges[0];
      const here: Finding[] = [];
      const sized = { ...run, find: (finding: Finding) => here.push(finding) };
      if (wanted("P1", "P2", "P3", "P5", "P7", "P9") || (smallest && wanted("P8")))
        await atSize(sized, merges, atSmallest, smallest, wanted);
      if (wanted("P4") && merges <= LARGEST_CATCH_UP) {
        say(`${merges} merges: catch-up`);
        await catchUp(sized, merges);
      }
      if (smallest) for (const { what, value } of here) atSmallest.set(what, value);
      findings.push(...here.map((finding) => ({ ...finding, what: `${finding.what} [${merges}]` })));
    }
  }
  const slack = options.ci ? CI_SLACK : 1;
  const ordered = findings.toSorted((a, b) => a.id.localeCompare(b.id));
  process.stdout.write(`\n${renderTable(ordered, slack)}\n`);
  if (options.json !== null) writeFileSync(options.json, document(options, version, ordered));
  const missed = ordered.filter((finding) => verdictOf(finding, slack) === "MISS").length;
  const judged = ordered.filter((finding) => verdictOf(finding, slack) !== "").length;
  say(`${judged - missed} of ${judged} goals met${options.ci ? `, ratios with a slack of ${slack}` : ""}`);
  return options.ci && missed > 0 ? 1 : 0;
}

async function atSize(
  run: Run,
  merges: number,
  atSmallest: ReadonlyMap<string, Sample>,
  smallest: boolean,
  wanted: (...measures: Measure[]) => boolean,
): Promise<void> {
  let toldAt = performance.now();
  await using database = await run.server.database(`history_${merges}`);
  say(`${merges} merges: making the history`);
  const recorded = await seedRecorded(database, merges, (done) => {
    if (performance.now() - toldAt < 10_000) return;
    toldAt = performance.now();
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
  await measure("replay", wanted("P2"), () => replay(sized));
  await measure("snapshot", wanted("P9"), () => snapshot(sized));
  await measure("SQL instead", wanted("P7"), () => alternatives(sized));
  await measure("live", wanted("P3", "P5"), () =>
    live(sized, { latency: wanted("P3"), burst: wanted("P5") }),
  );
  await measure("the orchestrator", smallest && wanted("P8"), () => orchestrator(sized));
  await verify(database, sized.recorded);
}

function document(options: Options, version: string, findings: readonly Finding[]): string {
  const machine = {
    platform: platform(),
    arch: arch(),
    cpus: availableParallelism(),
    model: cpus()[0]?.model ?? null,
  };
  const all = findings.map((finding) => ({
    ...finding,
    ratio: ratioOf(finding),
    verdict: verdictOf(finding) || null,
  }));
  const { merges, repeat } = options;
  return `${JSON.stringify({ postgres: version, node: process.version, machine, merges, repeat, findings: all }, null, 2)}\n`;
}

function say(text: string): void {
  process.stderr.write(`${((performance.now() - startedAt) / 1_000).toFixed(1).padStart(6)}s  ${text}\n`);
}
