/** The options of the chaos run. */
import { Command, InvalidArgumentError, Option } from "commander";
import { MUTANTS, type Mutant } from "./mutants.ts";
import { CHOICES, chooseVariant, dashed, PLAIN, type Variant } from "./variant.ts";

export type Options = {
  /** How long faults strike. */
  readonly seconds: number;
  /** The same seed, the same plan of faults. */
  readonly seed: number;
  readonly mutant: Mutant | null;
  readonly variant: Variant;
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
    .option("--plain", "the shipped schema and faults alone: no choice but those given")
    .showHelpAfterError("(--help shows the options)")
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));
  for (const [name, values] of Object.entries(CHOICES))
    command.addOption(
      new Option(`--${dashed(name)} <choice>`, "instead of the seed's choice").choices(Object.keys(values)),
    );
  command.parse(args, { from: "user" });
  const { seconds, seed, mutant, plain, ...given } = command.opts<
    { seconds: number; seed: number; mutant?: string; plain?: true } & Partial<Variant>
  >();
  // A mistake is found under the conditions that it was made for.
  const base = plain === true || mutant !== undefined ? PLAIN : {};
  return {
    seconds,
    seed,
    mutant: mutant === undefined ? null : (MUTANTS[mutant] ?? null),
    variant: chooseVariant(seed, { ...base, ...given }),
  };
}

function wholeNumber(least: number): (text: string) => number {
  return (text) => {
    const number = /^[0-9]{1,9}$/.test(text) ? Number(text) : Number.NaN;
    if (number >= least) return number;
    throw new InvalidArgumentError(`A whole number from ${least} to 999999999 is expected.`);
  };
}
