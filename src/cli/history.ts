/** `metrics history`: metrics over the merges, as a plot, a document, lines of JSON or an SVG file. */
import { writeFile } from "node:fs/promises";
import { Option } from "commander";
import { fileProblem } from "../config/named-file.ts";
import { shown } from "../config/shown.ts";
import type { History } from "../core/history.ts";
import { Failed } from "../failed.ts";
import { safe } from "../text/safe.ts";
import { metricNamed, reportUnknownProjects } from "./named.ts";
import {
  configOf,
  type Flags,
  formatOf,
  given,
  metricArgument,
  numberOption,
  projectOptions,
  sharedOptions,
} from "./options.ts";
import { reading } from "./reading.ts";
import { meansOf, type Terminal } from "./terminal.ts";
import { ENVIRONMENT, type Verb } from "./verb.ts";

/** Rows of a plot. */
const HEIGHT = { one: 12, several: 7 };

export const history: Verb = {
  name: "history",
  what: "plot metrics over the merges, with bounds, gaps and crossings",
  examples: [
    "metrics history",
    "metrics history trust --last 1000",
    "metrics history rebase_conflict_rate --project atlas --svg atlas.svg",
    "metrics history first -o jsonl | jq -r '[.seq, .value] | @csv'",
  ],
  environment: ENVIRONMENT.reader,
  exits: { 0: true, 1: "unexpected failure; --strict; --svg cannot be written", 2: true, 3: true },
  options: [
    metricArgument("all"),
    ...projectOptions("only this project's merges", "all merges"),
    numberOption("--last <merges>", "only this many of the newest merges", 1, 500),
    new Option("--ascii", "plot in ASCII"),
    new Option("--svg <file>", "write the chart of one metric as an SVG document; - for standard output")
      .argParser((file) => given(file, "a file, or - for standard output"))
      .conflicts(["json", "output"]),
    ...sharedOptions({ formats: ["json", "jsonl"], colour: true, config: true, timeout: "30s" }),
  ],
  /** @param flags `svg` is a file, or "-" for standard output. */
  async run(flags: Flags & { readonly svg?: string }, cli, name) {
    const { terminal, work } = cli;
    const { project: projects, last, svg } = flags;
    if (svg !== undefined && (name === undefined || projects.length > 1))
      throw new Failed(2, "--svg draws one chart: name a metric, and at most one project");
    const config = await configOf(terminal, flags);
    const metric = name === undefined ? null : metricNamed(name, config.metrics);
    const document = await reading("reading", flags, terminal, (options) =>
      work.readHistory(config, { metric, projects, last, ...options }),
    );
    if (svg !== undefined) await writeSvg(document, svg, terminal);
    else for await (const piece of printed(document, flags, terminal)) await terminal.out(piece);
    return reportUnknownProjects(flags, config, cli, (asked) =>
      document.series.some(({ project, points }) => project === asked && points.length > 0),
    );
  },
};

async function* printed(document: History, flags: Flags, terminal: Terminal): AsyncGenerator<string> {
  const { historyJson, historyLines, renderHistory } = await import("./history-text.ts");
  const format = formatOf(flags);
  const height = document.series.length === 1 ? HEIGHT.one : HEIGHT.several;
  if (format === "json") yield* historyJson(document);
  else if (format === "jsonl") yield* historyLines(document);
  else yield renderHistory(document.series, { ...meansOf(terminal, flags), height });
}

async function writeSvg({ series: [one] }: History, file: string, terminal: Terminal): Promise<void> {
  if (one === undefined) return;
  const { historySvg } = await import("../chart/svg.ts");
  const { CATALOGUE, isRatio } = await import("../core/catalogue.ts");
  const { titleOf } = await import("./reading-text.ts");
  const svg = historySvg(one.points, {
    title: titleOf(one),
    ratio: isRatio(one.metric),
    bounds: one.gate,
    permissive: CATALOGUE[one.metric].permissive,
    id: one.metric.replaceAll("_", "-"),
    standalone: true,
  });
  if (file === "-") return terminal.out(svg);
  try {
    await writeFile(file, svg);
  } catch (error) {
    const why = fileProblem(error);
    throw new Failed(1, `--svg is ${shown(file)}: the file cannot be written (${why}); - is standard output`);
  }
  await terminal.err(`written to ${safe(file)}\n`);
}
