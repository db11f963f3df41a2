/**
 * Explores scopes, and mutants, which it must find:
 *
 *   npm run explore                                         all scopes, all mutants
 *   npm run explore -- --scope "two daemons, two merges"    one scope
 *   npm run explore -- --mutant "no fence"                  one mutant, with the story of the schedule that shows it
 *   npm run explore -- --scope … --schedule "d0 d0 o0 …"    one schedule as a story
 *   npm run explore -- --write                              all, and writes the tables of README.md
 *
 * EXPLORE=large explores more states and the scopes that are too large for CI, EXPLORE=small fewer states. For tests, --json prints
 * one line for each result and --share 1/2 takes every second scope and mutant.
 */
import { parseArgs } from "node:util";
import { MUTANTS, type Mutant } from "../mutants.ts";
import { forgetNumbers } from "./digest.ts";
import { Explorer } from "./explorer.ts";
import { takeTimers } from "./live.ts";
import { type Result, resultText, writeReadme } from "./report.ts";
import { type Scope, scopes } from "./scopes.ts";
import { Story } from "./story.ts";

const { values } = parseArgs({
  options: {
    scope: { type: "string" },
    mutant: { type: "string" },
    schedule: { type: "string" },
    share: { type: "string", default: "1/1" },
    write: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});

const isLarge = process.env["EXPLORE"] === "large";
const isSmall = process.env["EXPLORE"] === "small";
/** States of a scope at most, which bounds memory too: about 1 GB, or 4 GB for large ones. */
const MOST = isLarge ? 400_000 : 40_000;
/** States within which a bounded scope is searched. With EXPLORE=small each one is; mutants need all states. */
const MOST_BOUNDED = isLarge ? MOST : isSmall ? 4_000 : 10_000;

takeTimers();
const all = await scopes();

const scopeNamed = byName<Scope>("scope", all, ({ name }) => name);
const mutantNamed = byName<Mutant>("mutant", MUTANTS, ({ mistake }) => mistake);

function byName<T>(what: string, these: readonly T[], nameOf: (one: T) => string): (name: string) => T {
  return (name) => {
    const found = these.find((one) => nameOf(one) === name);
    if (found !== undefined) return found;
    const names = these.map((one) => `  ${nameOf(one)}`).join("\n");
    throw new Error(`there is no ${what} ${JSON.stringify(name)}; there are:\n${names}`);
  };
}

function mistaken({ log, daemon }: Partial<Mutant>): Pick<Mutant, "log" | "daemon"> {
  return { ...(log === undefined ? {} : { log }), ...(daemon === undefined ? {} : { daemon }) };
}

/** One schedule as a story, up to the violation. */
async function storyOf({ scope, mutant }: Work, schedule: readonly string[]): Promise<string> {
  const story = new Story();
  const heard = story.add.bind(story);
  const { violation } = await new Explorer(scope, mistaken(mutant ?? {})).replay(schedule, heard);
  return [...story.lines, "", violation ?? "no violation"].join("\n");
}

async function explore({ scope: given, mutant }: Work): Promise<Result> {
  const before = process.cpuUsage();
  const scope: Scope = isSmall && mutant === null ? { ...given, bounded: true } : given;
  const most = scope.bounded === true ? MOST_BOUNDED : MOST;
  const explorer = new Explorer(scope, mistaken(mutant ?? {}));
  const explored = await explorer.explore(most);
  const { failure } = explored;
  const again = failure === null ? null : (await explorer.replay(failure.schedule)).violation;
  if (failure !== null && again === null)
    throw new Error(`a violation is none when it is replayed: ${failure.message}`);
  forgetNumbers();
  const result = {
    ...explored,
    scope: scope.name,
    bounded: scope.bounded === true,
    mistake: mutant?.mistake ?? null,
    seconds: process.cpuUsage(before).user / 1e6,
    megabytes: Math.round(process.resourceUsage().maxRSS / 1024),
  };
  const line = values.json ? JSON.stringify(result) : resultText(result);
  process.stdout.write(`${line}\n`);
  return result;
}

/** Prints the same story again. */
function commandFor({ scope, mistake, failure }: Result): string {
  const mutant = mistake === null ? "" : ` --mutant ${JSON.stringify(mistake)}`;
  return `npm run explore -- --scope ${JSON.stringify(scope)}${mutant} --schedule "${failure?.schedule.join(" ")}"`;
}

type Work = { readonly scope: Scope; readonly mutant: Mutant | null };

/** This process's share of all scopes, and of all mutants in the scopes that find them. */
function everything(): Work[] {
  const [share = 1, shares = 1] = values.share.split("/").map(Number);
  const mutants = MUTANTS.flatMap((mutant): Work[] =>
    mutant.scope === null ? [] : [{ scope: scopeNamed(mutant.scope), mutant }],
  );
  return [...all.map((scope): Work => ({ scope, mutant: null })), ...mutants]
    .filter(({ scope }) => isLarge || scope.large !== true)
    .filter((_, index) => index % shares === share - 1);
}

/** What was asked for by name; null where nothing was. */
function named(): Work | null {
  const mutant = values.mutant === undefined ? null : mutantNamed(values.mutant);
  const scope = values.scope ?? mutant?.scope ?? null;
  return scope === null ? null : { scope: scopeNamed(scope), mutant };
}

const asked = named();
if (asked !== null && values.schedule !== undefined) {
  process.stdout.write(`${await storyOf(asked, values.schedule.split(" "))}\n`);
} else {
  const results: Result[] = [];
  for (const work of asked === null ? everything() : [asked]) {
    const result = await explore(work);
    results.push(result);
    // A mutant is expected to be found; its story is printed only on request.
    if (result.failure === null || values.json || (work.mutant !== null && asked === null)) continue;
    const story = await storyOf(work, result.failure.schedule);
    process.stdout.write(`\n${story}\n\nRun it again:\n  ${commandFor(result)}\n\n`);
  }
  if (values.write) await writeReadme(results);
  process.exitCode = results.some(({ mistake, failure }) => (mistake === null) !== (failure === null))
    ? 1
    : 0;
}
