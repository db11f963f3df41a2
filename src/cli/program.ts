/** The two executables: parse the command line, do what it says, and turn any outcome into an exit code. */
import { Command, CommanderError } from "commander";
import { ConfigError } from "../config.ts";
import { safe } from "../text/safe.ts";
import { VERSION } from "../version.ts";
import { defineMetrics, type Verbs } from "./commands.ts";
import { EXIT_CODES } from "./options.ts";
import { defineSnapshot } from "./snapshot-command.ts";
import { ReaderGone, type Terminal } from "./terminal.ts";

/** `snapshot` is `metrics snapshot`. */
export type Executable = "metrics" | "snapshot";

const EXIT = { done: 0, failure: 1, usage: 2 };
const HELP_COLUMNS = 100;
/** A message may be long; a line of it is not meant to fill the screen. */
const MESSAGE_WIDTH = 2_000;

/** @returns the exit code. Nothing is thrown: what goes wrong is told on standard error. */
export async function main(
  executable: Executable,
  args: readonly string[],
  terminal: Terminal,
  verbs: Verbs,
): Promise<number> {
  try {
    return await parse(executable, args, terminal, verbs);
  } catch (error) {
    if (error instanceof ReaderGone) return EXIT.done;
    for (const line of messageOf(error)) await terminal.err(`${executable}: ${line}\n`);
    return exitCodeOf(error);
  }
}

async function parse(
  executable: Executable,
  args: readonly string[],
  terminal: Terminal,
  verbs: Verbs,
): Promise<number> {
  let code = EXIT.done;
  const printed = { out: "", err: "" };
  const command = new Command(executable)
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
      // As every other line that we print on standard error begins.
      outputError: (text, write) => write(text.replace(/^error: /, `${executable}: `)),
      getOutHelpWidth: () => terminal.columns() ?? HELP_COLUMNS,
      getErrHelpWidth: () => HELP_COLUMNS,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    });
  const done = (outcome: number) => {
    code = outcome;
  };
  command.addHelpText("afterAll", EXIT_CODES);
  if (executable === "metrics") defineMetrics(command, terminal, verbs, done);
  else defineSnapshot(command, terminal, verbs.readSnapshot, done);
  try {
    await command.parseAsync(args, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    code = error.exitCode === 0 ? EXIT.done : EXIT.usage;
  }
  if (printed.err !== "") await terminal.err(printed.err);
  if (printed.out !== "") await terminal.out(printed.out);
  return code;
}

/** One line each; none of them can be mistaken for another's. */
export function messageOf(error: unknown): string[] {
  if (error instanceof ConfigError) return error.problems.map((problem) => safe(problem, MESSAGE_WIDTH));
  const message = error instanceof Error ? error.message : String(error);
  const told = hasExitCode(error) ? message : `unexpected failure: ${message.replaceAll("\n", " ")}`;
  return told.split("\n").map((line) => safe(line, MESSAGE_WIDTH));
}

function exitCodeOf(error: unknown): number {
  return hasExitCode(error) ? error.exitCode : EXIT.failure;
}

/** An error that says itself what it means to a caller: its message is made for people. */
function hasExitCode(error: unknown): error is Error & { readonly exitCode: number } {
  return error instanceof Error && "exitCode" in error && typeof error.exitCode === "number";
}
