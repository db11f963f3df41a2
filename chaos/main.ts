/** `npm run chaos`: what the daemon must survive, at random; exits with 1 when anything was lost, repeated or wrong. */
import { tally } from "./judge.ts";
import { parseOptions } from "./options.ts";
import { run } from "./run.ts";

const options = parseOptions(process.argv.slice(2));
const { seconds, seed, mutant } = options;
const what = mutant === null ? "" : `, with a mistake: ${mutant.mistake}`;
process.stdout.write(`Chaos for ${seconds} s, seed ${seed}${what}\n`);

const startedAt = performance.now();
const { faults, counted, unknownCommits, processes, convergedMs, violations } = await run(options);
const { missing, repeated, wrong } = tally(violations);
const lines: [string, string | number][] = [
  ["took", `${((performance.now() - startedAt) / 1_000).toFixed(1)} s`],
  ["faults", faults.values().reduce((sum, count) => sum + count, 0)],
  ...[...faults]
    .toSorted(([a], [b]) => a.localeCompare(b))
    .map(([kind, count]): [string, number] => [`  ${kind}`, count]),
  ["daemon processes", processes],
  ["commits unanswered", `${unknownCommits.committed} committed, ${unknownCommits.aborted} aborted`],
  ["merges", counted.merges],
  ["  recorded", counted.recorded],
  ["  recorded late", counted.late],
  ["  skipped", counted.skipped],
  ["repeats ignored", counted.repeats],
  ["converged within", convergedMs === null ? "not at all" : `${convergedMs} ms`],
  ["missing", missing],
  ["repeated", repeated],
  ["wrong", wrong],
];
process.stdout.write(lines.map(([name, value]) => `${name.padEnd(20)} ${value}\n`).join(""));
for (const violation of violations.slice(0, 20)) process.stdout.write(`violation: ${violation}\n`);
process.exit(violations.length === 0 ? 0 : 1);
