/** `metrics explain`: the merges behind a number, which one leaves next, and how many it takes to move the gate. */
import type { Command } from "commander";
import { count } from "../text/figures.ts";
import { jsonText } from "../text/safe.ts";
import { describe, ENVIRONMENT } from "./help.ts";
import { metricNamed } from "./metric-named.ts";
import {
  configOf,
  formatOf,
  metricArgument,
  numberOption,
  projectOption,
  type SharedFlags,
  shared,
  strictOption,
} from "./options.ts";
import { reading } from "./reading.ts";
import { meansOf } from "./terminal.ts";
import { reportUnknownProjects } from "./unknown-projects.ts";
import type { Cli } from "./verbs.ts";

type Flags = SharedFlags & {
  readonly project: readonly string[];
  readonly strict?: boolean;
  /** Merges of the list. */
  readonly limit: number;
  readonly ascii?: boolean;
};

/** Merges that are listed: as many as the largest window may have. */
const LISTED = 100;

export function defineExplain(command: Command, cli: Cli): void {
  describe(command, {
    what: "show the merges behind a number, which of them leaves next, and what could move the gate",
    examples: [
      "metrics explain",
      "metrics explain trust",
      "metrics explain rebase_conflict_rate --project atlas",
      "metrics explain trust --json | jq '.explanations[0].moves'",
    ],
    environment: ENVIRONMENT.reader,
    exits: { 0: true, 1: "unexpected failure; --strict", 2: true, 3: true },
  })
    .addArgument(metricArgument("all, without the list of merges"))
    .addOption(projectOption("only this project's merges; may be repeated", "all merges"))
    .addOption(strictOption())
    .addOption(numberOption("--limit <count>", "list this many of the newest merges", 0, LISTED))
    .option("--ascii", "draw the window in ASCII");
  shared(command, { formats: ["json"], colour: true, config: true, timeout: "10s" }).action(
    async (metric: string | undefined, flags: Flags) => cli.done(await explain(metric, flags, cli)),
  );
}

async function explain(name: string | undefined, flags: Flags, { terminal, verbs }: Cli): Promise<number> {
  const config = await configOf(terminal.env, flags);
  const metric = name === undefined ? null : metricNamed(name, config.metrics);
  const { timeout: timeoutMs, project: projects } = flags;
  const document = await reading("reading", terminal, (heard) =>
    verbs.readExplanations(config, { timeoutMs, metric, projects, ...heard }),
  );
  const { explanations, lag } = document;
  const { renderExplanations } = await import("./explain-text.ts");
  const view = {
    ...meansOf(terminal, flags),
    listed: flags.limit,
    listColumns: metric === null ? null : (terminal.columns() ?? Number.POSITIVE_INFINITY),
  };
  await terminal.out(
    formatOf(flags) === "json" ? jsonText(document, 2) : renderExplanations(explanations, view),
  );
  const code = await reportUnknownProjects(
    flags,
    (asked) => explanations.some(({ project }) => project === asked),
    async () => (await verbs.readSnapshot(config, { timeoutMs })).projects,
    terminal,
  );
  if (lag.merges > 0) await terminal.err(`not in these numbers yet: ${count(lag.merges, "merge")} due\n`);
  return code;
}
