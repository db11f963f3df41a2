/**
 * Where the database is, and how to log in there: `DATABASE_URL`, or libpq's variables. All of it is read again for each
 * connection, so that a rotated secret or certificate needs no restart. Neither the URL nor the password ever appears in
 * a message: a wrong URL is most often a right one with a special character in its password.
 */
import { homedir, userInfo } from "node:os";
import { join } from "node:path";
import type { SecureContextOptions } from "node:tls";
import type { Origin } from "../config.ts";
import { PARAMETERS } from "./connection-parameters.ts";
import { readUrl, URL_SHAPE } from "./connection-url.ts";
import { readNamedFile, readSecret } from "./named-file.ts";
import { type Login, passwordFrom } from "./pass-file.ts";
import { shown } from "./shown.ts";

/** Where the database is, for people, and how to connect to it. */
export type DatabasePlace = Login & {
  /** Whether a password is set. PGPASSFILE is read only when the server asks. */
  readonly hasPassword: boolean;
  /** From `connect_timeout`; null if that is not set, or 0, which means to wait indefinitely. */
  readonly connectTimeoutMs: number | null;
  /** By the names of `metrics config`. */
  readonly origins: Readonly<Record<string, Origin>>;
  /** Reads all settings and files again. @throws UnreadableSettings */
  readonly read: () => ClientOptions;
};

/** For `pg.ClientConfig`. It is complete, so the driver looks nothing up by itself. */
type ClientOptions = Login & {
  /** Called when the server asks for a password and none is set. @throws NoPassword */
  readonly password: string | (() => string);
  readonly ssl: false | TlsOptions;
  readonly sslnegotiation: "postgres" | "direct";
  readonly enableChannelBinding: boolean;
  /** A login that is not bound to the TLS channel is refused. */
  readonly requireChannelBinding: boolean;
  readonly options?: string;
  readonly keepAlive: boolean;
  readonly keepAliveInitialDelayMillis: number;
};

/** For Node's TLS. */
type TlsOptions = SecureContextOptions & {
  readonly rejectUnauthorized: true;
};

/** Settings that were valid at the start are no longer: a file is missing, for example. */
class UnreadableSettings extends Error {
  readonly code = "SETTINGS";
}

/** The server asks for a password, and none is set. */
export class NoPassword extends Error {
  readonly code = "NO_PASSWORD";
}

/** @param problems collects what is wrong, in the operator's language. */
export function readConnection(env: NodeJS.ProcessEnv, problems: string[]): DatabasePlace | null {
  const first = readAll(env, problems);
  if (first === null) return null;
  const read = (): ClientOptions => {
    const found: string[] = [];
    const again = readAll(env, found);
    if (again === null) throw new UnreadableSettings(found.join("; "));
    return again.options;
  };
  return { ...first.place, read };
}

/** A parameter's value, and the name under which it was set. */
type Given = { readonly value: string; readonly where: string };
type Settings = (name: string) => Given | undefined;

function readAll(
  env: NodeJS.ProcessEnv,
  problems: string[],
): { readonly place: Omit<DatabasePlace, "read">; readonly options: ClientOptions } | null {
  const before = problems.length;
  const url = readSecret(env, "DATABASE_URL", problems);
  const secret = readSecret(env, "PGPASSWORD", problems);
  const parameters = url === undefined ? new Map<string, string>() : readUrl(url, problems);
  if (parameters === null) return null;
  // As in libpq, an empty variable counts as unset, and the URL takes precedence over variables.
  const given: Settings = (name) => {
    const variable = PARAMETERS[name]?.[0] ?? null;
    const value = parameters.get(name);
    if (value !== undefined) return { value, where: `${name} in DATABASE_URL` };
    const inEnvironment = variable === null ? undefined : env[variable];
    return variable !== null && inEnvironment ? { value: inEnvironment, where: variable } : undefined;
  };
  for (const [name, [, expects]] of Object.entries(PARAMETERS)) {
    const set = given(name);
    const expectation = set === undefined ? null : expects(set.value);
    if (set !== undefined && expectation !== null)
      problems.push(`${set.where} is ${harmless(set)}: it must be ${expectation}`);
  }
  const host = given("host")?.value;
  const user = given("user")?.value ?? ourselves();
  if (problems.length === before) {
    if (host === undefined) problems.push(url === undefined ? NOWHERE : NO_HOST);
    else if (user === null)
      problems.push(`no user is named: DATABASE_URL must have the form ${URL_SHAPE}, or PGUSER be set`);
  }
  const ssl = readTls(given, host?.startsWith("/") === true, problems);
  if (host === undefined || user === null || problems.length > before) return null;
  const login = {
    host,
    port: Number(given("port")?.value ?? 5432),
    user,
    database: given("dbname")?.value ?? user,
  };
  const password = parameters.get("password") ?? secret;
  const options = given("options")?.value;
  const binding = given("channel_binding")?.value ?? "disable";
  const timeout = Number(given("connect_timeout")?.value ?? 0);
  const origin = (name: string): Origin => (given(name) === undefined ? "default" : "environment");
  return {
    place: {
      ...login,
      hasPassword: Boolean(password),
      connectTimeoutMs: timeout > 0 ? timeout * 1_000 : null,
      origins: {
        database: "environment",
        "database.port": origin("port"),
        "database.user": origin("user"),
        "database.name": origin("dbname"),
        ...(timeout > 0 ? { METRICS_CONNECT_TIMEOUT: "environment" } : {}),
      },
    },
    options: {
      ...login,
      password: password || (() => fromPassFile(given("passfile")?.value, login)),
      ssl,
      sslnegotiation: given("sslnegotiation")?.value === "direct" ? "direct" : "postgres",
      enableChannelBinding: binding !== "disable" && ssl !== false,
      requireChannelBinding: binding === "require",
      ...(options === undefined ? {} : { options }),
      keepAlive: given("keepalives")?.value !== "0",
      keepAliveInitialDelayMillis: Number(given("keepalives_idle")?.value ?? 0) * 1_000,
    },
  };
}

const NO_HOST = `DATABASE_URL names no host: it must have the form ${URL_SHAPE}, or name a socket's folder as in postgresql:///DATABASE?host=/run/postgresql`;
const NOWHERE =
  `DATABASE_URL is not set: it must say where the database is, as ${URL_SHAPE}. Or set PGHOST, PGUSER, ` +
  "PGDATABASE and PGPASSWORD. Secrets may be in files: DATABASE_URL_FILE, PGPASSWORD_FILE";

/** libpq's default for the user; null if this process's user has no name. */
function ourselves(): string | null {
  try {
    return userInfo().username;
  } catch {
    return null;
  }
}

function fromPassFile(named: string | undefined, login: Login): string {
  const found = passwordFrom(named ?? join(homedir(), ".pgpass"), login);
  if ("password" in found) return found.password;
  throw new NoPassword(
    `the server asks for a password, and none is set in DATABASE_URL, PGPASSWORD or PGPASSWORD_FILE; ${named === undefined ? "" : "PGPASSFILE "}${found.missing}`,
  );
}

/** The files of TLS, by their names in libpq and in Node. */
const FILES = { sslrootcert: "ca", sslcert: "cert", sslkey: "key", sslcrl: "crl" };
const TEXTS = {
  sslpassword: "passphrase",
  ssl_min_protocol_version: "minVersion",
  ssl_max_protocol_version: "maxVersion",
};

function readTls(given: Settings, isSocket: boolean, problems: string[]): false | TlsOptions {
  const isOn = wantsTls(given) && !isSocket;
  const options: Record<string, string | string[]> = {};
  for (const [name, option] of Object.entries(FILES)) {
    const set = given(name);
    if (set === undefined) continue;
    options[option] =
      name === "sslrootcert" && set.value === "system"
        ? // Loaded only where it is used: it takes several milliseconds.
          process.getBuiltinModule("node:tls").getCACertificates("system")
        : (readNamedFile(set.value, set.where, problems) ?? "");
  }
  for (const [name, option] of Object.entries(TEXTS)) {
    const set = given(name);
    if (set !== undefined) options[option] = set.value;
  }
  for (const [name, value] of [
    ["sslnegotiation", "direct"],
    ["channel_binding", "require"],
  ] as const)
    if (!isOn && given(name)?.value === value)
      problems.push(`${name}=${value} needs TLS: set sslmode=verify-full, or leave it out`);
  // Explicit, because a variable of Node.js could turn the check off.
  return isOn && { rejectUnauthorized: true, ...options };
}

/** Every mode but disable means verify-full. Without a mode, a certificate file turns TLS on. */
function wantsTls(given: Settings): boolean {
  const mode = given("sslmode")?.value;
  if (mode !== undefined) return mode !== "disable";
  const ssl = given("ssl")?.value;
  if (ssl !== undefined) return ssl === "true" || ssl === "1";
  return Object.keys(FILES).some((name) => given(name) !== undefined);
}

/** A value as a message shows it. A part of a malformed URL is shown only if it looks like a word. */
function harmless({ value, where }: Given): string {
  return where.startsWith("PG") || /^[a-z0-9._,:-]{1,40}$/i.test(value) ? shown(value) : "something else";
}
