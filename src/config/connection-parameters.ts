/**
 * Every parameter of libpq, from a connection string or its variable: obeyed, or refused by its name with
 * what to do instead. One that nobody looks at would lead to another server, or to one that is trusted less, than it says.
 */

type Parameter = {
  /** libpq's environment variable for it. */
  readonly variable: string | null;
  /** What it must be, to be read after "it must be"; null where the value is right. */
  readonly expects: (value: string) => string | null;
};

const obeyed = () => null;
const one =
  (values: readonly string[], expectation: string) =>
  (value: string): string | null =>
    values.includes(value.toLowerCase()) ? null : expectation;
const left =
  (why: string) =>
  (value: string): string | null =>
    value === "" ? null : `left out: ${why}`;
const single =
  (what: string) =>
  (value: string): string | null =>
    value.includes(",")
      ? `one ${what}: metrics connects to a single server, so name the primary, or what follows it (a DNS name, a virtual address, a pooler)`
      : null;
const number = (value: string): string | null => (/^\d{1,9}$/.test(value) ? null : "a whole number");
const TLS_VERSION = one(["tlsv1", "tlsv1.1", "tlsv1.2", "tlsv1.3"], "TLSv1.2 or TLSv1.3");
const OFF = ["0", "no", "off", "false"];
const NO_GSS = "metrics does not speak GSSAPI";
const OWN_CHECKS = "the daemon checks its connections itself";

const known = (variable: string | null, expects: Parameter["expects"]): Parameter => ({ variable, expects });

/** By its name in a connection string. */
export const PARAMETERS: Readonly<Record<string, Parameter>> = {
  host: known("PGHOST", single("host")),
  hostaddr: known("PGHOSTADDR", left("write the address as host")),
  port: known("PGPORT", single("port")),
  dbname: known("PGDATABASE", obeyed),
  user: known("PGUSER", obeyed),
  // PGPASSWORD and its file are read apart.
  password: known(null, obeyed),
  passfile: known("PGPASSFILE", obeyed),
  options: known("PGOPTIONS", obeyed),
  // The daemon's own names win: its instances are counted by them.
  application_name: known("PGAPPNAME", obeyed),
  fallback_application_name: known(null, obeyed),
  connect_timeout: known("PGCONNECT_TIMEOUT", number),
  client_encoding: known("PGCLIENTENCODING", one(["utf8", "utf-8", "auto"], "UTF8")),
  keepalives: known(null, one(["0", "1"], "0 or 1")),
  keepalives_idle: known(null, number),
  keepalives_interval: known(null, left(OWN_CHECKS)),
  keepalives_count: known(null, left(OWN_CHECKS)),
  tcp_user_timeout: known(null, left(OWN_CHECKS)),
  replication: known(null, one(OFF, "left out: metrics reads tables")),
  target_session_attrs: known(
    "PGTARGETSESSIONATTRS",
    one(
      ["any"],
      "left out: metrics connects to a single server, and waits by itself while that is a standby",
    ),
  ),
  load_balance_hosts: known(
    "PGLOADBALANCEHOSTS",
    one(["disable"], "left out: metrics connects to a single server"),
  ),
  service: known("PGSERVICE", left("write what the service file says into DATABASE_URL")),
  // Nothing without a service.
  servicefile: known("PGSERVICEFILE", obeyed),
  channel_binding: known(
    "PGCHANNELBINDING",
    one(["disable", "prefer", "require"], "disable, prefer or require"),
  ),
  require_auth: known("PGREQUIREAUTH", left("pg_hba.conf says how a login is checked")),
  scram_client_key: known(null, left("set the password")),
  scram_server_key: known(null, left("set the password")),
  requirepeer: known("PGREQUIREPEER", left("metrics cannot ask a socket for its owner")),
  gssencmode: known("PGGSSENCMODE", one(["disable", "prefer"], `disable: ${NO_GSS}`)),
  gssdelegation: known("PGGSSDELEGATION", one(["0"], `left out: ${NO_GSS}`)),
  gsslib: known("PGGSSLIB", left(NO_GSS)),
  krbsrvname: known("PGKRBSRVNAME", left(NO_GSS)),
  sslmode: known("PGSSLMODE", obeyed),
  requiressl: known("PGREQUIRESSL", one(["0"], "left out: set sslmode=verify-full")),
  sslnegotiation: known("PGSSLNEGOTIATION", one(["postgres", "direct"], "postgres or direct")),
  sslcompression: known("PGSSLCOMPRESSION", one(["0"], "left out: TLS is not compressed any more")),
  sslcert: known("PGSSLCERT", obeyed),
  sslkey: known("PGSSLKEY", obeyed),
  sslpassword: known(null, obeyed),
  sslcertmode: known(
    "PGSSLCERTMODE",
    one(["allow"], "left out: a certificate is sent where sslcert names one"),
  ),
  sslrootcert: known("PGSSLROOTCERT", obeyed),
  sslcrl: known("PGSSLCRL", obeyed),
  sslcrldir: known("PGSSLCRLDIR", left("name one file as sslcrl")),
  sslsni: known("PGSSLSNI", one(["1"], "left out: the server is told which name is meant")),
  sslkeylogfile: known(null, left("metrics writes no keys")),
  ssl_min_protocol_version: known("PGSSLMINPROTOCOLVERSION", TLS_VERSION),
  ssl_max_protocol_version: known("PGSSLMAXPROTOCOLVERSION", TLS_VERSION),
  min_protocol_version: known("PGMINPROTOCOLVERSION", one(["3.0"], "left out: metrics speaks version 3.0")),
  max_protocol_version: known("PGMAXPROTOCOLVERSION", one(["3.0", "3.2", "latest"], "3.0 or later")),
  oauth_issuer: known(null, left("metrics logs in with a password or a certificate")),
  oauth_client_id: known(null, left("metrics logs in with a password or a certificate")),
  oauth_client_secret: known(null, left("metrics logs in with a password or a certificate")),
  oauth_scope: known(null, left("metrics logs in with a password or a certificate")),
  // Not libpq's, but node-postgres's and JDBC's.
  ssl: known(
    null,
    one(["true", "false", "1", "0"], "true or false; no-verify would accept any server's certificate"),
  ),
  uselibpqcompat: known(
    null,
    one(["false"], "left out: it would accept any server's certificate, and sslmode=verify-full does not"),
  ),
};

/** Parameters of other programs, and what to do about each. */
export const OF_OTHERS: Readonly<Record<string, string>> = {
  schema: "METRICS_SCHEMA names the schema",
  currentschema: "METRICS_SCHEMA names the schema",
  search_path: "METRICS_SCHEMA names the schema",
  statement_timeout: "METRICS_STATEMENT_TIMEOUT sets it",
  lock_timeout: "METRICS_LOCK_TIMEOUT sets it",
  pgbouncer: "a pooler is noticed by itself",
  connection_limit: "each daemon has two connections",
  pool_timeout: "each daemon has two connections",
  sslaccept: "set sslmode",
};
