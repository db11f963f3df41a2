/** `metrics snapshot`: the current values, read from the log alone. */
import { type Config, loadConfig } from "../config.ts";
import type { Snapshot } from "../core/snapshot.ts";
import { narrow } from "./projects.ts";
import { safe, safeJson } from "./safe.ts";
import { renderSnapshot } from "./snapshot-text.ts";
import { type Terminal, wantsColour } from "./terminal.ts";

export type SnapshotOptions = {
  readonly configFile?: string | undefined;
  readonly json: boolean;
  readonly projects: readonly string[];
  readonly all: boolean;
  readonly wide: boolean;
  readonly requireDefined: boolean;
  readonly colour: boolean;
  readonly timeoutMs: number;
};

export type ReadSnapshot = (config: Config, options: { readonly timeoutMs: number }) => Promise<Snapshot>;

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
  const snapshot = await read(config, { timeoutMs: options.timeoutMs });
  await (options.json ? printJson : printText)(snapshot, options, terminal);
  const missing = options.requireDefined ? undefinedReadings(snapshot, options.projects) : [];
  for (const sentence of missing) await terminal.err(`${sentence}\n`);
  return missing.length === 0 ? 0 : UNDEFINED;
}

async function printJson(
  snapshot: Snapshot,
  { projects }: SnapshotOptions,
  terminal: Terminal,
): Promise<void> {
  const document = projects.length === 0 ? snapshot : narrow(snapshot, projects);
  await terminal.out(`${safeJson(JSON.stringify(document, null, 2))}\n`);
}

async function printText(snapshot: Snapshot, options: SnapshotOptions, terminal: Terminal): Promise<void> {
  const columns = terminal.columns();
  const { body, footer } = renderSnapshot(snapshot, {
    projects: options.projects,
    all: options.all,
    columns: options.wide ? Number.POSITIVE_INFINITY : columns === null || columns < WIDE_FROM ? 0 : columns,
    colour: wantsColour(terminal, options.colour),
  });
  await terminal.out(columns === null ? body : `${body}\n${footer}`);
  if (columns === null) await terminal.err(footer);
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
