/** `metrics snapshot`: the current values, read from the log alone. */
import { InvalidArgumentError, Option } from "commander";
import type { Snapshot } from "../core/snapshot.ts";
import { jsonText, safe } from "../text/safe.ts";
import { reportUnknownProjects } from "./named.ts";
import {
  configOf,
  durationOf,
  type Flags,
  formatOf,
  numberOption,
  projectOptions,
  sharedOptions,
} from "./options.ts";
import { reading } from "./reading.ts";
import { type Terminal, wantsColour } from "./terminal.ts";
import { ENVIRONMENT, type Verb } from "./verb.ts";

export type SnapshotFlags = Flags & {
  readonly all?: boolean;
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

export const snapshot: Verb = {
  name: "snapshot",
  what: "show the current values, also while the daemon is down",
  examples: [
    "metrics snapshot",
    "metrics snapshot --project atlas --project borealis",
    `metrics snapshot --json | jq '.metrics[] | select(.scope == "global")'`,
    "metrics snapshot | grep '^first_pass_merge_rate'",
    "metrics snapshot --watch",
    "metrics snapshot --at 48213",
  ],
  environment: ENVIRONMENT.reader,
  exits: {
    0: "done, undefined values included",
    1: "unexpected failure; --strict; --at and that event is not recorded",
    2: true,
    3: true,
    4: "--require-defined and something is undefined",
  },
  options: [
    ...projectOptions("show this project in full", "a row for each"),
    numberOption("--limit <count>", "list this many projects, most recently merged first", 0, LISTED),
    new Option("--all", "list all projects").conflicts(["project", "limit"]),
    new Option("--watch [interval]", "repeat at this interval until interrupted")
      .argParser(durationOf(100, 3_600_000))
      .preset("2s")
      .conflicts(["requireDefined", "at"]),
    new Option("--at <event>", "the values just after this merge was recorded").argParser(eventOf),
    new Option("--wide", "show counts and dates also in a pipe or on a narrow terminal"),
    new Option(
      "--require-defined",
      "exit with 4 when a global reading, or a project's effective one, is undefined",
    ),
    ...sharedOptions({ formats: ["json", "jsonl"], colour: true, config: true, timeout: "5s" }),
  ],
  async run(flags: SnapshotFlags, cli) {
    const { terminal, work } = cli;
    const { at, watch: everyMs, project } = flags;
    const config = await configOf(terminal, flags);
    const print = (document: Snapshot) => printed(document, flags, terminal);
    if (everyMs !== undefined) {
      const { watch } = await import("./watch.ts");
      return watch(config, { ...flags, everyMs, print }, cli);
    }
    const document = await reading("reading", flags, terminal, (options) =>
      work.readSnapshot(config, { at, ...options }),
    );
    await print(document);
    const { projects } = document;
    const isShown = (name: string) => projects.includes(name);
    const code = await reportUnknownProjects(flags, config, cli, isShown, projects);
    const missing = flags.requireDefined === true ? undefinedReadings(document, project) : [];
    for (const sentence of missing) await terminal.err(`${sentence}\n`);
    return code === 0 && missing.length > 0 ? UNDEFINED : code;
  },
};

/** The id of an event, a bigint. */
function eventOf(text: string): bigint {
  const id = /^[0-9]{1,19}$/.test(text) ? BigInt(text) : null;
  if (id !== null && id <= LARGEST_ID) return id;
  throw new InvalidArgumentError("It must be the id of an event, such as 48213.");
}

/** Prints the values; the footer goes to standard error where standard output is a pipe. */
async function printed(document: Snapshot, flags: SnapshotFlags, terminal: Terminal): Promise<void> {
  const { project: asked, all = false, wide = false, limit, color, at } = flags;
  const format = formatOf(flags);
  if (format !== "text") {
    const isWanted = (project: string) => asked.length === 0 || asked.includes(project);
    const metrics = document.metrics.filter(({ project }) => project === null || isWanted(project));
    const projects = document.projects.filter(isWanted);
    // Lines of a stream are one document each.
    const indent = format === "json" && flags.watch === undefined ? 2 : 0;
    return terminal.out(jsonText({ ...document, projects, metrics }, indent));
  }
  const { renderSnapshot } = await import("./snapshot-text.ts");
  const columns = terminal.columns();
  const { body, footer } = renderSnapshot(document, {
    projects: asked,
    limit: all ? Number.POSITIVE_INFINITY : limit,
    columns,
    wide,
    colour: wantsColour(terminal, color),
  });
  const line = at === undefined ? footer : `looking back: ${footer}`;
  await terminal.out(columns === null ? body : `${body}\n${line}`);
  if (columns === null) await terminal.err(line);
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
