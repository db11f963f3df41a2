/** `metrics simulate`: what other windows, bounds or verdicts would have made of the recorded history. */
import { type Command, Option } from "commander";
import type { Config } from "../config.ts";
import type { MetricSettings } from "../core/metric.ts";
import { jsonText, safe } from "../text/safe.ts";
import { describe, ENVIRONMENT } from "./help.ts";
import {
  configOf,
  formatOf,
  numberOption,
  projectOption,
  type SharedFlags,
  shared,
  strictOption,
} from "./options.ts";
import type { Changes } from "./other-settings.ts";
import type { Simulated } from "./read-simulation.ts";
import { reading } from "./reading.ts";
import type { BothSettings } from "./simulate-text.ts";
import { meansOf, type Terminal } from "./terminal.ts";
import { reportUnknownProjects } from "./unknown-projects.ts";
import type { Cli } from "./verbs.ts";

type Flags = SharedFlags &
  Changes & {
    readonly project: readonly string[];
    readonly strict?: boolean;
    readonly last: number;
    readonly plot: boolean;
    readonly ascii?: boolean;
  };

/** Rows of a plot. */
const HEIGHT = 8;

export function defineSimulate(command: Command, cli: Cli): void {
  describe(command, {
    what: "replay the recorded merges under other windows, bounds or verdicts; nothing is written",
    examples: [
      "metrics simulate --window first_pass_merge_rate=30",
      "metrics simulate --upper trust=0.9 --lower trust=0.6",
      "metrics simulate --verdicts rebase_conflict,needs_rebase --project atlas",
      "metrics simulate --config ./stricter.json --json",
    ],
    environment: ENVIRONMENT.reader,
    exits: { 0: true, 1: "unexpected failure; --strict", 2: true, 3: true },
  })
    .addOption(repeated("--window <metric=merges>", "another window"))
    .addOption(repeated("--upper <gate=ratio>", "another upper bound of a gate or metric"))
    .addOption(repeated("--lower <gate=ratio>", "another lower bound"))
    .option("--verdicts <list>", "the verdicts that are rebase conflicts, separated by commas")
    .option("--config <file>", "the configuration file to simulate; flags change it further")
    .addOption(projectOption("also this project; may be repeated", "all merges, and all projects together"))
    .addOption(strictOption())
    .addOption(numberOption("--last <merges>", "plot only this many of the newest merges", 1, 500))
    .option("--no-plot", "print numbers only")
    .option("--ascii", "plot in ASCII");
  shared(command, { formats: ["json"], colour: true, timeout: "30s" }).action(async (flags: Flags) => {
    // The daemon's configuration is today's; `--config` names the one to simulate.
    const { env } = cli.terminal;
    const today = await configOf(env, {});
    const { metrics } = flags.config === undefined ? today : await configOf(env, flags);
    const { otherSettings } = await import("./other-settings.ts");
    const { window, upper, lower, verdicts, config } = flags;
    if (config === undefined && verdicts === undefined && [...window, ...upper, ...lower].length === 0)
      return command.error(
        "error: nothing to simulate: give --config, --window, --upper, --lower or --verdicts",
      );
    let changed: MetricSettings[];
    try {
      changed = otherSettings(metrics, flags);
    } catch (error) {
      return command.error(`error: ${safe(error instanceof Error ? error.message : String(error), 500)}`);
    }
    cli.done(await simulate(today, changed, flags, cli));
    return undefined;
  });
}

function repeated(flags: string, what: string): Option {
  return new Option(flags, `${what}; may be repeated`)
    .argParser((value: string, before: readonly string[]) => [...before, value])
    .default([], "today's");
}

async function simulate(
  config: Config,
  metrics: readonly MetricSettings[],
  flags: Flags,
  { terminal, verbs }: Cli,
): Promise<number> {
  const { timeout: timeoutMs, project: projects, last } = flags;
  const simulated = await reading("simulating", terminal, (heard) =>
    verbs.readSimulation(config, { timeoutMs, metrics, projects, last, ...heard }),
  );
  await terminal.out(
    formatOf(flags) === "json"
      ? jsonText(simulated.document, 2)
      : await textOf(simulated, { today: config.metrics, simulated: metrics }, flags, terminal),
  );
  return reportUnknownProjects(
    flags,
    (name) => simulated.document.lines.some(({ project }) => project === name),
    async () => (await verbs.readSnapshot(config, { timeoutMs })).projects,
    terminal,
  );
}

async function textOf(
  simulated: Simulated,
  settings: BothSettings,
  flags: Flags,
  terminal: Terminal,
): Promise<string> {
  const { renderSimulation } = await import("./simulate-text.ts");
  const plotted = flags.plot ? simulated : { ...simulated, plots: [] };
  return renderSimulation(plotted, settings, { ...meansOf(terminal, flags), height: HEIGHT });
}
