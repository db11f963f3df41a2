/** `metrics snapshot`: the current values, read from the log alone. */
import { type Config, loadConfig } from "../config.ts";
import type { Snapshot } from "../core/snapshot.ts";
import { jsonText, safe } from "../text/safe.ts";
import { narrow } from "./projects.ts";
import type { SnapshotRequest } from "./read-snapshot.ts";
import { renderSnapshot } from "./snapshot-text.ts";
import { type Terminal, wantsColour } from "./terminal.ts";
import { namingUnreadable } from "./unreadable-rows.ts";
import { type Rendered, watch } from "./watch.ts";

export type SnapshotOptions = {
  readonly configFile?: string | undefined;
  readonly format: "text" | "json" | "jsonl";
  /** The values just after this event was recorded. */
  readonly at?: bigint | undefined;
  /** Milliseconds between one look and the next; null for one look. */
  readonly watchMs: number | null;
  readonly projects: readonly string[];
  readonly all: boolean;
  readonly wide: boolean;
  readonly requireDefined: boolean;
  readonly colour: boolean;
  readonly timeoutMs: number;
};

export type ReadSnapshot = (config: Config, request: SnapshotRequest) => Promise<Snapshot>;

/** Below this many columns of a terminal the readings stand alone. */
const WIDE_FROM = 110;
const UNDEFINED = 4;

/** @throws ConfigError, and whatever `read` throws: an error that carries its exit code. */
export async function showSnapshot(
  options: SnapshotOptions,
  terminal: Terminal,
  read: ReadSnapshot,
): Promise<number> {
  const config = loadConfig(terminal.env, { configFile: options.configFile });
  const asked = { timeoutMs: options.timeoutMs, at: options.at };
  if (options.watchMs !== null) {
    const render = (snapshot: Snapshot) => rendered(snapshot, options, terminal);
    return watch({ look: () => read(config, asked), render, everyMs: options.watchMs }, terminal);
  }
  const snapshot = await namingUnreadable(terminal, (unreadable) => read(config, { ...asked, unreadable }));
  const { out, err } = rendered(snapshot, options, terminal);
  await terminal.out(out);
  if (err !== "") await terminal.err(err);
  const missing = options.requireDefined ? undefinedReadings(snapshot, options.projects) : [];
  for (const sentence of missing) await terminal.err(`${sentence}\n`);
  return missing.length === 0 ? 0 : UNDEFINED;
}

/** What goes to standard output, and what beside it. */
function rendered(snapshot: Snapshot, options: SnapshotOptions, terminal: Terminal): Rendered {
  const { format, projects } = options;
  if (format !== "text") {
    const document = projects.length === 0 ? snapshot : narrow(snapshot, projects);
    return { out: jsonText(document, format === "json" ? 2 : 0), err: "" };
  }
  const columns = terminal.columns();
  const { body, footer } = renderSnapshot(snapshot, {
    projects,
    all: options.all,
    columns: options.wide ? Number.POSITIVE_INFINITY : columns === null || columns < WIDE_FROM ? 0 : columns,
    colour: wantsColour(terminal, options.colour),
  });
  const told = options.at === undefined ? footer : `looking back: ${footer}`;
  return columns === null ? { out: body, err: told } : { out: `${body}\n${told}`, err: "" };
}

/** The global readings, or the effective ones of these projects: their own, else the global ones. */
function undefinedReadings(snapshot: Snapshot, projects: readonly string[]): string[] {
  const undefinedGlobally = snapshot.metrics.filter(
    ({ project, value }) => project === null && value === null,
  );
  if (projects.length === 0) {
    return undefinedGlobally.map(({ metric, n, window }) => `${metric} is undefined (n=${n}/${window})`);
  }
  return projects.flatMap((name) =>
    undefinedGlobally
      .filter(({ metric }) => !hasOwn(snapshot, name, metric))
      .map(({ metric }) => `${metric} is undefined for project ${safe(name)}, and globally`),
  );
}

function hasOwn(snapshot: Snapshot, name: string, wanted: string): boolean {
  return snapshot.metrics.some(
    ({ project, metric, value }) => project === name && metric === wanted && value !== null,
  );
}
