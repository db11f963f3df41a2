/** The settings that come from the environment: their names, their defaults, what each may be, and how it is shown. */
import { isIP } from "node:net";
import { LOG_LEVELS } from "../events/log-level.ts";
import { NAME } from "../postgres/names.ts";
import { formatDuration, parseDuration } from "./duration.ts";

const HOST_NAME = /^[a-zA-Z0-9]([a-zA-Z0-9.-]{0,251}[a-zA-Z0-9])?$/;

/** By their names in the configuration. */
export const VARIABLES = {
  schema: identifier("METRICS_SCHEMA", "public"),
  notifyChannel: identifier("METRICS_NOTIFY_CHANNEL", "events_outbox"),
  httpEnabled: variable(
    "METRICS_HTTP_ENABLED",
    "true",
    "true or false",
    (text) => text === "true" || (text === "false" ? false : null),
  ),
  httpHost: variable(
    "METRICS_HTTP_HOST",
    "127.0.0.1",
    "an IP address or a host name, such as 127.0.0.1 or 0.0.0.0",
    (text) => (isIP(text) !== 0 || HOST_NAME.test(text) ? text : null),
  ),
  httpPort: variable(
    "METRICS_HTTP_PORT",
    "9464",
    "a whole number from 0 (any free port) to 65535, such as 9464",
    port,
  ),
  pollIntervalMs: duration("METRICS_POLL_INTERVAL", "5s", "60m"),
  auditIntervalMs: duration("METRICS_AUDIT_INTERVAL", "60s", "1440m"),
  statementTimeoutMs: duration("METRICS_STATEMENT_TIMEOUT", "10s", "60m"),
  lockTimeoutMs: duration("METRICS_LOCK_TIMEOUT", "5s", "60m"),
  connectTimeoutMs: duration("METRICS_CONNECT_TIMEOUT", "5s", "10m"),
  shutdownTimeoutMs: duration("METRICS_SHUTDOWN_TIMEOUT", "5s", "10m"),
  logLevel: variable(
    "METRICS_LOG_LEVEL",
    "info",
    `one of ${LOG_LEVELS.join(", ")}`,
    (text) => LOG_LEVELS.find((level) => level === text) ?? null,
  ),
};

type Key = keyof typeof VARIABLES;
export type Settings = {
  readonly [One in Key]: NonNullable<ReturnType<(typeof VARIABLES)[One]["parse"]>>;
};

/** The variables as a list of rows. */
export const VARIABLE_ROWS = Object.entries(VARIABLES) as readonly (readonly [Key, Variable<unknown>])[];

type Variable<T> = {
  readonly name: string;
  readonly fallback: string;
  /** To be read after "it must be". */
  readonly expectation: string;
  readonly parse: (text: string) => T | null;
  /** The value as people write it. */
  readonly show: (value: unknown) => unknown;
};

function variable<T>(
  name: string,
  fallback: string,
  expectation: string,
  parse: (text: string) => T | null,
): Variable<T> {
  return { name, fallback, expectation, parse, show: (value) => value };
}

function identifier(name: string, fallback: string): Variable<string> {
  const expectation =
    "a name of at most 63 characters: a letter or _, then letters, digits, or any of _ $ . : -";
  return variable(name, fallback, expectation, (text) => (NAME.test(text) ? text : null));
}

function duration(name: string, fallback: string, most: string): Variable<number> {
  const parse = (text: string): number | null => {
    const ms = parseDuration(text);
    return ms !== null && ms >= 10 && ms <= (parseDuration(most) ?? 0) ? ms : null;
  };
  const expectation = `a duration from 10ms to ${most}, such as ${fallback}`;
  return { name, fallback, expectation, parse, show: (ms) => formatDuration(Number(ms)) };
}

/** A port number: digits only, so that neither `1e3` nor `0x50` is one. */
export function port(text: string): number | null {
  return /^(0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65_535 ? Number(text) : null;
}
