/** The flags that verbs share, and how examples and exit codes are shown. */
import { Argument, InvalidArgumentError, Option } from "commander";
import { parseDuration } from "../config/duration.ts";
import { METRIC_NAMES, type MetricName } from "../core/metric.ts";

export type CommonFlags = {
  readonly config?: string;
  readonly json?: boolean;
  readonly output?: "text" | "json" | "jsonl";
};

export const EXIT_CODES = `
Exit codes:
  0  done, undefined values included
  1  unexpected failure; health: not well; verify: a difference; --at: no record of it
  2  usage or configuration error, nothing was contacted
  3  database unreachable, timed out, refused, or not fit
  4  --require-defined and something is undefined
`;

export function examples(...lines: readonly string[]): string {
  return `Examples:\n${lines.map((line) => `  ${line}\n`).join("")}`;
}

export function configOption(): Option {
  return new Option("--config <file>", "configuration file, instead of METRICS_CONFIG_FILE");
}

export function jsonOption(): Option {
  return new Option("--json", "nothing but JSON on standard output").conflicts("output");
}

/** @param more formats beside text and json. */
export function outputOption(...more: readonly "jsonl"[]): Option {
  return new Option("-o, --output <format>", "the same, as a choice").choices(["text", "json", ...more]);
}

export function colourOption(): Option {
  return new Option("--no-color", "no colours, even on a terminal");
}

export function timeoutOption(usual: string): Option {
  return new Option(
    "--timeout <duration>",
    "give up when an answer takes longer than this, such as 500ms or 5s",
  )
    .argParser(durationOf(1, 3_600_000))
    .default(parseDuration(usual), usual);
}

export function collect(value: string, before: readonly string[]): string[] {
  return [...before, value];
}

export function wantsJson(flags: CommonFlags): boolean {
  return flags.json === true || flags.output === "json";
}

/** A whole number within bounds. */
export function wholeNumber(from: number, to: number): (text: string) => number {
  return (text) => {
    const number = /^[0-9]{1,9}$/.test(text) ? Number(text) : Number.NaN;
    if (number >= from && number <= to) return number;
    throw new InvalidArgumentError(`It must be a whole number from ${from} to ${to}.`);
  };
}

/** A metric, by its name or by what no other name begins with. */
export function metricArgument(usual: string): Argument {
  return new Argument(
    "[metric]",
    `${METRIC_NAMES.join(", ")}, or how it begins (default: ${usual})`,
  ).argParser(metricOf);
}

function metricOf(text: string): MetricName {
  const found = METRIC_NAMES.filter((name) => name.startsWith(text));
  const [name] = found;
  if (name !== undefined && found.length === 1) return name;
  throw new InvalidArgumentError(
    `It must be one of ${METRIC_NAMES.join(", ")}, or how just one of them begins.`,
  );
}

export function projectOption(usual: string): Option {
  return new Option("--project <name>", "only this project; may be repeated")
    .argParser((name: string, before: readonly string[]) =>
      collect(given(name, "the name of a project"), before),
    )
    .default([], usual);
}

/** Refuses an empty value, such as a script's variable that is not set leaves. */
export function given(value: string, what: string): string {
  if (value !== "") return value;
  throw new InvalidArgumentError(`It must be ${what}.`);
}

/** Milliseconds, from a duration within bounds. */
export function durationOf(fromMs: number, toMs: number): (text: string) => number {
  return (text) => {
    const ms = parseDuration(text);
    if (ms !== null && ms >= fromMs && ms <= toMs) return ms;
    throw new InvalidArgumentError(
      `It must be a duration from ${fromMs}ms to ${toMs / 60_000}m, such as 500ms or 5s.`,
    );
  };
}

const LARGEST_ID = 2n ** 63n - 1n;

/** The id of an event, a bigint. */
export function eventOf(text: string): bigint {
  const id = /^[0-9]{1,19}$/.test(text) ? BigInt(text) : null;
  if (id !== null && id <= LARGEST_ID) return id;
  throw new InvalidArgumentError("It must be the id of an event, such as 48213.");
}

export function formatOf(flags: CommonFlags): "text" | "json" | "jsonl" {
  return flags.json === true ? "json" : (flags.output ?? "text");
}
