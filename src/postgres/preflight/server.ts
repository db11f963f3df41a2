/** The server and the database, before any table is looked at: whether it takes writes, and every project name. */
import { UnfitDatabase } from "../../outbox/outbox-log.ts";
import type { Query } from "../connection.ts";
import { STARTED } from "../server-identity.ts";

/** What the checks found: each line names a problem and its remedy. */
export type Findings = {
  /** Nothing is written as long as there is one. */
  readonly problems: string[];
  /** Something works less well than it could. */
  readonly warnings: string[];
};

export type Server = {
  readonly serverVersion: string;
  /** The first number of the version. */
  readonly major: number;
  readonly role: string;
  /** The role as statements name it. */
  readonly quotedRole: string;
  /** The process id of the backend that answered. */
  readonly backend: string;
  /** See `STARTED`. */
  readonly started: string;
  /** After how many milliseconds of a wait it looks for deadlocks. */
  readonly deadlockMs: number;
};

const OLDEST_SERVER = 15;

/**
 * Checks the server and the database.
 * @throws UnfitDatabase for a standby or a read-only database: it becomes fit by itself, or another server takes its place.
 */
export async function inspectServer(query: Query, found: Findings): Promise<Server> {
  const { rows } = await query(
    `SELECT current_user::text AS role, quote_ident(current_user) AS quoted_role, current_setting('server_version') AS version,
            current_setting('server_version_num') AS version_num, current_setting('default_transaction_read_only') AS read_only, pg_is_in_recovery()::text AS standby,
            current_setting('server_encoding') AS encoding, pg_backend_pid()::text AS backend,
            ${STARTED} AS started, (1000 * extract(epoch FROM current_setting('deadlock_timeout')::interval))::int::text AS deadlock_ms`,
  );
  const row = rows[0] ?? {};
  const server = {
    serverVersion: row["version"] ?? "",
    major: Math.floor(Number(row["version_num"]) / 10_000),
    role: row["role"] ?? "",
    quotedRole: row["quoted_role"] ?? "",
    backend: row["backend"] ?? "",
    started: row["started"] ?? "",
    deadlockMs: Number(row["deadlock_ms"]),
  };
  if (row["standby"] === "true")
    throw new UnfitDatabase("read_only_server", [
      "this server is a standby and takes no writes: the daemon waits for its promotion (or point DATABASE_URL at the primary)",
    ]);
  if (row["read_only"] === "on")
    throw new UnfitDatabase("read_only_server", [
      `the database is read-only (default_transaction_read_only is on for the database or for role ${server.quotedRole}): the daemon waits ` +
        `until it is off (ALTER DATABASE … or ALTER ROLE ${server.quotedRole} RESET default_transaction_read_only)`,
    ]);
  if (row["encoding"] !== "UTF8")
    found.problems.push(
      `the database has encoding ${row["encoding"]}, and project names need UTF8: recreate the database with ENCODING 'UTF8'`,
    );
  if (server.major < OLDEST_SERVER)
    found.warnings.push(
      `PostgreSQL ${server.serverVersion} is older than ${OLDEST_SERVER}, the oldest tested version: upgrade the server`,
    );
  return server;
}
