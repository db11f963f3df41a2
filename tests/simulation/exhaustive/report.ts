/** The results, as lines and as the tables of README.md. */
import { readFile, writeFile } from "node:fs/promises";
import type { Explored } from "./explorer.ts";

export type Result = Explored & {
  readonly scope: string;
  /** Whether the scope is searched by preemptions. */
  readonly bounded: boolean;
  readonly mistake: string | null;
  /** Of processor time. */
  readonly seconds: number;
  /** The most memory that the process has needed so far. */
  readonly megabytes: number;
};

const README = new URL("../README.md", import.meta.url);

/** How far a search has come. */
function verdictOf({ preemptions, bounded, failure, states }: Result): string {
  if (failure !== null) return "violation";
  if (preemptions === null) return "exhausted";
  const stopped = `stopped at ${states.toLocaleString("en")} states`;
  if (!bounded) return `not exhausted, ${stopped}`;
  if (preemptions < 0) return `sampled: no bound reached, ${stopped}`;
  return `bounded: all with ≤ ${preemptions} preemption${preemptions === 1 ? "" : "s"}, ${stopped}`;
}

export function resultText(result: Result): string {
  const { scope, mistake, states, turns, ends, seconds, megabytes, failure } = result;
  const name = mistake === null ? scope : `${mistake} (${scope})`;
  const found = failure === null ? "" : `: ${firstLine(failure.message)}`;
  return `${name}: ${verdictOf(result)}${found}; ${states} states, ${turns} steps, ${ends} ends, ${seconds.toFixed(1)} s, ${megabytes} MB`;
}

/** The tables between the marks of README.md. */
export async function writeReadme(results: readonly Result[]): Promise<void> {
  const text = await readFile(README, "utf8");
  const written = withTable(withTable(text, "scopes", scopeTable(results)), "mutants", mutantTable(results));
  await writeFile(README, written);
}

function withTable(text: string, name: string, table: readonly string[]): string {
  const [begin, end] = [`<!-- ${name} -->`, `<!-- end of ${name} -->`];
  const [before, after] = [text.indexOf(begin), text.indexOf(end)];
  if (before < 0 || after < 0) throw new Error(`README.md has no marks ${begin} and ${end}`);
  return `${text.slice(0, before)}${begin}\n${table.join("\n")}\n${text.slice(after)}`;
}

function scopeTable(results: readonly Result[]): string[] {
  const rows = results
    .filter(({ mistake }) => mistake === null)
    .map((result) => {
      const { scope, schedules, states, turns, depth, ends, seconds } = result;
      const numbers = [
        schedules === null ? "cycles" : schedules.toPrecision(2),
        ...[states, turns, depth, ends].map((number) => number.toLocaleString("en")),
        seconds.toFixed(1),
      ];
      return `| ${scope} | ${verdictOf(result)} | ${numbers.join(" | ")} |`;
    });
  const exhausted = results.filter(({ mistake, preemptions }) => mistake === null && preemptions === null);
  const largest = exhausted.toSorted((a, b) => b.states - a.states)[0];
  return [
    `Largest scope exhausted: ${largest?.scope} (${largest?.states.toLocaleString("en")} states).`,
    "",
    "| scope | | schedules | states | steps | depth | ends | s |",
    "|---|---|---:|---:|---:|---:|---:|---:|",
    ...rows,
  ];
}

const LONGEST = 90;

function firstLine(text: string): string {
  return text.split("\n", 1)[0] ?? "";
}

function mutantTable(results: readonly Result[]): string[] {
  const rows = results
    .filter(({ mistake }) => mistake !== null)
    .map(({ mistake, scope, failure, states, seconds }) => {
      const found =
        failure === null
          ? "**not found**"
          : firstLine(failure.message).slice(0, LONGEST).replaceAll("|", "\\|");
      return `| ${mistake} | ${scope} | ${found} | ${failure?.schedule.length ?? ""} | ${states.toLocaleString("en")} | ${seconds.toFixed(1)} |`;
    });
  return ["| mistake | scope | violation | steps | states | s |", "|---|---|---|---:|---:|---:|", ...rows];
}
