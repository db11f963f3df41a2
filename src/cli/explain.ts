/** `metrics explain`: the merges behind a number, which one leaves next, and how many it takes to move the gate. */
import type { Command } from "commander";
import type { MetricName } from "../core/metric.ts";
import { count } from "../text/figures.ts";
import { jsonText, safe } from "../text/safe.ts";
import {
  configOf,
  describe,
  formatOf,
  metricArgument,
  projectOption,
  type SharedFlags,
  shared,
} from "./options.ts";
import { reading } from "./reading.ts";
import { meansOf } from "./terminal.ts";
import type { Cli } from "./verbs.ts";

type Flags = SharedFlags & { readonly project: readonly string[]; readonly ascii?: boolean };

export function defineExplain(command: Command, cli: Cli): void {
  describe(
    command,
    "show the merges behind a number, which leaves next, and what it takes to move the gate",
    [
      "metrics explain",
      "metrics explain first_pass_merge_rate",
      "metrics explain rebase_conflict_rate --project atlas",
      "metrics explain first --json | jq '.explanations[0].moves'",
    ],
  )
    .addArgument(metricArgument("all, without the list of merges"))
    .addOption(projectOption("only this project's merges; may be repeated"))
    .option("--ascii", "draw the window in ASCII");
  shared(command, { formats: ["json"], colour: true, config: true, timeout: "10s" }).action(
    (metric: MetricName | undefined, flags: Flags) => explain(metric ?? null, flags, cli),
  );
}

async function explain(metric: MetricName | null, flags: Flags, { terminal, verbs }: Cli): Promise<void> {
  const config = await configOf(terminal.env, flags);
  const { timeout: timeoutMs, project: projects } = flags;
  const document = await reading("reading", terminal, (heard) =>
    verbs.readExplanations(config, { timeoutMs, metric, projects, ...heard }),
  );
  const { explanations, lag } = document;
  const { renderExplanations } = await import("./explain-text.ts");
  const view = {
    ...meansOf(terminal, flags),
    listColumns: metric === null ? null : (terminal.columns() ?? Number.POSITIVE_INFINITY),
  };
  await terminal.out(
    formatOf(flags) === "json" ? jsonText(document, 2) : renderExplanations(explanations, view),
  );
  for (const project of new Set(projects)) {
    if (!explanations.some((one) => one.project === project))
      await terminal.err(`project ${safe(project)}: no merges recorded\n`);
  }
  if (lag.merges > 0) await terminal.err(`not in these numbers yet: ${count(lag.merges, "merge")} due\n`);
}
