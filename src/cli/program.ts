/** The two executables: parse the command line, run the verb, and turn any outcome into an exit code. */
import { Command, CommanderError } from "commander";
import { safe } from "../text/safe.ts";
import { VERSION } from "../version.ts";
import { defineCompletion } from "./completion.ts";
import { defineConfig } from "./config.ts";
import { defineExplain } from "./explain.ts";
import { defineHealth } from "./health.ts";
import { describe, ENVIRONMENT, HELP_COLUMNS } from "./help.ts";
import { defineHistory } from "./history.ts";
import { defineRun } from "./run.ts";
import { defineSchema } from "./schema.ts";
import { defineSimulate } from "./simulate.ts";
import { defineSnapshot } from "./snapshot.ts";
import { processTerminal, ReaderGone, type Terminal } from "./terminal.ts";
import { type Cli, VERBS, type Verbs } from "./verbs.ts";
import { defineVerify } from "./verify.ts";

/** `snapshot` is `metrics snapshot`. */
export type Executable = "metrics" | "snapshot";

const EXIT = { done: 0, failure: 1, usage: 2 };
/** A message may be long, but not fill the screen. */
const MESSAGE_WIDTH = 2_000;

/** Ends the process with the exit code of what its arguments ask for. */
export async function enter(executable: Executable): Promise<never> {
  // Unhandled rejections arrive here as well. Afterwards nothing is known to be sound.
  process.on("uncaughtException", (error) => {
    process.stderr.write(`${executable}: ${messageOf(error).join(" ")}\n`, () => process.exit(1));
  });
  process.exit(await main(executable, process.argv.slice(2), processTerminal, VERBS));
}

/** @returns the exit code. Throws nothing: failures are reported on standard error. */
export async function main(
  executable: Executable,
  args: readonly string[],
  terminal: Terminal,
  verbs: Verbs,
): Promise<number> {
  let code = EXIT.done;
  const done = (outcome: number) => {
    code = outcome;
  };
  const printed = { out: "", err: "" };
  const command = emptyCommand(executable, terminal, printed);
  (executable === "metrics" ? defineMetrics : defineSnapshot)(command, { terminal, verbs, done });
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
    return exitCodeOf(error) ?? EXIT.failure;
  }
}

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

export function defineMetrics(command: Command, cli: Cli): void {
  describe(command, {
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
  });
  defineRun(command.command("run"), cli);
  defineSnapshot(command.command("snapshot"), cli);
  defineHistory(command.command("history"), cli);
  defineExplain(command.command("explain"), cli);
  defineSimulate(command.command("simulate"), cli);
  defineVerify(command.command("verify"), cli);
  defineConfig(command.command("config"), cli);
  defineHealth(command.command("health"), cli);
  defineSchema(command.command("schema"), cli);
  defineCompletion(command.command("completion"), command, cli);
}

/** Lines that no text from outside can forge. An error with an exit code is written for people; any other is unexpected. */
function messageOf(error: unknown): string[] {
  const message = error instanceof Error ? error.message : String(error);
  const lines =
    exitCodeOf(error) === null
      ? [`unexpected failure: ${message.replaceAll("\n", " ")}`]
      : (problemsOf(error) ?? message.split("\n"));
  return lines.map((line) => safe(line, MESSAGE_WIDTH));
}

function exitCodeOf(error: unknown): number | null {
  return error instanceof Error && "exitCode" in error && typeof error.exitCode === "number"
    ? error.exitCode
    : null;
}

/** What a ConfigError lists. Recognised by its shape: its class would load the configuration's libraries. */
function problemsOf(error: unknown): readonly string[] | null {
  return error instanceof Error && "problems" in error ? (error.problems as readonly string[]) : null;
}
