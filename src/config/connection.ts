/**
 * Where the database is: `DATABASE_URL`, or libpq's variables. Neither the URL nor the password ever stands in a
 * message: a wrong URL is most often a right one with a special character in its password.
 */
import { accessSync, constants } from "node:fs";
import { fileProblem } from "./file-problem.ts";
import { readSecret } from "./secret.ts";
import { shown } from "./shown.ts";
import { port } from "./variables.ts";

/** For `pg.ClientConfig`. Fields beside `connectionString` repeat what it says, for people; the string decides. */
export type ConnectionOptions = {
  readonly connectionString?: string;
  readonly host?: string;
  readonly port?: number;
  readonly user?: string;
  readonly password?: string;
  readonly database?: string;
};

/** Modes of libpq that node-postgres takes for verify-full today, with ten lines of warning that this will change. */
const TAKEN_FOR_VERIFY_FULL = ["prefer", "require", "verify-ca"];
const SSL_MODES = ["disable", ...TAKEN_FOR_VERIFY_FULL, "verify-full"];
const URL_SHAPE = "postgresql://USER:PASSWORD@HOST:PORT/DATABASE";

/** @param problems collects what is wrong, in the operator's language. */
export function readConnection(env: NodeJS.ProcessEnv, problems: string[]): ConnectionOptions {
  const url = readSecret(env, "DATABASE_URL", problems);
  const password = readSecret(env, "PGPASSWORD", problems);
  checkSslMode("PGSSLMODE", env["PGSSLMODE"] ?? "", problems);
  const fields = readFields(env, password, problems);
  if (url !== undefined) return readUrl(url, fields, problems);
  if (fields.host === undefined && problems.length === 0) {
    problems.push(
      `DATABASE_URL is not set: it must say where the database is, as ${URL_SHAPE}. Or set PGHOST, PGUSER, ` +
        "PGDATABASE and PGPASSWORD. Secrets may stand in files: DATABASE_URL_FILE, PGPASSWORD_FILE",
    );
  }
  return fields;
}

/** As libpq does, an empty PG* variable counts as not set. */
function readFields(
  env: NodeJS.ProcessEnv,
  password: string | undefined,
  problems: string[],
): ConnectionOptions {
  const { PGHOST: host, PGPORT: portText, PGUSER: user, PGDATABASE: database } = env;
  const number = portText ? port(portText) : undefined;
  if (number === null || number === 0) {
    problems.push(`PGPORT is ${shown(portText)}: it must be a whole number from 1 to 65535, such as 5432`);
  }
  return {
    ...(host ? { host } : {}),
    ...(number ? { port: number } : {}),
    ...(user ? { user } : {}),
    ...(password ? { password } : {}),
    ...(database ? { database } : {}),
  };
}

function readUrl(text: string, fields: ConnectionOptions, problems: string[]): ConnectionOptions {
  const url = parseUrl(text);
  if (url === null) {
    problems.push(
      `DATABASE_URL is not a URL: it must have the form ${URL_SHAPE}, with special characters in the user or ` +
        "password percent-encoded (@ as %40, / as %2F, # as %23, % as %25)",
    );
    return {};
  }
  const { parameters } = url;
  const sslMode = last(parameters, "sslmode") ?? "";
  checkSslMode("sslmode in DATABASE_URL", sslMode, problems);
  checkOtherWaysToTrust(parameters, problems);
  for (const name of ["sslrootcert", "sslcert", "sslkey"]) {
    const file = last(parameters, name);
    if (file) checkReadable(`${name} in DATABASE_URL`, file, problems);
  }
  const {
    host = fields.host,
    port: number = fields.port,
    user = fields.user,
    database = fields.database,
  } = url;
  const password = url.password ?? fields.password;
  const more = {
    // node-postgres lets the string win, its missing password too.
    ...(url.password === undefined && password !== undefined ? { password } : {}),
    ...(TAKEN_FOR_VERIFY_FULL.includes(sslMode) ? { sslmode: "verify-full" } : {}),
  };
  return {
    connectionString: withParameters(text, more),
    ...(host === undefined ? {} : { host }),
    ...(number === undefined ? {} : { port: number }),
    ...(user === undefined ? {} : { user }),
    ...(password === undefined ? {} : { password }),
    ...(database === undefined ? {} : { database }),
  };
}

type UrlParts = Omit<ConnectionOptions, "connectionString"> & { readonly parameters: URLSearchParams };

/** The parts of the URL as node-postgres will read them; null where it is none. */
function parseUrl(text: string): UrlParts | null {
  if (!/^postgres(ql)?:\/\/\S*$/.test(text)) return null;
  // A URL with a user and no host (a socket, or the host as parameter) is libpq's, not WHATWG's.
  const url = URL.parse(text) ?? URL.parse(text.replace("@/", "@host/"));
  if (url === null) return null;
  const hostless = URL.parse(text) === null;
  const parameters = url.searchParams;
  const parsedPort = last(parameters, "port") ?? url.port;
  try {
    return {
      ...part(
        "host",
        last(parameters, "host") ??
          (hostless ? "" : decodeURIComponent(url.hostname).replace(/^\[|\]$/g, "")),
      ),
      ...(parsedPort === "" ? {} : { port: Number(parsedPort) }),
      ...part("user", last(parameters, "user") ?? decodeURIComponent(url.username)),
      ...part("password", last(parameters, "password") ?? decodeURIComponent(url.password)),
      ...part("database", decodeURIComponent(url.pathname.slice(1))),
      parameters,
    };
  } catch {
    return null;
  }
}

function part(name: "host" | "user" | "password" | "database", value: string): Record<string, string> {
  return value === "" ? {} : { [name]: value };
}

/** Of a parameter that is given twice, node-postgres takes the last one. */
function last(parameters: URLSearchParams, name: string): string | null {
  return parameters.getAll(name).at(-1) ?? null;
}

function withParameters(url: string, more: Readonly<Record<string, string>>): string {
  const added = new URLSearchParams(more).toString().replaceAll("+", "%20");
  return added === "" ? url : `${url}${url.includes("?") ? "&" : "?"}${added}`;
}

function checkSslMode(where: string, mode: string, problems: string[]): void {
  if (mode === "" || SSL_MODES.includes(mode)) return;
  // A parameter of a URL that was put together wrongly may hold any part of it.
  const value = /^[a-z-]{1,20}$/.test(mode) ? shown(mode) : "no mode";
  problems.push(
    `${where} is ${value}: it must be verify-full, or disable within a network that you trust` +
      (mode === "no-verify" ? "; no-verify would accept any server's certificate" : ""),
  );
}

/** Parameters of node-postgres that make a mode which verifies one that does not. */
function checkOtherWaysToTrust(parameters: URLSearchParams, problems: string[]): void {
  for (const [name, value] of [
    ["ssl", "no-verify"],
    ["uselibpqcompat", "true"],
  ] as const) {
    if (!parameters.getAll(name).includes(value)) continue;
    problems.push(
      `${name} in DATABASE_URL is ${shown(value)}, which would accept any server's certificate: leave it out, and set sslmode=verify-full`,
    );
  }
}

function checkReadable(where: string, file: string, problems: string[]): void {
  try {
    accessSync(file, constants.R_OK);
  } catch (error) {
    problems.push(`${where} is ${shown(file)}: the file cannot be read (${fileProblem(error)})`);
  }
}
