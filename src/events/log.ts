/**
 * Facts become log lines: one DaemonEvent, one line of JSON on standard output. Messages are constants, variables are
 * fields, and only fields that the table of events names are printed.
 */
import { createRequire } from "node:module";
import { isatty } from "node:tty";
import { pino, stdTimeFunctions } from "pino";
import type PinoPretty from "pino-pretty";
import { packaged } from "../packaged.ts";
import { safe, safeJson } from "../text/safe.ts";
import { SERVICE, VERSION } from "../version.ts";
import { type Entry, EVENTS, type Report } from "./daemon-event.ts";
import type { LogLevel } from "./log-level.ts";
import { LogOutput } from "./log-output.ts";
import { meaningOf } from "./meaning.ts";

export type LoggerOptions = {
  readonly level: LogLevel;
  /** Distinguishes the lines of several daemons. */
  readonly instance: string;
  /** Milliseconds that never jump. */
  readonly monotonic?: () => number;
  /** Takes whole lines; standard output unless a test listens. */
  readonly output?: { write(line: string): void };
  /** For people instead of programs; by default on a terminal, outside production. */
  readonly pretty?: boolean;
};

const STDOUT = 1;
const AUTHENTICATION_LINE_EVERY_MS = 60_000;

/** A second safeguard beside the choice of fields: members with these names are never printed, at any depth. */
const SECRET_MEMBERS = new Set([
  "password",
  "connectionString",
  "payload",
  "file_scope",
  "detail",
  "where",
  "query",
]);

export function createLogger(options: LoggerOptions): { readonly report: Report } {
  const { level, instance, monotonic = () => performance.now(), output = new LogOutput(STDOUT) } = options;
  const pretty = options.pretty ?? (isatty(STDOUT) && process.env["NODE_ENV"] !== "production");
  const format = (pretty ? prettyFormat() : null) ?? safeJson;
  const logger = pino(
    {
      level,
      base: { service: SERVICE, version: VERSION, instance },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (line: string) => output.write(format(line)) },
  );
  let authenticationLineAt = Number.NEGATIVE_INFINITY;

  return {
    report(event) {
      if (event.event === "db.connect_failed" && meaningOf(event.failure.code).policy === "login") {
        if (monotonic() - authenticationLineAt < AUTHENTICATION_LINE_EVERY_MS) return;
        authenticationLineAt = monotonic();
      }
      // Event and entry are of one name, which the compiler cannot see.
      const { level: at, msg, fields } = EVENTS[event.event] as unknown as Entry;
      const values = event as unknown as Readonly<Record<string, never>>;
      const now = typeof at === "function" ? at(values) : at;
      if (!logger.isLevelEnabled(now)) return;
      const line: Record<string, unknown> = { event: event.event };
      for (const [name, printed] of Object.entries(fields))
        line[name] = withoutSecrets(printed(values[name] as never));
      logger[now](line, msg);
    },
  };
}

/** Other values cannot hold a secret member and are passed through: a backfill logs thousands of lines. */
function withoutSecrets(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(withoutSecrets);
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [
      name,
      SECRET_MEMBERS.has(name) ? "[Redacted]" : withoutSecrets(member),
    ]),
  );
}

/** Null if pino-pretty is not installed, as in production. */
function prettyFormat(): ((line: string) => string) | null {
  try {
    const { prettyFactory } = createRequire(packaged("package.json"))("pino-pretty") as typeof PinoPretty;
    const colorize = !process.env["NO_COLOR"] && process.env["TERM"] !== "dumb";
    const pretty = prettyFactory({
      colorize,
      singleLine: true,
      ignore: "service,version,instance",
      translateTime: "UTC:HH:MM:ss.l'Z'",
    });
    return (line) => pretty(safeStrings(JSON.parse(line)));
  } catch {
    return null;
  }
}

/** Every string within, names of members included, made harmless for a terminal. */
function safeStrings(value: unknown): unknown {
  if (typeof value === "string") return safe(value, 500);
  if (Array.isArray(value)) return value.map(safeStrings);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [safe(name), safeStrings(member)]));
}
