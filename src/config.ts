/**
 * The configuration: read once, at the edge, into one frozen value. Every mistake is refused at once, in the operator's
 * language, before anything is contacted.
 *
 * Defaults < configuration file < environment < flags. The file alone defines the metrics, the environment alone describes
 * this installation, so that no setting has two homes.
 */
import { type DatabasePlace, readConnection } from "./config/connection.ts";
import { readMetricsFile } from "./config/metrics-file.ts";
import { nearest } from "./config/nearest.ts";
import { shown } from "./config/shown.ts";
import { type Settings, VARIABLE_ROWS } from "./config/variables.ts";
import type { MetricSettings } from "./core/metric.ts";
import { Failed } from "./failed.ts";
import { packaged } from "./packaged.ts";
import type { MergeRule } from "./postgres/merge-source.ts";

export type Origin = "default" | "file" | "environment" | "flag";

/** A METRICS_* variable that is not known, and the name that was probably meant. */
export type UnknownVariable = { readonly variable: string; readonly nearest: string | null };

export type Config = Settings & {
  readonly database: DatabasePlace;
  readonly merge: MergeRule;
  /** In the order of METRIC_NAMES; at least one. */
  readonly metrics: readonly MetricSettings[];
  /** The file that `merge` and `metrics` come from. */
  readonly configFile: string;
  /** Where each setting comes from, by the name under which it is set. */
  readonly origins: Readonly<Record<string, Origin>>;
  readonly warnings: readonly UnknownVariable[];
};

const PACKAGED_FILE = packaged("config/metrics.json");
const CONFIG_FILE_VARIABLE = "METRICS_CONFIG_FILE";

/** @throws Failed with a line for every problem, each naming the key, its value unless secret, and what is expected. */
export function loadConfig(
  env: NodeJS.ProcessEnv,
  flags: { readonly configFile?: string | undefined } = {},
): Config {
  const problems: string[] = [];
  const database = readConnection(env, problems);
  const settings = readVariables(env, problems);
  const place = configFilePlace(env, flags.configFile);
  const named = place.path.trim() !== "";
  if (!named) problems.push(`${place.source} is empty: it must be the path of a file, or not be set`);
  const file = named ? readMetricsFile(place.path, place.source, problems) : null;
  if (database === null || file === null || problems.length > 0) throw new Failed(2, problems.join("\n"));
  const fromFile = place.origin === "default" ? "default" : "file";
  return deepFreeze({
    ...settings,
    connectTimeoutMs:
      env["METRICS_CONNECT_TIMEOUT"] === undefined
        ? (database.connectTimeoutMs ?? settings.connectTimeoutMs)
        : settings.connectTimeoutMs,
    database,
    ...file,
    configFile: place.path,
    origins: {
      ...Object.fromEntries(
        VARIABLE_ROWS.map(([, { name }]) => [name, env[name] === undefined ? "default" : "environment"]),
      ),
      ...database.origins,
      [CONFIG_FILE_VARIABLE]: place.origin,
      merge: fromFile,
      metrics: fromFile,
    },
    warnings: unknownVariables(env),
  });
}

function readVariables(env: NodeJS.ProcessEnv, problems: string[]): Settings {
  const values = VARIABLE_ROWS.map(([key, { name, fallback, expectation, parse }]) => {
    const value = parse(env[name] ?? fallback);
    if (value === null) problems.push(`${name} is ${shown(env[name])}: it must be ${expectation}`);
    return [key, value];
  });
  return Object.fromEntries(values) as Settings;
}

function configFilePlace(
  env: NodeJS.ProcessEnv,
  flag: string | undefined,
): { readonly path: string; readonly source: string; readonly origin: Origin } {
  if (flag !== undefined) return { path: flag, source: "--config", origin: "flag" };
  const path = env[CONFIG_FILE_VARIABLE];
  return path === undefined
    ? { path: PACKAGED_FILE, source: "the packaged configuration file", origin: "default" }
    : { path, source: CONFIG_FILE_VARIABLE, origin: "environment" };
}

function unknownVariables(env: NodeJS.ProcessEnv): UnknownVariable[] {
  const known = new Set([...VARIABLE_ROWS.map(([, { name }]) => name), CONFIG_FILE_VARIABLE]);
  return Object.keys(env)
    .filter((name) => name.startsWith("METRICS_") && !known.has(name))
    .toSorted()
    .map((variable) => ({ variable, nearest: nearest(variable, known) }));
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== "object" || value === null) return value;
  for (const member of Object.values(value)) deepFreeze(member);
  return Object.freeze(value);
}
