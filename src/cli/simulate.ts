/** `metrics simulate`: what other windows, bounds or verdicts would have made of the recorded history. */
import { type Command, Option } from "commander";
import { systemClock } from "../clock.ts";
import { type Config, loadConfig } from "../config.ts";
import type { MetricSettings } from "../core/metric.ts";
import {
  type CommonFlags,
  collect,
  EXIT_CODES,
  examples,
  jsonOption,
  outputOption,
  projectOption,
  timeoutOption,
  wantsJson,
  wholeNumber,
} from "./options.ts";
import { otherSettings } from "./other-settings.ts";
import { ProgressLine } from "./progress-line.ts";
import type { Simulated, SimulateOptions } from "./read-simulation.ts";
import { safe, safeJson } from "./safe.ts";
import { renderSimulation } from "./simulate-text.ts";
import { type Terminal, wantsColour } from "./terminal.ts";

export type ReadSimulation = (config: Config, options: SimulateOptions) => Promise<Simulated>;

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

const USUAL_COLUMNS = 80;
const HEIGHT = 8;

const repeated = (flags: string, description: string) =>
  new Option(flags, description).argParser(collect).default([], "today's");

export function defineSimulate(
  command: Command,
  terminal: Terminal,
  read: ReadSimulation,
  done: (exitCode: number) => void,
): void {
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
    .option("--no-color", "no colours, even on a terminal")
    .addOption(timeoutOption("30s"))
    .addHelpText("after", EXIT_CODES)
    .action(async (flags: Flags) => {
      // Today's settings are the daemon's: what `--config` names is to be tried.
      const config = loadConfig(terminal.env);
      const metrics = changed(command, terminal, config, flags);
      const { timeout: timeoutMs, project: projects, last } = flags;
      const progress = new ProgressLine("simulating", terminal, systemClock);
      let simulated: Simulated;
      try {
        const options = {
          timeoutMs,
          metrics,
          projects,
          last,
          progress: (share: number) => progress.at(share),
        };
        simulated = await read(config, options);
      } finally {
        await progress.end();
      }
      await terminal.out(
        wantsJson(flags)
          ? `${safeJson(JSON.stringify(simulated.document, null, 2))}\n`
          : renderSimulation(
              flags.plot ? simulated : { ...simulated, plots: [] },
              { today: config.metrics, simulated: metrics },
              {
                columns: terminal.columns() ?? USUAL_COLUMNS,
                height: HEIGHT,
                ascii: flags.ascii === true || terminal.env["TERM"] === "dumb",
                colour: wantsColour(terminal, flags.color),
              },
            ),
      );
      done(0);
    });
}

function changed(command: Command, terminal: Terminal, config: Config, flags: Flags): MetricSettings[] {
  const { window, upper, lower, verdicts = null } = flags;
  if (flags.config === undefined && verdicts === null && window.length + upper.length + lower.length === 0)
    command.error("error: say what to simulate: --config, --window, --upper, --lower or --verdicts");
  const base = flags.config === undefined ? config : loadConfig(terminal.env, { configFile: flags.config });
  try {
    return otherSettings(base.metrics, { window, upper, lower, verdicts });
  } catch (error) {
    return command.error(`error: ${safe(error instanceof Error ? error.message : String(error), 500)}`);
  }
}
