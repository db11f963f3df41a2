/** The orchestrator's database: its tables, and in it our role with the rights of config/grants.sql and no others. */
import { randomBytes } from "node:crypto";
import { readFileSync, rmSync } from "node:fs";
import type pg from "pg";
import { createServer, type PostgresServer, type ServerOptions } from "./postgres-server.ts";
import { withClient } from "./with-client.ts";

/** That of config/grants.sql. */
export const ROLE = "damascus_metrics";
const DATABASE = "damascus";

export interface Database extends AsyncDisposable {
  /** As the orchestrator, who owns the tables. */
  readonly ownerUrl: string;
  /** As the daemon's role. */
  readonly daemonUrl: string;
  readonly port: number;
  readonly version: string;
  /** For tests that make it fail. */
  readonly server: PostgresServer;
}

/** Makes and starts a server with its data in a folder of that name. Disposing of it stops it and removes the data. */
export async function startDatabase(
  dataDir: string,
  options: Pick<ServerOptions, "binDir" | "settings"> = {},
): Promise<Database> {
  const server = await createServer({ ...options, dataDir, password: secret() });
  async function dispose(): Promise<void> {
    await server.stop();
    rmSync(server.dataDir, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  }
  try {
    await server.start();
    await withClient(server.url(), (admin) => admin.query(`CREATE DATABASE ${DATABASE}`));
    const ownerUrl = server.url(DATABASE);
    const daemonUrl = new URL(server.url(DATABASE, ROLE));
    daemonUrl.password = secret();
    const version = await withClient(ownerUrl, async (owner) => {
      await makeTables(owner);
      await owner.query(`ALTER ROLE ${ROLE} PASSWORD '${daemonUrl.password}'`);
      return (
        (await owner.query<{ server_version: string }>("SHOW server_version")).rows[0]?.server_version ?? ""
      );
    });
    const { port } = server;
    return { ownerUrl, daemonUrl: daemonUrl.href, port, version, server, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

/** The orchestrator's tables, and our role without a password. */
export async function makeTables(owner: pg.Client): Promise<void> {
  for (const file of ["orchestrator-schema.sql", "grants.sql"])
    await owner.query(readFileSync(new URL(`../config/${file}`, import.meta.url), "utf8"));
}

/** Letters and digits only, so that it needs no quoting anywhere. */
function secret(): string {
  return randomBytes(16).toString("hex");
}
