/** `metrics history`: metrics over the merges, as a plot, a document, lines of JSON or an SVG file. */
import { writeFile } from "node:fs/promises";
import { fileProblem } from "../config/named-file.ts";
import { shown } from "../config/shown.ts";
import { type Config, loadConfig } from "../config.ts";
import { CATALOGUE, isRatio } from "../core/catalogue.ts";
import type { History, HistorySeries } from "../core/history.ts";
import type { MetricName } from "../core/metric.ts";
import { jsonText, safe } from "../text/safe.ts";
import { historyJson } from "./history-json.ts";
import { renderHistory, titleOf } from "./history-text.ts";
import { withProgress } from "./progress-line.ts";
import type { HistoryOptions } from "./read-history.ts";
import { meansOf, type Terminal } from "./terminal.ts";
import { namingUnreadable } from "./unreadable-rows.ts";

/** The chart cannot be put where it was asked for. */
class NotWritten extends Error {
  readonly exitCode = 1;

  constructor(file: string, why: unknown) {
    super(`--svg is ${shown(file)}: the file cannot be written (${fileProblem(why)}); - is standard output`);
    this.name = "NotWritten";
  }
}

export type HistoryFlags = {
  readonly configFile?: string | undefined;
  readonly metric: MetricName | null;
  readonly projects: readonly string[];
  readonly last: number;
  readonly format: "text" | "json" | "jsonl";
  readonly ascii: boolean;
  readonly colour: boolean;
  /** A file, or "-" for standard output. */
  readonly svg: string | null;
  readonly timeoutMs: number;
};

export type ReadHistory = (config: Config, options: HistoryOptions) => Promise<History>;

const LINES_AT_ONCE = 1_000;

/** Rows of a plot. */
const HEIGHT = { one: 12, several: 7 };

/** @throws ConfigError, Unreadable */
export async function showHistory(
  flags: HistoryFlags,
  terminal: Terminal,
  read: ReadHistory,
): Promise<number> {
  const config = loadConfig(terminal.env, { configFile: flags.configFile });
  const { metric, projects, last, timeoutMs } = flags;
  const history = await namingUnreadable(terminal, (unreadable) =>
    withProgress("reading", terminal, (progress) =>
      read(config, { metric, projects, last, timeoutMs, progress, unreadable }),
    ),
  );
  if (flags.svg !== null) await writeSvg(history.series, flags.svg, terminal);
  else if (flags.format === "json") for (const piece of historyJson(history)) await terminal.out(piece);
  else if (flags.format === "jsonl") await printLines(history, terminal);
  else
    await terminal.out(
      renderHistory(history.series, { ...meansOf(terminal, flags), height: heightOf(history) }),
    );
  return 0;
}

function heightOf({ series }: History): number {
  return series.length === 1 ? HEIGHT.one : HEIGHT.several;
}

/** A point in each line, with what it belongs to. */
async function printLines({ series }: History, terminal: Terminal): Promise<void> {
  for (const { metric, scope, project, source, points } of series) {
    for (let start = 0; start < points.length; start += LINES_AT_ONCE) {
      const lines = points
        .slice(start, start + LINES_AT_ONCE)
        .map((point) => jsonText({ metric, scope, project, source, ...point }));
      await terminal.out(lines.join(""));
    }
  }
}

async function writeSvg(series: readonly HistorySeries[], file: string, terminal: Terminal): Promise<void> {
  const [one] = series;
  if (one === undefined) return;
  // Draws with a library that nothing else here needs.
  const { historySvg } = await import("../chart/svg.ts");
  const svg = historySvg(one.points, {
    title: titleOf(one),
    ratio: isRatio(one.metric),
    bounds: one.gate,
    permissive: CATALOGUE[one.metric].permissive,
    id: one.metric.replaceAll("_", "-"),
    standalone: true,
  });
  if (file === "-") {
    await terminal.out(svg);
    return;
  }
  try {
    await writeFile(file, svg);
  } catch (error) {
    throw new NotWritten(file, error);
  }
  await terminal.err(`written to ${safe(file)}\n`);
}
