/** Flags that several verbs have, and the parts of their help texts. */
import { Argument, InvalidArgumentError, Option } from "commander";
import { parseDuration } from "../config/duration.ts";
import type { Config } from "../config.ts";
import type { Terminal } from "./terminal.ts";

type Format = "text" | "json" | "jsonl";

/** As they were given. A verb has those whose options it adds. */
export type Flags = {
  readonly json?: boolean;
  readonly output?: Format;
  readonly color: boolean;
  readonly config?: string;
  /** Milliseconds. */
  readonly timeout: number;
  readonly project: readonly string[];
  /** Exit with 1 if a project has no merges. */
  readonly strict?: boolean;
  /** Entries of a list. */
  readonly limit: number;
  /** How many of the newest merges. */
  readonly last: number;
  readonly ascii?: boolean;
};

/** Options that most verbs have, in the order of every help text. */
export function sharedOptions(has: {
  /** Beside text. */
  readonly formats?: readonly Format[];
  readonly colour?: boolean;
  readonly config?: boolean;
  /** The usual timeout. */
  readonly timeout?: string;
}): Option[] {
  const { formats, colour = false, config = false, timeout } = has;
  const options: Option[] = [];
  if (formats !== undefined)
    options.push(
      new Option("--json", "print nothing but JSON on standard output").conflicts("output"),
      new Option("-o, --output <format>", "output format").choices(["text", ...formats]),
    );
  if (colour) options.push(new Option("--no-color", "no colours, even on a terminal"));
  if (config)
    options.push(new Option("--config <file>", "configuration file, instead of METRICS_CONFIG_FILE"));
  if (timeout !== undefined)
    options.push(
      new Option("--timeout <duration>", "give up when an answer takes longer than this")
        .argParser(durationOf(1, 3_600_000))
        .default(parseDuration(timeout), timeout),
    );
  return options;
}

export function formatOf({ json, output }: Flags): Format {
  return json === true ? "json" : (output ?? "text");
}

/** @throws Failed */
export async function configOf(
  { env }: Terminal,
  { config: configFile }: Pick<Flags, "config">,
): Promise<Config> {
  // Loads zod, which takes longer than everything that a help text needs.
  const { loadConfig } = await import("../config.ts");
  return loadConfig(env, { configFile });
}

/** Read by `metricNamed` once the configuration says which gates there are. */
export function metricArgument(usual: string): Argument {
  return new Argument("[metric]", `a metric, its gate, or the beginning of either (default: ${usual})`);
}

/** @param usual what is shown without it. */
export function projectOptions(what: string, usual: string): Option[] {
  return [
    new Option("--project <name>", `${what}; may be repeated`)
      .argParser((name: string, before: readonly string[]) => [
        ...before,
        given(name, "the name of a project"),
      ])
      .default([], usual),
    new Option("--strict", "exit with 1 when a project of --project has no merges"),
  ];
}

/** Refuses an empty value: the shell passes one for an unset variable. */
export function given(value: string, what: string): string {
  if (value !== "") return value;
  throw new InvalidArgumentError(`It must be ${what}.`);
}

/** A whole number up to 100000. */
export function numberOption(flags: string, what: string, from: number, usual: number): Option {
  return new Option(flags, what)
    .argParser((text) => {
      const number = /^[0-9]{1,9}$/.test(text) ? Number(text) : Number.NaN;
      if (number >= from && number <= 100_000) return number;
      throw new InvalidArgumentError(`It must be a whole number from ${from} to 100000.`);
    })
    .default(usual);
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
