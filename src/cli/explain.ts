/** `metrics explain`: the merges behind a number, which one leaves next, and how many it takes to move the gate. */
import type { Command } from "commander";
import { type Config, loadConfig } from "../config.ts";
import type { Explanations } from "../core/explanation.ts";
import type { MetricName } from "../core/metric.ts";
import { renderExplanations } from "./explain-text.ts";
import {
  type CommonFlags,
  configOption,
  EXIT_CODES,
  examples,
  jsonOption,
  metricArgument,
  outputOption,
  projectOption,
  timeoutOption,
  wantsJson,
} from "./options.ts";
import type { ExplainOptions } from "./read-explanation.ts";
import { safe, safeJson } from "./safe.ts";
import { type Terminal, wantsColour } from "./terminal.ts";

export type ReadExplanations = (config: Config, options: ExplainOptions) => Promise<Explanations>;

type Flags = CommonFlags & {
  readonly project: readonly string[];
  readonly ascii?: boolean;
  readonly color: boolean;
  readonly timeout: number;
};

const USUAL_COLUMNS = 80;

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
    .option("--no-color", "no colours, even on a terminal")
    .addOption(configOption())
    .addOption(timeoutOption("10s"))
    .addHelpText("after", EXIT_CODES)
    .action(async (metric: MetricName | undefined, flags: Flags) => {
      const config = loadConfig(terminal.env, { configFile: flags.config });
      const options = { timeoutMs: flags.timeout, metric: metric ?? null, projects: flags.project };
      const document = await read(config, options);
      await terminal.out(
        wantsJson(flags)
          ? `${safeJson(JSON.stringify(document, null, 2))}\n`
          : renderExplanations(document.explanations, {
              columns: terminal.columns() ?? USUAL_COLUMNS,
              ascii: flags.ascii === true || terminal.env["TERM"] === "dumb",
              colour: wantsColour(terminal, flags.color),
              list: metric !== undefined,
            }),
      );
      await tellMissing(document, flags.project, terminal);
      done(0);
    });
}

/** What a reader might wonder about, on standard error: projects nobody has heard of, and merges on their way. */
async function tellMissing(
  { explanations, lag }: Explanations,
  projects: readonly string[],
  terminal: Terminal,
): Promise<void> {
  for (const project of new Set(projects)) {
    if (!explanations.some((one) => one.project === project))
      await terminal.err(`project ${safe(project)}: no merges recorded\n`);
  }
  if (lag.merges > 0) await terminal.err(`${lag.merges} merges are due and not in these numbers yet\n`);
}
