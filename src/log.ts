/**
 * Facts become log lines: one DaemonEvent, one line of JSON on standard output. Messages are constants, variables are
 * fields, and only fields that the vocabulary names are printed.
 */
import { createRequire } from "node:module";
import { isatty } from "node:tty";
import { pino, stdTimeFunctions } from "pino";
import type PinoPretty from "pino-pretty";
import type { LogLevel } from "./config/variables.ts";
import type { DaemonEvent, Failure, Holder, Report } from "./daemon-event.ts";
import { LogOutput } from "./log-output.ts";
import { entryOf } from "./log-vocabulary.ts";
import { meaningOf } from "./postgres/meaning.ts";
import { safe, safeJson } from "./text/safe.ts";
import { SERVICE, VERSION } from "./version.ts";

export type LoggerOptions = {
  readonly level: LogLevel;
  /** Tells the lines of several daemons apart. */
  readonly instance: string;
  /** Milliseconds that never jump. */
  readonly monotonic?: () => number;
  /** Takes whole lines; standard output unless a test listens. */
  readonly output?: { write(line: string): void };
  /** For people instead of programs; by default on a terminal, outside production. */
  readonly pretty?: boolean;
};

const STDOUT = 1;
/** Their failure is the database's, and something can be done about it. */
const OF_THE_DATABASE: ReadonlySet<DaemonEvent["event"]> = new Set([
  "db.connect_failed",
  "db.disconnected",
  "db.refused",
  "listen.lost",
  "merge.refused",
  "checkpoint.refused",
] as const);
const AUTHENTICATION_LINE_EVERY_MS = 60_000;

/** A second net under the choice of fields: members of these names are never printed, wherever they stand. */
const SECRET_MEMBERS = ["password", "connectionString", "payload", "file_scope", "detail", "where", "query"];

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
      redact: SECRET_MEMBERS.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]),
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
      const { level: at, msg } = entryOf(event);
      logger[at](fieldsOf(event), msg);
    },
  };
}

function fieldsOf(event: DaemonEvent): Record<string, unknown> {
  const { fields } = entryOf(event);
  const values = event as unknown as Readonly<Record<string, unknown>>;
  const line: Record<string, unknown> = { event: event.event };
  for (const field of fields) line[field] = printable(event.event, field, values[field]);
  return line;
}

/** Composite fields member by member: an Error handed over as a failure would bring row data and SQL along. */
function printable(event: DaemonEvent["event"], field: string, value: unknown): unknown {
  if (field === "failure") {
    const { code, message } = value as Failure;
    return {
      code,
      message: withoutPassword(message),
      ...(OF_THE_DATABASE.has(event) && { advice: meaningOf(code).advice }),
    };
  }
  if (field === "message") return withoutPassword(String(value));
  if (field === "problems") return (value as readonly string[]).map(withoutPassword);
  if (field === "holders") {
    return (value as readonly Holder[]).map(({ pid, application, role, seconds, prepared }) => ({
      pid,
      application,
      role,
      seconds,
      prepared,
    }));
  }
  return value;
}

/** Libraries quote connection strings in their messages now and then. */
function withoutPassword(text: string): string {
  return text.replace(/(\/\/[^\s/:@]*:)\S+@/g, "$1[redacted]@");
}

/** Null where pino-pretty is not installed, as in production. */
function prettyFormat(): ((line: string) => string) | null {
  try {
    const { prettyFactory } = createRequire(import.meta.url)("pino-pretty") as typeof PinoPretty;
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
