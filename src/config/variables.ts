/** The settings that come from the environment: their defaults, and what each may be. */
import { isIP } from "node:net";
import { LOG_LEVELS } from "../events/log-level.ts";
import { NAME } from "../postgres/names.ts";
import { parseDuration } from "./duration.ts";

const HOST_NAME = /^[a-zA-Z0-9]([a-zA-Z0-9.-]{0,251}[a-zA-Z0-9])?$/;

/** Every variable with its default, its expectation, to be read after "it must be", and how its text is read. */
export const VARIABLES = {
  METRICS_HTTP_ENABLED: variable(
    "true",
    "true or false",
    (text) => text === "true" || (text === "false" ? false : null),
  ),
  METRICS_HTTP_HOST: variable(
    "127.0.0.1",
    "an IP address or a host name, such as 127.0.0.1 or 0.0.0.0",
    (text) => (isIP(text) !== 0 || HOST_NAME.test(text) ? text : null),
  ),
  METRICS_HTTP_PORT: variable("9464", "a whole number from 0 (any free port) to 65535, such as 9464", port),
  METRICS_NOTIFY_CHANNEL: identifier("events_outbox"),
  METRICS_SCHEMA: identifier("public"),
  METRICS_POLL_INTERVAL: duration("5s", "60m"),
  METRICS_AUDIT_INTERVAL: duration("60s", "1440m"),
  METRICS_STATEMENT_TIMEOUT: duration("10s", "60m"),
  METRICS_LOCK_TIMEOUT: duration("5s", "60m"),
  METRICS_CONNECT_TIMEOUT: duration("5s", "10m"),
  METRICS_SHUTDOWN_TIMEOUT: duration("5s", "10m"),
  METRICS_LOG_LEVEL: variable(
    "info",
    `one of ${LOG_LEVELS.join(", ")}`,
    (text) => LOG_LEVELS.find((level) => level === text) ?? null,
  ),
};

export type VariableName = keyof typeof VARIABLES;
export const VARIABLE_NAMES = Object.keys(VARIABLES) as VariableName[];
export type Values = {
  readonly [Name in VariableName]: NonNullable<ReturnType<(typeof VARIABLES)[Name]["parse"]>>;
};

/** A port number: digits only, so that neither `1e3` nor `0x50` is one. */
export function port(text: string): number | null {
  return /^(0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65_535 ? Number(text) : null;
}

function variable<T>(fallback: string, expectation: string, parse: (text: string) => T | null) {
  return { fallback, expectation, parse };
}

function identifier(fallback: string) {
  return variable(
    fallback,
    "a name of at most 63 characters: a letter or _, then letters, digits, or any of _ $ . : -",
    (text) => (NAME.test(text) ? text : null),
  );
}

function duration(fallback: string, most: string) {
  return variable(fallback, `a duration from 10ms to ${most}, such as ${fallback}`, (text) => {
    const ms = parseDuration(text);
    return ms !== null && ms >= 10 && ms <= (parseDuration(most) ?? 0) ? ms : null;
  });
}
