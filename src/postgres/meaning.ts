/**
 * What a failure means: one table, from its code to how it is dealt with, to what `/readyz` says, and to what a person can
 * do about it. Codes are SQLSTATEs, names of the system's and of TLS's errors, and words of `failure.ts`.
 */

export type Meaning = {
  /**
   * `outage`: the server or the way to it is gone. `login`: it does not let us in. `pressure`: it has no room or time now.
   * `refusal`: it works, and says no to what was asked; asked again it says the same until a person changes something.
   */
  readonly policy: "outage" | "login" | "pressure" | "refusal";
  /** For `/readyz`; null where the event says enough. */
  readonly reason: string | null;
  /** What is wrong and what to do. */
  readonly advice: string;
};

const LONGER = "try a longer --timeout (of the daemon: METRICS_STATEMENT_TIMEOUT)";

/** The first that fits counts. */
const TABLE: readonly (readonly [codes: RegExp, ...Meaning: [Meaning["policy"], string | null, string]])[] = [
  [
    /^(ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|HOSTNAME_MISMATCH)/,
    "outage",
    "certificate",
    "the server's certificate is not trusted: check its name, its dates, and sslrootcert in DATABASE_URL",
  ],
  [
    /^NO_TLS$/,
    "outage",
    "no_tls",
    "the server speaks no TLS: set it up there, or use sslmode=disable within a network that you trust",
  ],
  [
    /^NO_CHANNEL_BINDING$/,
    "login",
    "login_refused",
    "the server cannot bind the login to TLS: use scram-sha-256 there, go past the pooler, or leave out channel_binding=require",
  ],
  [
    /^NO_PASSWORD$/,
    "login",
    "no_password",
    "the server asks for a password: set PGPASSWORD_FILE or PGPASSFILE (only you may read it: chmod 600), or write it into DATABASE_URL",
  ],
  [
    /^SETTINGS$/,
    "outage",
    "settings",
    "a file that the settings name cannot be read any more: put it back, or correct the setting; the daemon tries again",
  ],
  [
    /^(CONNECT_TIMEOUT|ETIMEDOUT)$/,
    "outage",
    null,
    "the database did not answer in time: check host and port in DATABASE_URL, a firewall on the way, or try a longer --timeout (of the daemon: METRICS_CONNECT_TIMEOUT)",
  ],
  [
    /^ANSWER_TIMEOUT$/,
    "outage",
    null,
    "the database fell silent: check that its host and the network to it are well, and try again",
  ],
  [
    /^PROTOCOL_VIOLATION$/,
    "outage",
    null,
    "what came is not PostgreSQL's protocol: check that host and port lead to PostgreSQL, and what stands between (a pooler, a proxy)",
  ],
  [
    /^57P05$/,
    "outage",
    null,
    "the server ends idle sessions (idle_session_timeout): ALTER ROLE … SET idle_session_timeout = 0 for the daemon's role",
  ],
  [
    /^25P0[34]$/,
    "pressure",
    "transaction_timeout",
    "the server ended a transaction for its length (idle_in_transaction_session_timeout, transaction_timeout): set them to a second or more for the daemon's role",
  ],
  [
    /^57P03$/,
    "outage",
    "server_starting",
    "the server starts up, shuts down or ended the connection: try again in a moment",
  ],
  [/^57P/, "outage", null, "the server starts up, shuts down or ended the connection: try again in a moment"],
  [
    /^08P01$/,
    "refusal",
    "pooler",
    "a connection pooler refused it: it must pool by transaction or session (pool_mode), know the database and the user, and reach the server; or let DATABASE_URL lead to the server itself",
  ],
  [
    /^(ECONN|ENOTFOUND|EAI_|EHOST|ENET|EPIPE|ENOENT|EACCES|CONNECTION|08)/,
    "outage",
    null,
    "the database cannot be reached: check that it is running and that DATABASE_URL is right",
  ],
  [/^28P01$/, "login", "login_refused", "the database refused the login: check the user and the password"],
  [
    /^28/,
    "login",
    "login_refused",
    "the database refused the login: check the user, pg_hba.conf, and whether the server wants TLS (sslmode)",
  ],
  [/^3D000$/, "refusal", "no_database", "the database does not exist: check the name in DATABASE_URL"],
  [/^57014$/, "pressure", "statement_timeout", `the database did not answer in time: ${LONGER}`],
  [
    /^55P03$/,
    "pressure",
    "locked",
    "another session holds a lock on a table: try again, or a longer --timeout",
  ],
  [
    /^53300$/,
    "pressure",
    "too_many_connections",
    "no connection is left: end one, or raise max_connections or the role's CONNECTION LIMIT",
  ],
  [
    /^53400$/,
    "pressure",
    "limit",
    "a limit of the server's configuration is reached (temp_file_limit, say): raise it for the daemon's role",
  ],
  [/^53/, "pressure", "resources", "the server has run out of memory or disk: make room there"],
  [
    /^25006$/,
    "refusal",
    "read_only",
    "the server takes no writes now (a standby, or default_transaction_read_only): the daemon waits; otherwise let DATABASE_URL lead to the primary",
  ],
  [
    /^42501$/,
    "refusal",
    "privileges",
    "the log cannot be read or written: check METRICS_SCHEMA and the grants (config/grants.sql)",
  ],
  [
    /^42/,
    "refusal",
    "refused",
    "a statement does not fit the tables: check METRICS_SCHEMA, the grants (config/grants.sql), and triggers of the orchestrator's that name tables without their schema",
  ],
  [
    /^23/,
    "refusal",
    "refused",
    "a constraint of events_outbox refuses the daemon's rows: let it allow kind metric.* (the message names it)",
  ],
  [
    /^APPEND_CHANGED$/,
    "refusal",
    "append_changed",
    "a trigger or rule of events_outbox drops or changes the daemon's rows: let it pass kind metric.* as they are",
  ],
  [
    /^P0/,
    "refusal",
    "refused",
    "a trigger or function of the database refuses the daemon's rows: let it pass kind metric.* (the message names it)",
  ],
  [
    /^(22|0A)/,
    "refusal",
    "refused",
    "the database does not take a value or a statement: see what the message names, and the server's log",
  ],
  [
    /^(XX00[12]|58)/,
    "refusal",
    "damaged",
    "the server cannot read its own files: see the server's log, and restore what is damaged from a backup",
  ],
];

const UNKNOWN: Meaning = {
  policy: "outage",
  reason: null,
  advice: "the database failed: try again, and if it stays, see the server's log",
};

export function meaningOf(code: string): Meaning {
  const found = TABLE.find(([codes]) => codes.test(code));
  if (found === undefined) return UNKNOWN;
  const [, policy, reason, advice] = found;
  return { policy, reason, advice };
}
