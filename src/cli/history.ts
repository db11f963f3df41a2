/** `metrics history`: metrics over the merges, as a plot, a document, lines of JSON or an SVG file. */
import { writeFile } from "node:fs/promises";
import { type Command, Option } from "commander";
import { fileProblem } from "../config/named-file.ts";
import { shown } from "../config/shown.ts";
import type { History } from "../core/history.ts";
import { jsonText, safe } from "../text/safe.ts";
import { describe, ENVIRONMENT } from "./help.ts";
import { metricNamed } from "./metric-named.ts";
import {
  configOf,
  formatOf,
  given,
  metricArgument,
  numberOption,
  projectOption,
  type SharedFlags,
  shared,
  strictOption,
} from "./options.ts";
import { reading } from "./reading.ts";
import { meansOf, type Terminal } from "./terminal.ts";
import { reportUnknownProjects } from "./unknown-projects.ts";
import type { Cli } from "./verbs.ts";

type Flags = SharedFlags & {
  readonly project: readonly string[];
  readonly strict?: boolean;
  readonly last: number;
  readonly ascii?: boolean;
  /** A file, or "-" for standard output. */
  readonly svg?: string;
};

/** The chart cannot be written to the file. */
class NotWritten extends Error {
  readonly exitCode = 1;
}

const LINES_AT_ONCE = 1_000;
/** Rows of a plot. */
const HEIGHT = { one: 12, several: 7 };

export function defineHistory(command: Command, cli: Cli): void {
  describe(command, {
    what: "plot metrics over the merges, with bounds, gaps and crossings",
    examples: [
      "metrics history",
      "metrics history trust --last 1000",
      "metrics history rebase_conflict_rate --project atlas --svg atlas.svg",
      "metrics history first -o jsonl | jq -r '[.seq, .value] | @csv'",
    ],
    environment: ENVIRONMENT.reader,
    exits: { 0: true, 1: "unexpected failure; --strict; --svg cannot be written", 2: true, 3: true },
  })
    .addArgument(metricArgument("all"))
    .addOption(projectOption("only this project's merges; may be repeated", "all merges"))
    .addOption(strictOption())
    .addOption(numberOption("--last <merges>", "only this many of the newest merges", 1, 500))
    .option("--ascii", "plot in ASCII")
    .addOption(
      new Option("--svg <file>", "write the chart of one metric as an SVG document; - for standard output")
        .argParser((file) => given(file, "a file, or - for standard output"))
        .conflicts(["json", "output"]),
    );
  shared(command, { formats: ["json", "jsonl"], colour: true, config: true, timeout: "30s" }).action(
    async (metric: string | undefined, flags: Flags) => {
      if (flags.svg !== undefined && (metric === undefined || flags.project.length > 1))
        command.error("error: --svg draws one chart: name a metric, and at most one project");
      cli.done(await history(metric, flags, cli));
    },
  );
}

async function history(name: string | undefined, flags: Flags, { terminal, verbs }: Cli): Promise<number> {
  const config = await configOf(terminal.env, flags);
  const metric = name === undefined ? null : metricNamed(name, config.metrics);
  const { project: projects, last, timeout: timeoutMs } = flags;
  const document = await reading("reading", terminal, (heard) =>
    verbs.readHistory(config, { timeoutMs, metric, projects, last, ...heard }),
  );
  if (flags.svg !== undefined) await writeSvg(document, flags.svg, terminal);
  else for await (const piece of print(document, flags, terminal)) await terminal.out(piece);
  return reportUnknownProjects(
    flags,
    (asked) => document.series.some(({ project, points }) => project === asked && points.length > 0),
    async () => (await verbs.readSnapshot(config, { timeoutMs })).projects,
    terminal,
  );
}

async function* print(document: History, flags: Flags, terminal: Terminal): AsyncGenerator<string> {
  const format = formatOf(flags);
  if (format === "jsonl") yield* jsonLines(document);
  else if (format === "json") yield* (await import("./history-json.ts")).historyJson(document);
  else {
    const { renderHistory } = await import("./history-text.ts");
    const height = document.series.length === 1 ? HEIGHT.one : HEIGHT.several;
    yield renderHistory(document.series, { ...meansOf(terminal, flags), height });
  }
}

/** A point in each line, with the series that it belongs to. */
function* jsonLines({ series }: History): Generator<string> {
  for (const { metric, scope, project, source, points } of series) {
    for (let start = 0; start < points.length; start += LINES_AT_ONCE)
      yield points
        .slice(start, start + LINES_AT_ONCE)
        .map((point) => jsonText({ metric, scope, project, source, ...point }))
        .join("");
  }
}

/** @throws NotWritten */
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
    throw new NotWritten(
      `--svg is ${shown(file)}: the file cannot be written (${why}); - is standard output`,
    );
  }
  await terminal.err(`written to ${safe(file)}\n`);
}
