/** The flags of `metrics history`. */
import { type Command, Option } from "commander";
import type { MetricName } from "../core/metric.ts";
import type { HistoryFlags, ReadHistory } from "./history.ts";
import {
  type CommonFlags,
  colourOption,
  configOption,
  examples,
  formatOf,
  given,
  jsonOption,
  metricArgument,
  outputOption,
  projectOption,
  timeoutOption,
  wholeNumber,
} from "./options.ts";
import type { Terminal } from "./terminal.ts";

type Flags = CommonFlags & {
  readonly project: readonly string[];
  readonly last: number;
  readonly ascii?: boolean;
  readonly svg?: string;
  readonly color: boolean;
  readonly timeout: number;
};

export function defineHistory(
  command: Command,
  terminal: Terminal,
  read: ReadHistory,
  done: (exitCode: number) => void,
): void {
  command
    .description("plot metrics over the merges, with bounds, gaps and crossings")
    .addHelpText(
      "before",
      examples(
        "metrics history",
        "metrics history first_pass_merge_rate --last 1000",
        "metrics history rebase_conflict_rate --project atlas --svg atlas.svg",
        "metrics history first -o jsonl | jq -r '[.seq, .value] | @csv'",
      ),
    )
    .addArgument(metricArgument("all"))
    .addOption(projectOption("all merges"))
    .addOption(
      new Option("--last <merges>", "how many of the newest merges")
        .argParser(wholeNumber(1, 100_000))
        .default(500),
    )
    .option("--ascii", "nothing but ASCII in the plot")
    .addOption(
      new Option("--svg <file>", "write the chart of one metric as an SVG document; - for standard output")
        .argParser((file) => given(file, "a file, or - for standard output"))
        .conflicts(["json", "output"]),
    )
    .addOption(jsonOption())
    .addOption(outputOption("jsonl"))
    .addOption(colourOption())
    .addOption(configOption())
    .addOption(timeoutOption("30s"))
    .action(async (metric: MetricName | undefined, flags: Flags) => {
      if (flags.svg !== undefined && (metric === undefined || flags.project.length > 1))
        command.error("error: --svg draws one chart: name a metric, and at most one project");
      const chosen: HistoryFlags = {
        configFile: flags.config,
        metric: metric ?? null,
        projects: flags.project,
        last: flags.last,
        format: formatOf(flags),
        ascii: flags.ascii ?? false,
        colour: flags.color,
        svg: flags.svg ?? null,
        timeoutMs: flags.timeout,
      };
      const { showHistory } = await import("./history.ts");
      done(await showHistory(chosen, terminal, read));
    });
}
