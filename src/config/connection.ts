/**
 * Where the database is, and how to log in there: `DATABASE_URL`, or libpq's variables. All of it is read anew for each
 * connection, so that a rotated secret or certificate needs no restart. Neither the URL nor the password ever appears in
 * a message: a wrong URL is most often a right one with a special character in its password.
 */
import { readFileSync } from "node:fs";
import { homedir, userInfo } from "node:os";
import { join } from "node:path";
import { getCACertificates, type SecureVersion } from "node:tls";
import { PARAMETERS } from "./connection-parameters.ts";
import { readUrl, URL_SHAPE } from "./connection-url.ts";
import { fileProblem } from "./file-problem.ts";
import { passwordFrom } from "./pass-file.ts";
import { readSecret } from "./secret.ts";
import { shown } from "./shown.ts";
import { port } from "./variables.ts";

/** Where the database is, for people, and how to connect to it. */
export type DatabasePlace = {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
  /** Whether one is set; PGPASSFILE is looked into only when the server asks. */
  readonly hasPassword: boolean;
  /** What nothing sets, so that it is libpq's default. */
  readonly byDefault: readonly ("port" | "user" | "database")[];
  /** From `connect_timeout`; null where that is not set, or means to wait forever. */
  readonly connectTimeoutMs: number | null;
  /** Reads everything anew, files included. @throws UnreadableSettings */
  readonly read: () => ClientOptions;
};

/** For `pg.ClientConfig`: nothing is left for the driver to look up by itself. */
export type ClientOptions = {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
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
type TlsOptions = {
  readonly rejectUnauthorized: true;
  readonly ca?: string | string[];
  readonly cert?: string;
  readonly key?: string;
  readonly crl?: string;
  readonly passphrase?: string;
  readonly minVersion?: SecureVersion;
  readonly maxVersion?: SecureVersion;
};

/** What was right at the start is not any more: a file is missing, say. */
class UnreadableSettings extends Error {
  readonly code = "SETTINGS";
}

/** The server asks for a password, and there is none. */
export class NoPassword extends Error {
  readonly code = "NO_PASSWORD";
}

const SSL_MODES = ["disable", "prefer", "require", "verify-ca", "verify-full"];
const DEFAULT_PORT = 5432;

/** @param problems collects what is wrong, in the operator's language. */
export function readConnection(env: NodeJS.ProcessEnv, problems: string[]): DatabasePlace | null {
  const read = readAll(env, problems);
  if (read === null) return null;
  const { host, port: number, user, database, password } = read.options;
  return {
    host,
    port: number,
    user,
    database,
    hasPassword: typeof password === "string",
    byDefault: read.byDefault,
    connectTimeoutMs: read.connectTimeoutMs,
    read: () => {
      const found: string[] = [];
      const again = readAll(env, found);
      if (again === null) throw new UnreadableSettings(found.join("; "));
      return again.options;
    },
  };
}

/** A parameter's value, and the name under which it was set. */
type Given = { readonly value: string; readonly where: string };
type Settings = (name: string) => Given | undefined;

function readAll(
  env: NodeJS.ProcessEnv,
  problems: string[],
): (Pick<DatabasePlace, "byDefault" | "connectTimeoutMs"> & { readonly options: ClientOptions }) | null {
  const before = problems.length;
  const url = readSecret(env, "DATABASE_URL", problems);
  const password = readSecret(env, "PGPASSWORD", problems);
  const fromUrl = url === undefined ? { parameters: new Map<string, string>() } : readUrl(url);
  if ("problems" in fromUrl) {
    problems.push(...fromUrl.problems);
    return null;
  }
  const { parameters } = fromUrl;
  // As libpq does, an empty variable counts as not set, and what the URL says goes before it.
  const given: Settings = (name) => {
    const value = parameters.get(name);
    if (value !== undefined) return { value, where: `${name} in DATABASE_URL` };
    const variable = PARAMETERS[name]?.variable ?? null;
    const inEnvironment = variable === null ? undefined : env[variable];
    return variable !== null && inEnvironment ? { value: inEnvironment, where: variable } : undefined;
  };
  for (const [name, { expects }] of Object.entries(PARAMETERS)) {
    const set = given(name);
    const expectation = set === undefined ? null : expects(set.value);
    if (set !== undefined && expectation !== null)
      problems.push(`${set.where} is ${harmless(set)}: it must be ${expectation}`);
  }
  const portText = given("port");
  const number = portText === undefined ? DEFAULT_PORT : port(portText.value);
  if (portText !== undefined && !portText.value.includes(",") && (number === null || number === 0))
    problems.push(
      `${portText.where} is ${harmless(portText)}: it must be a whole number from 1 to 65535, such as 5432`,
    );
  const host = given("host")?.value;
  if (host === undefined && problems.length === before)
    problems.push(
      url === undefined ? NOWHERE : `DATABASE_URL names no host: it must have the form ${URL_SHAPE}${SOCKET}`,
    );
  const user = given("user")?.value ?? ourselves();
  if (user === null && problems.length === before)
    problems.push(`no user is named: DATABASE_URL must have the form ${URL_SHAPE}, or PGUSER be set`);
  const ssl = readTls(given, host?.startsWith("/") === true, problems);
  if (host === undefined || user === null || number === null || problems.length > before) return null;
  const login = { host, port: number, user, database: given("dbname")?.value ?? user };
  const options = given("options")?.value;
  const binding = given("channel_binding")?.value ?? "disable";
  const timeout = Number(given("connect_timeout")?.value ?? 0);
  return {
    byDefault: [
      ...(portText === undefined ? (["port"] as const) : []),
      ...(given("user") === undefined ? (["user"] as const) : []),
      ...(given("dbname") === undefined ? (["database"] as const) : []),
    ],
    connectTimeoutMs: timeout > 0 ? timeout * 1_000 : null,
    options: {
      ...login,
      password:
        parameters.get("password") ?? (password || (() => fromPassFile(given("passfile")?.value, login))),
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

const SOCKET = ", or name a socket's folder as in postgresql:///DATABASE?host=/run/postgresql";
const NOWHERE =
  `DATABASE_URL is not set: it must say where the database is, as ${URL_SHAPE}. Or set PGHOST, PGUSER, ` +
  "PGDATABASE and PGPASSWORD. Secrets may stand in files: DATABASE_URL_FILE, PGPASSWORD_FILE";

/** libpq's default for the user; null where this process's has no name. */
function ourselves(): string | null {
  try {
    return userInfo().username;
  } catch {
    return null;
  }
}

function fromPassFile(named: string | undefined, login: Parameters<typeof passwordFrom>[1]): string {
  const found = passwordFrom(named ?? join(homedir(), ".pgpass"), login);
  if ("password" in found) return found.password;
  throw new NoPassword(
    `the server asks for a password, and none is set in DATABASE_URL, PGPASSWORD or PGPASSWORD_FILE; ${named === undefined ? "" : "PGPASSFILE "}${found.missing}`,
  );
}

function readTls(given: Settings, isSocket: boolean, problems: string[]): false | TlsOptions {
  const mode = modeOf(given, problems);
  const ca = given("sslrootcert");
  const file = (name: string) => {
    const set = given(name);
    return set === undefined ? {} : { [TLS_NAMES[name] ?? name]: readFile(set, problems) };
  };
  const options: TlsOptions = {
    // Said outright: a variable of Node's could turn it off.
    rejectUnauthorized: true,
    ...(ca?.value === "system" ? { ca: getCACertificates("system") } : file("sslrootcert")),
    ...file("sslcert"),
    ...file("sslkey"),
    ...file("sslcrl"),
    ...text("passphrase", given("sslpassword")?.value),
    ...text("minVersion", given("ssl_min_protocol_version")?.value),
    ...text("maxVersion", given("ssl_max_protocol_version")?.value),
  };
  const isOn = mode !== "disable" && !isSocket;
  const needsTls = given("sslnegotiation")?.value === "direct" ? "sslnegotiation" : bindingNeeded(given);
  if (!isOn && needsTls !== null)
    problems.push(`${needsTls} needs TLS: set sslmode=verify-full, or leave it out`);
  return isOn ? options : false;
}

const TLS_NAMES: Readonly<Record<string, string>> = {
  sslrootcert: "ca",
  sslcert: "cert",
  sslkey: "key",
  sslcrl: "crl",
};

function bindingNeeded(given: Settings): string | null {
  return given("channel_binding")?.value === "require" ? "channel_binding=require" : null;
}

/** Every mode that verifies anything is taken for verify-full. Without any, a certificate asks for it, too. */
function modeOf(given: Settings, problems: string[]): "disable" | "verify-full" {
  const mode = given("sslmode");
  if (mode !== undefined && !SSL_MODES.includes(mode.value)) {
    problems.push(
      `${mode.where} is ${harmless(mode)}: it must be verify-full, or disable within a network that you trust` +
        (mode.value === "no-verify" ? "; no-verify would accept any server's certificate" : ""),
    );
  }
  if (mode !== undefined) return mode.value === "disable" ? "disable" : "verify-full";
  const ssl = given("ssl")?.value;
  if (ssl !== undefined) return ["true", "1"].includes(ssl) ? "verify-full" : "disable";
  return Object.keys(TLS_NAMES).some((name) => given(name) !== undefined) ? "verify-full" : "disable";
}

function readFile({ value, where }: Given, problems: string[]): string {
  try {
    return readFileSync(value, "utf8");
  } catch (error) {
    problems.push(`${where} is ${shown(value)}: the file cannot be read (${fileProblem(error)})`);
    return "";
  }
}

function text(name: string, value: string | undefined): Record<string, string> {
  return value === undefined ? {} : { [name]: value };
}

/** A value as it is shown: of a URL that was put together wrongly it may hold any part, so only what looks like a word. */
function harmless({ value, where }: Given): string {
  return where.startsWith("PG") || /^[a-z0-9._,:-]{1,40}$/i.test(value) ? shown(value) : "something else";
}
