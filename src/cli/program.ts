/** The two executables: parse the command line, run the verb, and turn any outcome into an exit code. */
import { Command, CommanderError } from "commander";
import { Failed } from "../failed.ts";
import { safe } from "../text/safe.ts";
import { VERSION } from "../version.ts";
import { completion } from "./completion.ts";
import { config } from "./config.ts";
import { explain } from "./explain.ts";
import { health } from "./health.ts";
import { history } from "./history.ts";
import { run } from "./run.ts";
import { schema } from "./schema.ts";
import { simulate } from "./simulate.ts";
import { snapshot } from "./snapshot.ts";
import { processTerminal, ReaderGone, type Terminal } from "./terminal.ts";
import { define, describe, ENVIRONMENT, HELP_COLUMNS, type Verb, WORK, type Work } from "./verb.ts";
import { verify } from "./verify.ts";

/** `snapshot` is `metrics snapshot`. */
export type Executable = "metrics" | "snapshot";

/** In the order of the help text. */
export const VERBS: readonly Verb[] = [
  run,
  snapshot,
  history,
  explain,
  simulate,
  verify,
  config,
  health,
  schema,
  completion,
];

const EXIT = { done: 0, failure: 1, usage: 2 };
/** A message may be long, but not fill the screen. */
const MESSAGE_WIDTH = 2_000;

/** Runs the command line and ends the process with its exit code. */
export async function enter(executable: Executable): Promise<never> {
  // Unhandled rejections arrive here as well. The process's state is unknown afterwards, so it ends.
  process.on("uncaughtException", (error) => {
    process.stderr.write(`${executable}: ${messageOf(error).join(" ")}\n`, () => process.exit(1));
  });
  process.exit(await main(executable, process.argv.slice(2), processTerminal, WORK));
}

/** @returns the exit code. Throws nothing: failures are reported on standard error. */
export async function main(
  executable: Executable,
  args: readonly string[],
  terminal: Terminal,
  work: Work,
): Promise<number> {
  let code = EXIT.done;
  const printed = { out: "", err: "" };
  const command = emptyCommand(executable, terminal, printed);
  const verbs = executable === "snapshot" ? [snapshot] : VERBS;
  for (const verb of verbs) {
    const own = executable === "snapshot" ? command : command.command(verb.name);
    define(own, verb, { terminal, work, verbs }, (outcome) => {
      code = outcome;
    });
  }
  if (executable === "metrics") describe(command, METRICS);
  try {
    await command.parseAsync(args, { from: "user" }).catch((error: unknown) => {
      if (!(error instanceof CommanderError)) throw error;
      code = error.exitCode === 0 ? EXIT.done : EXIT.usage;
    });
    if (printed.err !== "") await terminal.err(printed.err);
    if (printed.out !== "") await terminal.out(printed.out);
    return code;
  } catch (error) {
    if (error instanceof ReaderGone) return EXIT.done;
    for (const line of messageOf(error)) await terminal.err(`${executable}: ${line}\n`);
    return error instanceof Failed ? error.exitCode : EXIT.failure;
  }
}

const METRICS = {
  what: "rolling merge metrics and policy gates for the Damascus orchestrator",
  examples: ["metrics run", "metrics snapshot", "metrics explain trust", "metrics config --check"],
  environment: ENVIRONMENT.settings,
  exits: {
    0: true,
    1: "unexpected failure; verify: a difference; health: not ready",
    2: true,
    3: true,
    4: "snapshot --require-defined, and a value is undefined",
  },
} as const;

/** @param printed collects what commander prints by itself: help texts and usage errors. */
function emptyCommand(
  executable: Executable,
  { columns }: Terminal,
  printed: { out: string; err: string },
): Command {
  return new Command(executable)
    .version(VERSION)
    .exitOverride()
    .showHelpAfterError("(--help shows how it is used)")
    .configureOutput({
      writeOut: (text) => {
        printed.out += text;
      },
      writeErr: (text) => {
        printed.err += text;
      },
      // Every line on standard error begins with the name of the executable.
      outputError: (text, write) => write(text.replace(/^error: /, `${executable}: `)),
      getOutHelpWidth: () => Math.min(columns() ?? HELP_COLUMNS, HELP_COLUMNS),
      getErrHelpWidth: () => HELP_COLUMNS,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    });
}

/** Text from outside cannot forge a line. */
function messageOf(error: unknown): string[] {
  const message = error instanceof Error ? error.message : String(error);
  const lines =
    error instanceof Failed ? message.split("\n") : [`unexpected failure: ${message.replaceAll("\n", " ")}`];
  return lines.map((line) => safe(line, MESSAGE_WIDTH));
}
