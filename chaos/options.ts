/** The options of the chaos run. */
import { Command, InvalidArgumentError, Option } from "commander";
import { MUTANTS, type Mutant } from "./mutants.ts";

export type Options = {
  /** How long faults strike. */
  readonly seconds: number;
  /** The same seed, the same plan of faults. */
  readonly seed: number;
  readonly mutant: Mutant | null;
};

/** Prints help and exits with 0, or an error and exits with 2. */
export function parseOptions(args: readonly string[]): Options {
  const command = new Command("npm run chaos --")
    .description("Three daemons, an orchestrator, and everything that can go wrong; then the log is judged.")
    .option("--seconds <number>", "how long faults strike", wholeNumber(1), 30)
    .option("--seed <number>", "another plan of faults", wholeNumber(0), 1)
    .addOption(
      new Option(
        "--mutant <name>",
        "with a mistake put into a copy of the daemon: it must be caught",
      ).choices(Object.keys(MUTANTS)),
    )
    .showHelpAfterError("(--help shows the options)")
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
    .parse(args, { from: "user" });
  const { mutant, ...given } = command.opts<{ seconds: number; seed: number; mutant?: string }>();
  return { ...given, mutant: mutant === undefined ? null : (MUTANTS[mutant] ?? null) };
}

function wholeNumber(least: number): (text: string) => number {
  return (text) => {
    const number = /^[0-9]{1,9}$/.test(text) ? Number(text) : Number.NaN;
    if (number >= least) return number;
    throw new InvalidArgumentError(`A whole number from ${least} to 999999999 is expected.`);
  };
}
