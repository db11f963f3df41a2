/** The settings in force, as people may see them. Each is listed here, so that no secret is among them by accident. */
import type { Config, Origin } from "../config.ts";
import { formatDuration } from "./duration.ts";

export type EffectiveSetting = {
  /** The name under which it is set, or a member of `database`. */
  readonly setting: string;
  /** Null where it is not set; "(secret)" for a password. */
  readonly value: unknown;
  readonly origin: Origin;
};

export function effectiveSettings(config: Config): EffectiveSetting[] {
  const { database, http, origins } = config;
  const values: readonly (readonly [setting: string, value: unknown, origin?: string])[] = [
    ["database.host", database.host, "database"],
    ["database.port", database.port],
    ["database.name", database.database],
    ["database.user", database.user],
    ["database.password", database.hasPassword ? "(secret)" : null, "database"],
    ["METRICS_SCHEMA", config.schema],
    ["METRICS_NOTIFY_CHANNEL", config.notifyChannel],
    ["METRICS_HTTP_ENABLED", http.enabled],
    ["METRICS_HTTP_HOST", http.host],
    ["METRICS_HTTP_PORT", http.port],
    ["METRICS_POLL_INTERVAL", formatDuration(config.pollIntervalMs)],
    ["METRICS_AUDIT_INTERVAL", formatDuration(config.auditIntervalMs)],
    ["METRICS_STATEMENT_TIMEOUT", formatDuration(config.statementTimeoutMs)],
    ["METRICS_LOCK_TIMEOUT", formatDuration(config.lockTimeoutMs)],
    ["METRICS_CONNECT_TIMEOUT", formatDuration(config.connectTimeoutMs)],
    ["METRICS_SHUTDOWN_TIMEOUT", formatDuration(config.shutdownTimeoutMs)],
    ["METRICS_LOG_LEVEL", config.logLevel],
    ["METRICS_CONFIG_FILE", config.configFile],
    ["merge", config.merge],
    ...config.metrics.map(
      ({ name, ...metric }) => [`metrics.${name}`, withoutNulls(metric), "metrics"] as const,
    ),
  ];
  return values.map(([setting, value, origin = setting]) => ({
    setting,
    value,
    origin: value === null ? "default" : (origins[origin] ?? "default"),
  }));
}

/** The same as one flat object, for the first line of the log. */
export function settingsForLog(config: Config): Readonly<Record<string, unknown>> {
  return Object.fromEntries(effectiveSettings(config).map(({ setting, value }) => [setting, value]));
}

function withoutNulls(object: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== null));
}
