/** `metrics explain`: the merges behind a number, which one leaves next, and how many it takes to move the gate. */
import { Option } from "commander";
import { count } from "../text/figures.ts";
import { jsonText } from "../text/safe.ts";
import { metricNamed, reportUnknownProjects } from "./named.ts";
import {
  configOf,
  formatOf,
  metricArgument,
  numberOption,
  projectOptions,
  sharedOptions,
} from "./options.ts";
import { reading } from "./reading.ts";
import { meansOf } from "./terminal.ts";
import { ENVIRONMENT, type Verb } from "./verb.ts";

/** Merges that are listed: as many as the largest window may have. */
const LISTED = 100;

export const explain: Verb = {
  name: "explain",
  what: "show the merges behind a number, which of them leaves next, and what could move the gate",
  examples: [
    "metrics explain",
    "metrics explain trust",
    "metrics explain rebase_conflict_rate --project atlas",
    "metrics explain trust --json | jq '.explanations[0].moves'",
  ],
  environment: ENVIRONMENT.reader,
  exits: { 0: true, 1: "unexpected failure; --strict", 2: true, 3: true },
  options: [
    metricArgument("all, without the list of merges"),
    ...projectOptions("only this project's merges", "all merges"),
    numberOption("--limit <count>", "list this many of the newest merges", 0, LISTED),
    new Option("--ascii", "draw the window in ASCII"),
    ...sharedOptions({ formats: ["json"], colour: true, config: true, timeout: "10s" }),
  ],
  async run(flags, cli, name) {
    const { terminal, work } = cli;
    const config = await configOf(terminal, flags);
    const metric = name === undefined ? null : metricNamed(name, config.metrics);
    const document = await reading("reading", flags, terminal, (options) =>
      work.readExplanations(config, { metric, projects: flags.project, ...options }),
    );
    const { explanations, lag } = document;
    if (formatOf(flags) === "json") await terminal.out(jsonText(document, 2));
    else {
      const { renderExplanations } = await import("./explain-text.ts");
      const listColumns = metric === null ? null : (terminal.columns() ?? Number.POSITIVE_INFINITY);
      const view = { ...meansOf(terminal, flags), listed: flags.limit, listColumns };
      await terminal.out(renderExplanations(explanations, view));
    }
    const code = await reportUnknownProjects(flags, config, cli, (asked) =>
      explanations.some(({ project }) => project === asked),
    );
    if (lag.merges > 0) await terminal.err(`not in these numbers yet: ${count(lag.merges, "merge")} due\n`);
    return code;
  },
};
