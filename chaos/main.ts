/** `npm run chaos`: what the daemon must survive, at random; exits with 1 when anything was lost, repeated or wrong. */
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sortOf, tally } from "./judge.ts";
import { parseOptions } from "./options.ts";
import { type Result, run } from "./run.ts";
import { describeVariant } from "./variant.ts";

const SHOWN_OF_EACH_SORT = 8;

const options = parseOptions(process.argv.slice(2));
const { seconds, seed, mutant, variant } = options;
const what = mutant === null ? "" : `, with a mistake: ${mutant.mistake}`;
process.stdout.write(`Chaos for ${seconds} s, seed ${seed}${what}\n${describeVariant(variant)}\n`);

const startedAt = performance.now();
const { faults, counted, unknownCommits, processes, waits, reads, pooled, convergedMs, violations, logs } =
  await run(options);
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
  ["  refused", counted.refused],
  ["  presumed recorded", counted.presumed],
  ["duplicates", counted.duplicates],
  ["converged within", convergedMs === null ? "not at all" : `${convergedMs} ms`],
  ["rows pruned", counted.pruned],
  ["reading commands", reads ?? "none"],
  ["PgBouncer", pooled ? "before daemon 3" : variant.pooler === "yes" ? "left out: not installed" : "none"],
  [
    "waits for us",
    `${waits.count}, at most ${waits.longestMs} ms; an administrator's ${waits.administratorMs} ms`,
  ],
  ...Object.entries(tally(violations)),
];
process.stdout.write(lines.map(([name, value]) => `${name.padEnd(20)} ${value}\n`).join(""));
for (const sorted of Map.groupBy(violations, sortOf).values())
  for (const violation of sorted.slice(0, SHOWN_OF_EACH_SORT))
    process.stdout.write(`violation: ${violation.replace(/c{50,}/g, "ccc…")}\n`);
// A mistake is expected to be caught; without one, the logs are all that can tell why.
if (violations.length > 0 && mutant === null) process.stdout.write(`the daemons' logs: ${keep(logs)}\n`);
process.exit(violations.length === 0 ? 0 : 1);

/** @returns the folder. */
function keep(texts: Result["logs"]): string {
  const folder = mkdtempSync(join(tmpdir(), "damascus-chaos-logs-"));
  for (const [name, text] of texts) writeFileSync(join(folder, `${name.replaceAll(" ", "-")}.log`), text);
  return folder;
}
