/**
 * The configuration: read once, at the edge, into one frozen value. Everything that is wrong is refused at once, in the
 * operator's language, before anything is contacted.
 *
 * Defaults < configuration file < environment < flags. The file alone says what the metrics are, the environment alone
 * describes this installation, so that no setting has two homes.
 */
import { type DatabasePlace, readConnection } from "./config/connection.ts";
import { readMetricsFile } from "./config/metrics-file.ts";
import { nearest } from "./config/nearest.ts";
import { shown } from "./config/shown.ts";
import { VARIABLE_NAMES, VARIABLES, type Values } from "./config/variables.ts";
import type { MetricSettings } from "./core/metric.ts";
import type { LogLevel } from "./events/log-level.ts";
import { packaged } from "./packaged.ts";
import type { MergeRule } from "./postgres/merge-source.ts";

export type Origin = "default" | "file" | "environment" | "flag";

/** A METRICS_* variable that is not known, and the name that was probably meant. */
export type UnknownVariable = { readonly variable: string; readonly nearest: string | null };

export type Config = {
  readonly database: DatabasePlace;
  readonly schema: string;
  readonly notifyChannel: string;
  readonly http: { readonly enabled: boolean; readonly host: string; readonly port: number };
  readonly pollIntervalMs: number;
  readonly auditIntervalMs: number;
  readonly statementTimeoutMs: number;
  readonly lockTimeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly shutdownTimeoutMs: number;
  readonly logLevel: LogLevel;
  readonly merge: MergeRule;
  /** In the order of METRIC_NAMES; at least one. */
  readonly metrics: readonly MetricSettings[];
  /** The file that `merge` and `metrics` come from. */
  readonly configFile: string;
  /** Where each setting comes from, by the name under which it is set. */
  readonly origins: Readonly<Record<string, Origin>>;
  readonly warnings: readonly UnknownVariable[];
};

/** The configuration is refused; nothing was contacted. */
export class ConfigError extends Error {
  readonly exitCode = 2;
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`the configuration has ${problems.length === 1 ? "a problem" : `${problems.length} problems`}`);
    this.name = "ConfigError";
    this.problems = problems;
  }
}

const PACKAGED_FILE = packaged("config/metrics.json");
const CONFIG_FILE_VARIABLE = "METRICS_CONFIG_FILE";

/** @throws ConfigError with every problem, each naming the key, its value unless secret, and what is expected. */
export function loadConfig(
  env: NodeJS.ProcessEnv,
  flags: { readonly configFile?: string | undefined } = {},
): Config {
  const problems: string[] = [];
  const database = readConnection(env, problems);
  const settings = readVariables(env, problems);
  const place = configFilePlace(env, flags.configFile);
  if (place.path.trim() === "")
    problems.push(`${place.source} is empty: it must be the path of a file, or not be set`);
  const file = place.path.trim() === "" ? null : readMetricsFile(place.path, place.source, problems);
  if (database === null || file === null || problems.length > 0) throw new ConfigError(problems);
  return deepFreeze({
    database,
    schema: settings.METRICS_SCHEMA,
    notifyChannel: settings.METRICS_NOTIFY_CHANNEL,
    http: {
      enabled: settings.METRICS_HTTP_ENABLED,
      host: settings.METRICS_HTTP_HOST,
      port: settings.METRICS_HTTP_PORT,
    },
    pollIntervalMs: settings.METRICS_POLL_INTERVAL,
    auditIntervalMs: settings.METRICS_AUDIT_INTERVAL,
    statementTimeoutMs: settings.METRICS_STATEMENT_TIMEOUT,
    lockTimeoutMs: settings.METRICS_LOCK_TIMEOUT,
    connectTimeoutMs:
      env["METRICS_CONNECT_TIMEOUT"] === undefined && database.connectTimeoutMs !== null
        ? database.connectTimeoutMs
        : settings.METRICS_CONNECT_TIMEOUT,
    shutdownTimeoutMs: settings.METRICS_SHUTDOWN_TIMEOUT,
    logLevel: settings.METRICS_LOG_LEVEL,
    merge: file.merge,
    metrics: file.metrics,
    configFile: place.path,
    origins: {
      ...Object.fromEntries(
        VARIABLE_NAMES.map((name) => [name, env[name] === undefined ? "default" : "environment"]),
      ),
      ...database.origins,
      [CONFIG_FILE_VARIABLE]: place.origin,
      merge: place.origin === "default" ? "default" : "file",
      metrics: place.origin === "default" ? "default" : "file",
    },
    warnings: unknownVariables(env),
  });
}

function readVariables(env: NodeJS.ProcessEnv, problems: string[]): Values {
  const values = VARIABLE_NAMES.map((name) => {
    const { fallback, expectation, parse } = VARIABLES[name];
    const value = parse(env[name] ?? fallback);
    if (value === null) problems.push(`${name} is ${shown(env[name])}: it must be ${expectation}`);
    return [name, value];
  });
  return Object.fromEntries(values) as Values;
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
  const known: ReadonlySet<string> = new Set([...VARIABLE_NAMES, CONFIG_FILE_VARIABLE]);
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
