/** The options that the demo and the orchestrator alone share. */
import { Command, InvalidArgumentError } from "commander";
import { WHOLE_STORY } from "./scenario.ts";

/** Merges per second: the whole story within a minute, and slow enough to be followed. */
const PACE = 6.5;

export type StoryOptions = {
  readonly merges: number;
  /** Merges per second. */
  readonly pace: number;
  readonly seed: number;
};
export type DemoOptions = StoryOptions & { readonly exit: boolean };

/** Prints help and exits with 0, or an error and exits with 2. */
export function demoOptions(args: readonly string[]): DemoOptions {
  const command = storyCommand("npm run demo --")
    .description("The real daemon, a throwaway PostgreSQL, and an orchestrator that merges work items.")
    .option("--exit", "end after the first snapshot")
    .parse(args, { from: "user" });
  return { ...story(command), exit: command.opts<{ exit?: true }>().exit === true };
}

/** As demoOptions. */
export function orchestratorOptions(name: string, args: readonly string[]): StoryOptions {
  const command = storyCommand(name)
    .description("Moves work items to merged in the database DATABASE_URL, until it is stopped.")
    .parse(args, { from: "user" });
  return story(command);
}

function storyCommand(name: string): Command {
  return new Command(name)
    .option("--merges <number>", "merges before it turns idle", wholeNumber(1), WHOLE_STORY)
    .option("--fast", "as fast as the database takes them")
    .option("--seed <number>", "another story", wholeNumber(0), 1)
    .helpOption("-h, --help", "show this help")
    .showHelpAfterError("(--help shows the options)")
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));
}

function story(command: Command): StoryOptions {
  const { merges, seed, fast } = command.opts<{ merges: number; seed: number; fast?: true }>();
  return { merges, seed, pace: fast === true ? Number.POSITIVE_INFINITY : PACE };
}

function wholeNumber(least: number): (text: string) => number {
  return (text) => {
    const number = /^[0-9]{1,9}$/.test(text) ? Number(text) : Number.NaN;
    if (number >= least) return number;
    throw new InvalidArgumentError(`A whole number from ${least} to 999999999 is expected.`);
  };
}
