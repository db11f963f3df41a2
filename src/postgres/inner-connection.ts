/** What a client of `pg` speaks through: made apart from it, for a library that makes its own client and keeps it to itself. */
import pg from "pg";

declare module "pg" {
  interface ClientConfig {
    /** What the client is to speak through, made by another one of the same configuration. */
    connection?: pg.Connection;
  }
}

/** For `connection` of a client's configuration. */
export function innerConnection(config: pg.ClientConfig): pg.Connection {
  return new pg.Client(config).connection;
}
