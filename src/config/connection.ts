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

/** The parameters that are set, each with the name under which it was set. */
type Given = ReadonlyMap<string, { readonly value: string; readonly where: string }>;

/** As in libpq, an empty variable counts as unset, and the URL takes precedence over variables. */
function givenIn(url: ReadonlyMap<string, string>, env: NodeJS.ProcessEnv): Given {
  const given = new Map<string, { value: string; where: string }>();
  for (const [name, [variable]] of Object.entries(PARAMETERS)) {
    const inUrl = url.get(name);
    const inEnvironment = variable === null ? undefined : env[variable];
    if (inUrl !== undefined) given.set(name, { value: inUrl, where: `${name} in DATABASE_URL` });
    else if (variable !== null && inEnvironment) given.set(name, { value: inEnvironment, where: variable });
  }
  return given;
}

function readAll(
  env: NodeJS.ProcessEnv,
  problems: string[],
): { readonly place: Omit<DatabasePlace, "read">; readonly options: ClientOptions } | null {
  const before = problems.length;
  const url = readSecret(env, "DATABASE_URL", problems);
  const secret = readSecret(env, "PGPASSWORD", problems);
  const parameters = url === undefined ? new Map<string, string>() : readUrl(url, problems);
  if (parameters === null) return null;
  const given = givenIn(parameters, env);
  for (const [name, { value, where }] of given) {
    const expectation = PARAMETERS[name]?.[1](value) ?? null;
    if (expectation !== null)
      problems.push(`${where} is ${harmless(value, where)}: it must be ${expectation}`);
  }
  const valueOf = (name: string) => given.get(name)?.value;
  const host = valueOf("host");
  const user = valueOf("user") ?? ourselves();
  if (problems.length === before) {
    if (host === undefined) problems.push(url === undefined ? NOWHERE : NO_HOST);
    else if (user === null)
      problems.push(`no user is named: DATABASE_URL must have the form ${URL_SHAPE}, or PGUSER be set`);
  }
  const ssl = readTls(given, host?.startsWith("/") === true, problems);
  if (host === undefined || user === null || problems.length > before) return null;
  const login = {
    host,
    port: Number(valueOf("port") ?? 5432),
    user,
    database: valueOf("dbname") ?? user,
  };
  const password = parameters.get("password") ?? secret;
  const options = valueOf("options");
  const binding = valueOf("channel_binding") ?? "disable";
  const timeout = Number(valueOf("connect_timeout") ?? 0);
  const origin = (name: string): Origin => (given.has(name) ? "environment" : "default");
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
      password: password || (() => fromPassFile(valueOf("passfile"), login)),
      ssl,
      sslnegotiation: valueOf("sslnegotiation") === "direct" ? "direct" : "postgres",
      enableChannelBinding: binding !== "disable" && ssl !== false,
      requireChannelBinding: binding === "require",
      ...(options === undefined ? {} : { options }),
      keepAlive: valueOf("keepalives") !== "0",
      keepAliveInitialDelayMillis: Number(valueOf("keepalives_idle") ?? 0) * 1_000,
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

function readTls(given: Given, isSocket: boolean, problems: string[]): false | TlsOptions {
  const isOn = wantsTls(given) && !isSocket;
  const options: Record<string, string | string[]> = {};
  for (const [name, option] of Object.entries({ ...FILES, ...TEXTS })) {
    const set = given.get(name);
    if (set === undefined) continue;
    if (name === "sslrootcert" && set.value === "system")
      // Loaded only if it is used: that takes several milliseconds.
      options[option] = process.getBuiltinModule("node:tls").getCACertificates("system");
    else options[option] = name in FILES ? (readNamedFile(set.value, set.where, problems) ?? "") : set.value;
  }
  for (const [name, value] of Object.entries({ sslnegotiation: "direct", channel_binding: "require" }))
    if (!isOn && given.get(name)?.value === value)
      problems.push(`${name}=${value} needs TLS: set sslmode=verify-full, or leave it out`);
  // Explicit, because a variable of Node.js could turn the check off.
  return isOn && { rejectUnauthorized: true, ...options };
}

/** Every mode but disable means verify-full. Without a mode, a certificate file turns TLS on. */
function wantsTls(given: Given): boolean {
  const [mode, ssl] = [given.get("sslmode")?.value, given.get("ssl")?.value];
  if (mode !== undefined) return mode !== "disable";
  if (ssl !== undefined) return ssl === "true" || ssl === "1";
  return Object.keys(FILES).some((name) => given.has(name));
}

/** A value as a message shows it. A part of a malformed URL is shown only if it looks like a word. */
function harmless(value: string, where: string): string {
  return where.startsWith("PG") || /^[a-z0-9._,:-]{1,40}$/i.test(value) ? shown(value) : "something else";
}
