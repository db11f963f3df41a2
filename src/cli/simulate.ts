/** `metrics simulate`: what other windows, bounds or verdicts would have made of the recorded history. */
import { Option } from "commander";
import type { MetricSettings } from "../core/metric.ts";
import { Failed } from "../failed.ts";
import { jsonText } from "../text/safe.ts";
import { reportUnknownProjects } from "./named.ts";
import { configOf, type Flags, formatOf, numberOption, projectOptions, sharedOptions } from "./options.ts";
import type { Changes } from "./other-settings.ts";
import { reading } from "./reading.ts";
import { meansOf, type Terminal } from "./terminal.ts";
import { ENVIRONMENT, type Verb } from "./verb.ts";

/** Rows of a plot. */
const HEIGHT = 8;

export const simulate: Verb = {
  name: "simulate",
  what: "replay the recorded merges under other windows, bounds or verdicts; nothing is written",
  examples: [
    "metrics simulate --window first_pass_merge_rate=30",
    "metrics simulate --upper trust=0.9 --lower trust=0.6",
    "metrics simulate --verdicts rebase_conflict,needs_rebase --project atlas",
    "metrics simulate --config ./stricter.json --json",
  ],
  environment: ENVIRONMENT.reader,
  exits: { 0: true, 1: "unexpected failure; --strict", 2: true, 3: true },
  options: [
    repeated("--window <metric=merges>", "another window"),
    repeated("--upper <gate=ratio>", "another upper bound of a gate or metric"),
    repeated("--lower <gate=ratio>", "another lower bound"),
    new Option("--verdicts <list>", "the verdicts that are rebase conflicts, separated by commas"),
    new Option("--config <file>", "the configuration file to simulate; flags change it further"),
    ...projectOptions("also this project", "all merges, and all projects together"),
    numberOption("--last <merges>", "plot only this many of the newest merges", 1, 500),
    new Option("--no-plot", "print numbers only"),
    new Option("--ascii", "plot in ASCII"),
    ...sharedOptions({ formats: ["json"], colour: true, timeout: "30s" }),
  ],
  async run(flags: Flags & Changes & { readonly plot: boolean }, cli) {
    const { terminal, work } = cli;
    // The daemon's configuration is today's; `--config` names the one to simulate.
    const config = await configOf(terminal, {});
    const metrics = await otherMetrics(config.metrics, flags, terminal);
    const { project: projects, last } = flags;
    const simulated = await reading("simulating", flags, terminal, (options) =>
      work.readSimulation(config, { metrics, projects, last, ...options }),
    );
    const { document } = simulated;
    if (formatOf(flags) === "json") await terminal.out(jsonText(document, 2));
    else {
      const { renderSimulation } = await import("./simulate-text.ts");
      const shown = flags.plot ? simulated : { document, plots: [] };
      const settings = { today: config.metrics, simulated: metrics };
      await terminal.out(renderSimulation(shown, settings, { ...meansOf(terminal, flags), height: HEIGHT }));
    }
    return reportUnknownProjects(flags, config, cli, (name) =>
      document.lines.some(({ project }) => project === name),
    );
  },
};

function repeated(flags: string, what: string): Option {
  return new Option(flags, `${what}; may be repeated`)
    .argParser((value: string, before: readonly string[]) => [...before, value])
    .default([], "today's");
}

/** Today's settings or a file's, changed as the flags say. @throws Failed */
async function otherMetrics(
  today: readonly MetricSettings[],
  flags: Flags & Changes,
  terminal: Terminal,
): Promise<readonly MetricSettings[]> {
  const { window, upper, lower, verdicts, config } = flags;
  if (config === undefined && verdicts === undefined && [...window, ...upper, ...lower].length === 0)
    throw new Failed(2, "nothing to simulate: give --config, --window, --upper, --lower or --verdicts");
  const { otherSettings } = await import("./other-settings.ts");
  return otherSettings(config === undefined ? today : (await configOf(terminal, flags)).metrics, flags);
}
