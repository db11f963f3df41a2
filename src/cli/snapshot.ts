/** `metrics snapshot`: the current values, read from the log alone. */
import { type Command, InvalidArgumentError, Option } from "commander";
import type { Config } from "../config.ts";
import type { Snapshot } from "../core/snapshot.ts";
import { jsonText, safe } from "../text/safe.ts";
import { describe, ENVIRONMENT } from "./help.ts";
import {
  configOf,
  durationOf,
  formatOf,
  numberOption,
  projectOption,
  type SharedFlags,
  shared,
  strictOption,
} from "./options.ts";
import { reading } from "./reading.ts";
import { type Terminal, wantsColour } from "./terminal.ts";
import { reportUnknownProjects } from "./unknown-projects.ts";
import type { Cli, Verbs } from "./verbs.ts";
import type { Look, Screen } from "./watch-screen.ts";

type Flags = SharedFlags & {
  readonly project: readonly string[];
  /** Exit with 1 where a project has no merges. */
  readonly strict?: boolean;
  readonly all?: boolean;
  /** Rows of the table. */
  readonly limit: number;
  readonly wide?: boolean;
  readonly requireDefined?: boolean;
  /** Milliseconds between two looks. */
  readonly watch?: number;
  /** The values just after this event was recorded. */
  readonly at?: bigint;
};

/** Projects that are listed, unless all are asked for. */
const LISTED = 10;
const UNDEFINED = 4;
const LARGEST_ID = 2n ** 63n - 1n;

export function defineSnapshot(command: Command, cli: Cli): void {
  const name = command.parent === null ? "snapshot" : "metrics snapshot";
  describe(command, {
    what: "show the current values, also while the daemon is down",
    examples: [
      name,
      `${name} --project atlas --project borealis`,
      `${name} --json | jq '.metrics[] | select(.scope == "global")'`,
      `${name} | grep '^first_pass_merge_rate'`,
      `${name} --watch`,
      `${name} --at 48213`,
    ],
    environment: ENVIRONMENT.reader,
    exits: {
      0: "done, undefined values included",
      1: "unexpected failure; --strict; --at and that event is not recorded",
      2: true,
      3: true,
      4: "--require-defined and something is undefined",
    },
  })
    .addOption(projectOption("show this project in full; may be repeated", "a row for each"))
    .addOption(strictOption())
    .addOption(
      numberOption("--limit <count>", "list this many projects, most recently merged first", 0, LISTED),
    )
    .addOption(new Option("--all", "list all projects").conflicts(["project", "limit"]))
    .addOption(
      new Option("--watch [interval]", "repeat at this interval until interrupted")
        .argParser(durationOf(100, 3_600_000))
        .preset("2s")
        .conflicts(["requireDefined", "at"]),
    )
    .addOption(new Option("--at <event>", "the values just after this merge was recorded").argParser(eventOf))
    .option("--wide", "show counts and dates also in a pipe or on a narrow terminal")
    .option(
      "--require-defined",
      "exit with 4 when a global reading, or a project's effective one, is undefined",
    );
  shared(command, { formats: ["json", "jsonl"], colour: true, config: true, timeout: "5s" }).action(
    async (flags: Flags) => cli.done(await snapshot(flags, cli)),
  );
}

/** The id of an event, a bigint. */
function eventOf(text: string): bigint {
  const id = /^[0-9]{1,19}$/.test(text) ? BigInt(text) : null;
  if (id !== null && id <= LARGEST_ID) return id;
  throw new InvalidArgumentError("It must be the id of an event, such as 48213.");
}

async function snapshot(flags: Flags, { terminal, verbs }: Cli): Promise<number> {
  const config = await configOf(terminal.env, flags);
  const { timeout: timeoutMs, at, watch: everyMs, project: projects } = flags;
  const render = (document: Snapshot) => rendered(document, flags, terminal);
  if (everyMs !== undefined) {
    const { watch } = await import("./watch.ts");
    const screen = await screenFor(flags, everyMs, terminal);
    const look = lookOf(config, timeoutMs, screen !== null, verbs);
    return watch({ look, render, screen, everyMs }, terminal);
  }
  const document = await reading("reading", terminal, (heard) =>
    verbs.readSnapshot(config, { timeoutMs, at, ...heard }),
  );
  const { out, err } = await render(document);
  await terminal.out(out);
  if (err !== "") await terminal.err(err);
  const recorded = new Set(document.projects);
  const code = await reportUnknownProjects(
    flags,
    (project) => recorded.has(project),
    async () => document.projects,
    terminal,
  );
  const missing = flags.requireDefined === true ? undefinedReadings(document, projects) : [];
  for (const sentence of missing) await terminal.err(`${sentence}\n`);
  return code === 0 && missing.length > 0 ? UNDEFINED : code;
}

/** Merges of a sparkline. */
const TREND = 60;

/** Looks at the values, and after new merges also at how they moved, where that is shown. */
function lookOf(config: Config, timeoutMs: number, withTrend: boolean, verbs: Verbs): () => Promise<Look> {
  let last: Look | null = null;
  return async () => {
    const now = await verbs.readSnapshot(config, { timeoutMs });
    let series = last?.series ?? [];
    if (withTrend && last?.snapshot.as_of.seq !== now.as_of.seq)
      ({ series } = await verbs.readHistory(config, { timeoutMs, metric: null, projects: [], last: TREND }));
    last = { snapshot: now, series };
    return last;
  };
}

/** The screen of `--watch`, which shows as many projects as it has room for; null where each look is appended. */
async function screenFor(flags: Flags, everyMs: number, terminal: Terminal): Promise<Screen | null> {
  if (formatOf(flags) !== "text" || terminal.columns() === null || terminal.env["TERM"] === "dumb")
    return null;
  const { watchScreen } = await import("./watch-screen.ts");
  const { project: projects, wide = false, color } = flags;
  const limit = Number.POSITIVE_INFINITY;
  return watchScreen({ projects, limit, wide, colour: wantsColour(terminal, color) }, everyMs);
}

/** What goes to standard output, and what to standard error. */
async function rendered(document: Snapshot, flags: Flags, terminal: Terminal) {
  const { project: asked, all = false, wide = false, limit } = flags;
  const format = formatOf(flags);
  if (format !== "text") {
    const isWanted = (project: string) => asked.length === 0 || asked.includes(project);
    const metrics = document.metrics.filter(({ project }) => project === null || isWanted(project));
    const projects = document.projects.filter(isWanted);
    // Lines of a stream are one document each.
    const indent = format === "json" && flags.watch === undefined ? 2 : 0;
    return { out: jsonText({ ...document, projects, metrics }, indent), err: "" };
  }
  const { renderSnapshot } = await import("./snapshot-text.ts");
  const columns = terminal.columns();
  const { body, footer } = renderSnapshot(document, {
    projects: asked,
    limit: all ? Number.POSITIVE_INFINITY : limit,
    columns,
    wide,
    colour: wantsColour(terminal, flags.color),
  });
  const line = flags.at === undefined ? footer : `looking back: ${footer}`;
  return columns === null ? { out: body, err: line } : { out: `${body}\n${line}`, err: "" };
}

/** The global readings that are undefined, or the effective ones of these projects: their own, else the global ones. */
function undefinedReadings({ metrics }: Snapshot, projects: readonly string[]): string[] {
  const missing = metrics.filter(({ project, value }) => project === null && value === null);
  if (projects.length === 0)
    return missing.map(({ metric, n, window }) => `${metric} is undefined (n=${n}/${window})`);
  const isDefined = (name: string, wanted: string) =>
    metrics.some(({ project, metric, value }) => project === name && metric === wanted && value !== null);
  return projects.flatMap((name) =>
    missing
      .filter(({ metric }) => !isDefined(name, metric))
      .map(({ metric }) => `${metric} is undefined for project ${safe(name)}, and globally`),
  );
}
