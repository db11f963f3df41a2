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

/** What is merged by hand, and how many times. */
export type MergeOptions = {
  readonly project: string;
  readonly attempts: number;
  readonly conflict: boolean;
  readonly count: number;
};

export type DemoCommand =
  | { readonly verb: "play"; readonly options: DemoOptions }
  | { readonly verb: "merge"; readonly options: MergeOptions }
  | { readonly verb: "sql"; readonly statement: string };

/** Prints help and exits with 0, or an error and exits with 2. */
export function demoCommand(args: readonly string[]): DemoCommand {
  let asked: DemoCommand | undefined;
  const demo = storyCommand("npm run demo --")
    .description("The real daemon, a throwaway PostgreSQL, and an orchestrator that merges work items.")
    .option("--exit", "end after the first snapshot")
    .action(({ exit }: { exit?: true }) => {
      asked = { verb: "play", options: { ...story(demo), exit: exit === true } };
    });
  demo
    .command("merge")
    .description("Merges work items in the demo that runs, and prints what the daemon recorded.")
    .option("--project <name>", "whose work items", "atlas")
    .option("--attempts <number>", "builds that each one took; 1 is a first pass", wholeNumber(1), 1)
    .option("--conflict", "their last verdict was a rebase conflict")
    .option("--count <number>", "how many, one after the other", wholeNumber(1), 1)
    .action(({ conflict, ...facts }: Omit<MergeOptions, "conflict"> & { conflict?: true }) => {
      asked = { verb: "merge", options: { ...facts, conflict: conflict === true } };
    });
  demo
    .command("sql <statement>")
    .description("Runs SQL in the database of the demo that runs, as its owner; prints each row as JSON.")
    .action((statement: string) => {
      asked = { verb: "sql", statement };
    });
  demo.parse(args, { from: "user" });
  if (asked === undefined) throw new Error("no command was chosen");
  return asked;
}

/** As demoCommand. */
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
