/** The settings in force, as people may see them. Each is listed here, so that no secret is among them by accident. */
import type { Config, Origin } from "../config.ts";
import { VARIABLE_ROWS } from "./variables.ts";

export type EffectiveSetting = {
  /** The name under which it is set, or a member of `database`. */
  readonly setting: string;
  /** Null if it is not set; "(secret)" for a password. */
  readonly value: unknown;
  readonly origin: Origin;
};

export function effectiveSettings(config: Config): EffectiveSetting[] {
  const { database, origins } = config;
  const values: readonly (readonly [setting: string, value: unknown, origin?: string])[] = [
    ["database.host", database.host, "database"],
    ["database.port", database.port],
    ["database.name", database.database],
    ["database.user", database.user],
    ["database.password", database.hasPassword ? "(secret)" : null, "database"],
    ...VARIABLE_ROWS.map(([key, { name, show }]) => [name, show(config[key])] as const),
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
