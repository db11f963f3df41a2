/** A PostgreSQL server of the benchmark's own, with its default settings, and databases on it. */
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { makeTables, ROLE } from "../demo/database.ts";
import { createServer } from "../demo/postgres-server.ts";

const FOLDER = fileURLToPath(new URL("../.data/bench", import.meta.url));

export interface Database extends AsyncDisposable {
  readonly name: string;
  /** As the orchestrator, who owns the tables. */
  readonly owner: pg.Client;
  readonly ownerUrl: string;
  /** As the daemon's role, with the rights of config/grants.sql. */
  readonly daemonUrl: string;
  /** Leaves the database without our connection, so that it can be copied. */
  release(): Promise<void>;
}

export interface Server extends AsyncDisposable {
  readonly version: string;
  /** The orchestrator's empty tables, or a copy of a released database. */
  database(name: string, copyOf?: string): Promise<Database>;
}

export async function startServer(): Promise<Server> {
  const dataDir = join(FOLDER, String(process.pid));
  mkdirSync(FOLDER, { recursive: true });
  removeLeftovers();
  const server = await createServer({ dataDir });
  async function dispose(): Promise<void> {
    await server.stop();
    rmSync(server.dataDir, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
    rmSync(dataDir, { recursive: true, force: true });
  }
  try {
    await server.start();
    const admin = await connected(server.url());
    const { rows } = await admin.query<{ server_version: string }>("SHOW server_version");

    async function database(name: string, copyOf?: string): Promise<Database> {
      await admin.query(
        copyOf === undefined
          ? `CREATE DATABASE ${name}`
          : `CREATE DATABASE ${name} TEMPLATE ${copyOf} STRATEGY file_copy`,
      );
      const ownerUrl = server.url(name);
      const owner = await connected(ownerUrl);
      if (copyOf === undefined) await makeTables(owner);
      return {
        name,
        owner,
        ownerUrl,
        daemonUrl: server.url(name, ROLE),
        release: () => owner.end(),
        async [Symbol.asyncDispose]() {
          await owner.end().catch(() => undefined);
          await admin.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
        },
      };
    }
    return {
      version: rows[0]?.server_version ?? "",
      database,
      async [Symbol.asyncDispose]() {
        await admin.end();
        await dispose();
      },
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

/** Data of a run that was ended before it could tidy up; its server went with it. */
function removeLeftovers(): void {
  for (const name of readdirSync(FOLDER)) {
    if (!isRunning(Number(name))) rmSync(join(FOLDER, name), { recursive: true, force: true });
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

export async function connected(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, application_name: "bench" });
  client.on("error", () => undefined);
  await client.connect();
  return client;
}
