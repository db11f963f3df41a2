/**
 * What a failure means: one table from its code to everything that is decided by it. Codes are SQLSTATEs, names of the
 * system's and of TLS's errors, and words of `failure.ts`. Every place that handles a failure asks this table.
 */
import type { Failure } from "./fields.ts";

/**
 * What a failed statement shows, and what remains usable after it.
 * - `lost`: nothing. The connection is given up, and a COMMIT under way may have happened.
 * - `answered`: the server reports that it did not do it, so a COMMIT did not happen. The connection is given up.
 * - `time`: the statement was cancelled, as a rule by `statement_timeout`.
 * - `lock`: another session holds a lock; that says nothing about the rows.
 * - `storage`: the server cannot read a row or an index from its disk. Rows beside it can be read.
 * - `value`: the statement cannot take in a value of a row. Reading narrows it down to that row.
 * - `statement`: the server rejects the statement itself.
 * - `rows`: the table rejects the rows.
 *
 * After `time`, `lock`, `storage`, `value` and `rows` the connection is usable once its transaction is rolled back.
 */
export type Fault = "lost" | "answered" | "time" | "lock" | "storage" | "value" | "statement" | "rows";

export type Meaning = {
  /**
   * - `outage`: the server or the way to it is unavailable.
   * - `login`: the server refuses the login.
   * - `pressure`: the server has no room or time now.
   * - `refusal`: the server works and refuses the request; it answers the same until a person changes something.
   */
  readonly policy: "outage" | "login" | "pressure" | "refusal";
  readonly fault: Fault;
  /** For `/readyz`; null where the event says enough. */
  readonly reason: string | null;
  /** What happened and what to do. */
  readonly advice: string;
};

const ADVICE = {
  append_changed:
    "a trigger or rule of events_outbox drops or changes the daemon's rows: let it pass rows of kind metric.* unchanged",
  certificate:
    "the server's certificate is not trusted: check its host name, its dates, and sslrootcert in DATABASE_URL",
  channel_binding:
    "the server cannot bind the login to TLS: use scram-sha-256 on the server, connect without a pooler, or remove channel_binding=require",
  connect_timeout:
    "the database did not answer in time: check host and port in DATABASE_URL and any firewall, or try a longer --timeout (daemon: METRICS_CONNECT_TIMEOUT)",
  constraint:
    "a constraint of events_outbox refuses the daemon's rows, or no partition takes them: allow rows of kind metric.*, or add the partition (the message names what refuses them)",
  damaged:
    "the server cannot read its own files: see the server's log, and restore the damaged data from a backup",
  database: "the database does not exist: check the name in DATABASE_URL",
  idle_session:
    "the server ends idle sessions (idle_session_timeout): ALTER ROLE … SET idle_session_timeout = 0 for the daemon's role",
  limit:
    "a configured limit of the server is reached (such as temp_file_limit): raise it for the daemon's role",
  locked:
    "another session holds a lock on a table or row that is needed: try again, or try a longer --timeout",
  login:
    "the database refused the login: check the user, pg_hba.conf, and whether the server requires TLS (sslmode)",
  no_password:
    "the server asks for a password: set PGPASSWORD_FILE, or PGPASSFILE (readable only by you: chmod 600), or put it into DATABASE_URL",
  no_tls:
    "the server does not support TLS: enable it on the server, or use sslmode=disable on a network that you trust",
  password: "the database refused the login: check the user and the password",
  pooler:
    "a connection pooler refused the connection: it must pool by transaction or session (pool_mode), know the database and the user, and reach the server; or point DATABASE_URL at the server itself",
  privileges: "the log cannot be read or written: check METRICS_SCHEMA and the grants (config/grants.sql)",
  protocol:
    "the answer is not PostgreSQL's protocol: check that host and port lead to PostgreSQL, and check any pooler or proxy in between",
  read_only:
    "the server takes no writes now (a standby, or default_transaction_read_only): the daemon waits until it does; otherwise point DATABASE_URL at the primary",
  refused: "the database rejects a value or a statement: see what the message names, and the server's log",
  replaced:
    "the server restarted or failed over, or the table was replaced: the daemon reconnects and reads the log again",
  resources: "the server has run out of memory or disk: make room there",
  settings:
    "a file that the settings name can no longer be read: restore it or correct the setting; the daemon retries",
  silent: "the database stopped answering: check that its host and the network to it are well, and try again",
  starting: "the server is starting up or shutting down, or it ended the connection: try again in a moment",
  statement:
    "a statement does not fit the tables: check METRICS_SCHEMA, the grants (config/grants.sql), and any trigger of the orchestrator that names tables without their schema",
  statement_timeout:
    "the database did not answer in time: try a longer --timeout (daemon: METRICS_STATEMENT_TIMEOUT)",
  too_many_connections:
    "no connection is free: end one, or raise max_connections or the role's CONNECTION LIMIT",
  transaction_timeout:
    "the server ended a transaction because it took too long (idle_in_transaction_session_timeout, transaction_timeout): set them to a second or more for the daemon's role",
  trigger:
    "a trigger or function of the database refuses the daemon's rows: let it pass rows of kind metric.* (the message names it)",
  unknown: "the database failed: try again, and if it fails again, see the server's log",
  unreachable: "the database cannot be reached: check that it is running and that DATABASE_URL is right",
} as const;

type Row = readonly [
  codes: string,
  policy: Meaning["policy"],
  fault: Fault,
  reason: string | null,
  advice: keyof typeof ADVICE,
];

const TLS = "ERR_TLS ERR_SSL CERT_ DEPTH_ZERO SELF_SIGNED UNABLE_TO_ HOSTNAME_MISMATCH";
const NETWORK = "ECONN ENOTFOUND EAI_ EHOST ENET EPIPE ENOENT EACCES CONNECTION 08";

/** By the beginning of the code; the first row that fits counts. */
const TABLE: readonly Row[] = [
  [TLS, "outage", "lost", "certificate", "certificate"],
  ["NO_TLS", "outage", "lost", "no_tls", "no_tls"],
  ["NO_CHANNEL_BINDING", "login", "lost", "login_refused", "channel_binding"],
  ["NO_PASSWORD", "login", "lost", "no_password", "no_password"],
  ["SETTINGS", "outage", "lost", "settings", "settings"],
  ["CONNECT_TIMEOUT ETIMEDOUT", "outage", "lost", null, "connect_timeout"],
  ["ANSWER_TIMEOUT", "outage", "lost", null, "silent"],
  ["PROTOCOL_VIOLATION", "outage", "lost", null, "protocol"],
  ["SERVER_REPLACED TABLE_REPLACED", "outage", "lost", null, "replaced"],
  ["08P01", "refusal", "lost", "pooler", "pooler"],
  [NETWORK, "outage", "lost", null, "unreachable"],
  ["57014", "pressure", "time", "statement_timeout", "statement_timeout"],
  ["57P03", "outage", "lost", "server_starting", "starting"],
  ["57P05", "outage", "lost", null, "idle_session"],
  ["57P", "outage", "lost", null, "starting"],
  ["58", "refusal", "lost", "damaged", "damaged"],
  ["XX001 XX002", "refusal", "storage", "damaged", "damaged"],
  ["55P03 40P01", "pressure", "lock", "locked", "locked"],
  ["APPEND_CHANGED", "refusal", "rows", "append_changed", "append_changed"],
  ["23", "refusal", "rows", "refused", "constraint"],
  ["P0", "refusal", "rows", "refused", "trigger"],
  // 54000: a row that is too large for an index.
  ["27 44 54000", "refusal", "rows", "refused", "refused"],
  ["22", "refusal", "value", "refused", "refused"],
  ["42501", "refusal", "statement", "privileges", "privileges"],
  ["42", "refusal", "statement", "refused", "statement"],
  ["0A 21 2F 38 39 54", "refusal", "statement", "refused", "refused"],
  ["25006", "refusal", "answered", "read_only", "read_only"],
  ["25P03 25P04", "pressure", "answered", "transaction_timeout", "transaction_timeout"],
  ["28P01", "login", "answered", "login_refused", "password"],
  ["28", "login", "answered", "login_refused", "login"],
  ["3D000", "refusal", "lost", "no_database", "database"],
  ["53300", "pressure", "answered", "too_many_connections", "too_many_connections"],
  ["53400", "pressure", "answered", "limit", "limit"],
  ["53", "pressure", "answered", "resources", "resources"],
  ["2 40 55", "outage", "answered", null, "unknown"],
];

const UNKNOWN: Row = ["", "outage", "lost", null, "unknown"];

/** What a failure with this code means; a code that the table does not have is an outage about which nothing is known. */
export function meaningOf(code: string): Meaning {
  const row = TABLE.find(([codes]) => codes.split(" ").some((start) => code.startsWith(start))) ?? UNKNOWN;
  const [, policy, fault, reason, advice] = row;
  return { policy, fault, reason, advice: ADVICE[advice] };
}

/** Whether another session holds a lock: that says nothing about whether the table takes the rows. */
export function isLocked({ code }: Failure): boolean {
  return meaningOf(code).fault === "lock";
}
