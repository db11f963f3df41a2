/**
 * Every parameter of libpq, from a connection string or its variable. Each is obeyed, or refused with what to do instead:
 * a silently ignored parameter could connect to another server, or check it less.
 */
import { port } from "./variables.ts";

/** What a value must be, to be read after "it must be"; null if the value is right. */
type Expects = (value: string) => string | null;
type Parameter = readonly [variable: string | null, expects: Expects];

const obeyed: Expects = () => null;
const one =
  (values: string, expectation = values.replaceAll(" ", " or ")): Expects =>
  (value) =>
    values.split(" ").includes(value.toLowerCase()) ? null : expectation;
const left =
  (why: string): Expects =>
  (value) =>
    value === "" ? null : `left out: ${why}`;
const single =
  (what: string): Expects =>
  (value) =>
    value.includes(",")
      ? `one ${what}: metrics connects to a single server, so name the primary, or what follows it (a DNS name, a virtual address, a pooler)`
      : null;
const number: Expects = (value) => (/^\d{1,9}$/.test(value) ? null : "a whole number");
const portNumber: Expects = (value) =>
  single("port")(value) ?? (port(value) ? null : "a whole number from 1 to 65535, such as 5432");

const sslMode: Expects = (value) =>
  ["disable", "prefer", "require", "verify-ca", "verify-full"].includes(value)
    ? null
    : `verify-full, or disable within a network that you trust${value === "no-verify" ? "; no-verify would accept any server's certificate" : ""}`;

/** Parameters that have no variable. */
function withoutVariable(names: string, expects: Expects): Record<string, Parameter> {
  return Object.fromEntries(names.split(" ").map((name) => [name, [null, expects]]));
}

const TLS_VERSION = one("tlsv1 tlsv1.1 tlsv1.2 tlsv1.3", "TLSv1.2 or TLSv1.3");
const NO_GSS = "metrics does not speak GSSAPI";
const ONE_SERVER = "metrics connects to a single server";

/** By name in a connection string: libpq's environment variable, and what the value must be. */
export const PARAMETERS: Readonly<Record<string, Parameter>> = {
  host: ["PGHOST", single("host")],
  hostaddr: ["PGHOSTADDR", left("write the address as host")],
  port: ["PGPORT", portNumber],
  dbname: ["PGDATABASE", obeyed],
  user: ["PGUSER", obeyed],
  passfile: ["PGPASSFILE", obeyed],
  options: ["PGOPTIONS", obeyed],
  // PGPASSWORD and its file are read separately. The daemon sets its own application name: instances are counted by it.
  ...withoutVariable("password fallback_application_name sslpassword", obeyed),
  application_name: ["PGAPPNAME", obeyed],
  connect_timeout: ["PGCONNECT_TIMEOUT", number],
  client_encoding: ["PGCLIENTENCODING", one("utf8 utf-8 auto", "UTF8")],
  ...withoutVariable("keepalives", one("0 1")),
  ...withoutVariable("keepalives_idle", number),
  ...withoutVariable(
    "keepalives_interval keepalives_count tcp_user_timeout",
    left("the daemon checks its connections itself"),
  ),
  ...withoutVariable("replication", one("0 no off false", "left out: metrics reads tables")),
  target_session_attrs: [
    "PGTARGETSESSIONATTRS",
    one("any", `left out: ${ONE_SERVER}, and waits by itself while that is a standby`),
  ],
  load_balance_hosts: ["PGLOADBALANCEHOSTS", one("disable", `left out: ${ONE_SERVER}`)],
  service: ["PGSERVICE", left("write what the service file says into DATABASE_URL")],
  // Without a service it has no effect.
  servicefile: ["PGSERVICEFILE", obeyed],
  channel_binding: ["PGCHANNELBINDING", one("disable prefer require", "disable, prefer or require")],
  require_auth: ["PGREQUIREAUTH", left("pg_hba.conf says how a login is checked")],
  ...withoutVariable("scram_client_key scram_server_key", left("set the password")),
  requirepeer: ["PGREQUIREPEER", left("metrics cannot ask a socket for its owner")],
  gssencmode: ["PGGSSENCMODE", one("disable prefer", `disable: ${NO_GSS}`)],
  gssdelegation: ["PGGSSDELEGATION", one("0", `left out: ${NO_GSS}`)],
  gsslib: ["PGGSSLIB", left(NO_GSS)],
  krbsrvname: ["PGKRBSRVNAME", left(NO_GSS)],
  sslmode: ["PGSSLMODE", sslMode],
  requiressl: ["PGREQUIRESSL", one("0", "left out: set sslmode=verify-full")],
  sslnegotiation: ["PGSSLNEGOTIATION", one("postgres direct")],
  sslcompression: ["PGSSLCOMPRESSION", one("0", "left out: TLS is no longer compressed")],
  sslcert: ["PGSSLCERT", obeyed],
  sslkey: ["PGSSLKEY", obeyed],
  sslcertmode: ["PGSSLCERTMODE", one("allow", "left out: metrics sends the certificate that sslcert names")],
  sslrootcert: ["PGSSLROOTCERT", obeyed],
  sslcrl: ["PGSSLCRL", obeyed],
  sslcrldir: ["PGSSLCRLDIR", left("name one file as sslcrl")],
  sslsni: ["PGSSLSNI", one("1", "left out: metrics always sends the server's name")],
  ...withoutVariable("sslkeylogfile", left("metrics does not write keys")),
  ssl_min_protocol_version: ["PGSSLMINPROTOCOLVERSION", TLS_VERSION],
  ssl_max_protocol_version: ["PGSSLMAXPROTOCOLVERSION", TLS_VERSION],
  min_protocol_version: ["PGMINPROTOCOLVERSION", one("3.0", "left out: metrics speaks version 3.0")],
  max_protocol_version: ["PGMAXPROTOCOLVERSION", one("3.0 3.2 latest", "3.0 or later")],
  ...withoutVariable(
    "oauth_issuer oauth_client_id oauth_client_secret oauth_scope",
    left("metrics logs in with a password or a certificate"),
  ),
  // Not libpq's, but node-postgres's and JDBC's.
  ...withoutVariable(
    "ssl",
    one("true false 1 0", "true or false; no-verify would accept any server's certificate"),
  ),
  ...withoutVariable(
    "uselibpqcompat",
    one("false", "left out: it would accept any server's certificate, and sslmode=verify-full does not"),
  ),
};

/** Parameters of other programs, and what to do about each. */
export const OF_OTHERS: Readonly<Record<string, string>> = {
  schema: "METRICS_SCHEMA names the schema",
  currentschema: "METRICS_SCHEMA names the schema",
  search_path: "METRICS_SCHEMA names the schema",
  statement_timeout: "METRICS_STATEMENT_TIMEOUT sets it",
  lock_timeout: "METRICS_LOCK_TIMEOUT sets it",
  pgbouncer: "the daemon detects a pooler by itself",
  connection_limit: "each daemon has two connections",
  pool_timeout: "each daemon has two connections",
  sslaccept: "set sslmode",
};
