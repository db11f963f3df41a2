/** The flags of `metrics explain`. */
import type { Command } from "commander";
import type { MetricName } from "../core/metric.ts";
import type { ExplainFlags, ReadExplanations } from "./explain.ts";
import {
  type CommonFlags,
  colourOption,
  configOption,
  examples,
  jsonOption,
  metricArgument,
  outputOption,
  projectOption,
  timeoutOption,
  wantsJson,
} from "./options.ts";
import type { Terminal } from "./terminal.ts";

type Flags = CommonFlags & {
  readonly project: readonly string[];
  readonly ascii?: boolean;
  readonly color: boolean;
  readonly timeout: number;
};

export function defineExplain(
  command: Command,
  terminal: Terminal,
  read: ReadExplanations,
  done: (exitCode: number) => void,
): void {
  command
    .description("show the merges behind a number, which leaves next, and what it takes to move the gate")
    .addHelpText(
      "before",
      examples(
        "metrics explain",
        "metrics explain first_pass_merge_rate",
        "metrics explain rebase_conflict_rate --project atlas",
        "metrics explain first --json | jq '.explanations[0].moves'",
      ),
    )
    .addArgument(metricArgument("all, without the list of merges"))
    .addOption(projectOption("all merges"))
    .option("--ascii", "nothing but ASCII for the window")
    .addOption(jsonOption())
    .addOption(outputOption())
    .addOption(colourOption())
    .addOption(configOption())
    .addOption(timeoutOption("10s"))
    .action(async (metric: MetricName | undefined, flags: Flags) => {
      const chosen: ExplainFlags = {
        configFile: flags.config,
        metric: metric ?? null,
        projects: flags.project,
        json: wantsJson(flags),
        ascii: flags.ascii ?? false,
        colour: flags.color,
        timeoutMs: flags.timeout,
      };
      const { showExplanations } = await import("./explain.ts");
      done(await showExplanations(chosen, terminal, read));
    });
}
