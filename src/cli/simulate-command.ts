/** The flags of `metrics simulate`. */
import { type Command, Option } from "commander";
import {
  type CommonFlags,
  collect,
  colourOption,
  examples,
  jsonOption,
  outputOption,
  projectOption,
  timeoutOption,
  wantsJson,
  wholeNumber,
} from "./options.ts";
import type { ReadSimulation, SimulateFlags } from "./simulate.ts";
import type { Terminal } from "./terminal.ts";

type Flags = CommonFlags & {
  readonly window: readonly string[];
  readonly upper: readonly string[];
  readonly lower: readonly string[];
  readonly verdicts?: string;
  readonly project: readonly string[];
  readonly last: number;
  readonly plot: boolean;
  readonly ascii?: boolean;
  readonly color: boolean;
  readonly timeout: number;
};

const repeated = (flags: string, description: string) =>
  new Option(flags, description).argParser(collect).default([], "today's");

export function defineSimulate(
  command: Command,
  terminal: Terminal,
  read: ReadSimulation,
  done: (exitCode: number) => void,
): void {
  const refuse = (why: string) => command.error(`error: ${why}`);
  command
    .description("replay the recorded merges under other windows, bounds or verdicts; nothing is written")
    .addHelpText(
      "before",
      examples(
        "metrics simulate --window first_pass_merge_rate=30",
        "metrics simulate --upper trust=0.9 --lower trust=0.6",
        "metrics simulate --verdicts rebase_conflict,needs_rebase --project atlas",
        "metrics simulate --config ./stricter.json --json",
      ),
    )
    .addOption(repeated("--window <metric=merges>", "another window; may be repeated"))
    .addOption(repeated("--upper <gate=ratio>", "another upper bound of a gate or metric; may be repeated"))
    .addOption(repeated("--lower <gate=ratio>", "another lower bound; may be repeated"))
    .option("--verdicts <list>", "the verdicts that are rebase conflicts, separated by commas")
    .option("--config <file>", "the configuration file to simulate; flags change it further")
    .addOption(projectOption("all merges, and all projects together"))
    .addOption(
      new Option("--last <merges>", "how many of the newest merges are plotted")
        .argParser(wholeNumber(1, 100_000))
        .default(500),
    )
    .option("--no-plot", "numbers alone")
    .option("--ascii", "nothing but ASCII in the plots")
    .addOption(jsonOption())
    .addOption(outputOption())
    .addOption(colourOption())
    .addOption(timeoutOption("30s"))
    .action(async (flags: Flags) => {
      const { window, upper, lower, verdicts = null } = flags;
      const chosen: SimulateFlags = {
        configFile: flags.config,
        changes: { window, upper, lower, verdicts },
        projects: flags.project,
        last: flags.last,
        plot: flags.plot,
        json: wantsJson(flags),
        ascii: flags.ascii ?? false,
        colour: flags.color,
        timeoutMs: flags.timeout,
      };
      const { showSimulation } = await import("./simulate.ts");
      done(await showSimulation(chosen, terminal, read, refuse));
    });
}
