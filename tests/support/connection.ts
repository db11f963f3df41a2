/** A connection as the daemon has it, for tests that hold its conversations with the database themselves. */
import { type Connection, connect } from "../../src/postgres/connection.ts";
import { configOf } from "./daemon.ts";
import type { TestDatabase } from "./database.ts";

const PATIENCE_MS = 30_000;

export function connectTo(database: TestDatabase): Promise<Connection> {
  return connect({
    database: configOf(database.daemonUrl).database,
    applicationName: "test",
    connectTimeoutMs: PATIENCE_MS,
    statementTimeoutMs: PATIENCE_MS,
    lockTimeoutMs: PATIENCE_MS,
  });
}
