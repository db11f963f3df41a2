/**
 * One PostgreSQL server for the whole run of project `pg`, and on it a template database with the orchestrator's
 * tables, from which `createDatabase` copies. The server is the one of TEST_DATABASE_URL, or a container of
 * TEST_POSTGRES_IMAGE, or a process from the binaries in TEST_PG_BIN, or, where none of them is set, the embedded one.
 */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { PostgreSqlContainer } from "@testcontainers/postgresql";
import type { TestProject } from "vitest/node";
import { withClient } from "../../demo/with-client.ts";
import { orchestratorSchema } from "./orchestrator-schema.ts";
import { scratchFolder } from "./scratch.ts";
import { makeCluster, startServer, TEST_SETTINGS } from "./server.ts";

declare module "vitest" {
  export interface ProvidedContext {
    readonly postgres: {
      /** The shared server, as superuser. */
      readonly adminUrl: string;
      /** Begins the names of this run's databases and roles: other runs may use the server at the same time. */
      readonly run: string;
      /** A database with the orchestrator's tables. */
      readonly template: string;
      /** A fresh data directory, for servers of a test's own. */
      readonly cluster: string;
    };
  }
}

interface Source {
  readonly name: string;
  readonly adminUrl: string;
  stop(): Promise<void>;
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await using resources = new AsyncDisposableStack();
  const scratch = resources.use(await scratchFolder("cluster"));
  const cluster = await makeCluster(join(scratch.path, "data"));
  const source = await databaseSource(cluster);
  resources.defer(() => source.stop());
  const prefix = `dm_${randomBytes(4).toString("hex")}`;
  const template = `${prefix}_template`;
  resources.defer(() => dropLeftovers(source.adminUrl, prefix));
  const version = await makeTemplate(source.adminUrl, template);
  process.stdout.write(`PostgreSQL ${version} (${source.name})\n`);
  project.provide("postgres", { adminUrl: source.adminUrl, run: prefix, template, cluster });
  const kept = resources.move();
  return () => kept.disposeAsync();
}

async function databaseSource(cluster: string): Promise<Source> {
  const given = process.env["TEST_DATABASE_URL"];
  if (given) return { name: "TEST_DATABASE_URL", adminUrl: given, stop: async () => {} };
  const image = process.env["TEST_POSTGRES_IMAGE"];
  if (image) return startContainer(image);
  const server = await startServer({}, cluster);
  return {
    name: process.env["TEST_PG_BIN"] || "embedded",
    adminUrl: server.url(),
    stop: async () => {
      await server[Symbol.asyncDispose]();
    },
  };
}

async function startContainer(image: string): Promise<Source> {
  // The teardown stops the container itself; the reaper would be a second image to fetch.
  process.env["TESTCONTAINERS_RYUK_DISABLED"] ??= "true";
  // "localhost" may mean ::1 here while the engine publishes the port on IPv4 only.
  if (!process.env["DOCKER_HOST"]) process.env["TESTCONTAINERS_HOST_OVERRIDE"] ??= "127.0.0.1";
  const settings = Object.entries(TEST_SETTINGS).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const container = await new PostgreSqlContainer(image).withCommand(["postgres", ...settings]).start();
  return {
    name: `container ${image}`,
    adminUrl: container.getConnectionUri(),
    stop: async () => {
      await container.stop();
    },
  };
}

/** Returns the server's version. */
async function makeTemplate(adminUrl: string, template: string): Promise<string> {
  const version = await withClient(adminUrl, async (admin) => {
    await admin.query(
      `CREATE DATABASE ${template} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'`,
    );
    const shown = await admin.query<{ server_version: string }>("SHOW server_version");
    return shown.rows[0]?.server_version ?? "unknown";
  });
  const url = new URL(adminUrl);
  url.pathname = `/${template}`;
  await withClient(url.href, (client) => client.query(orchestratorSchema()));
  return version;
}

async function dropLeftovers(adminUrl: string, prefix: string): Promise<void> {
  await withClient(adminUrl, async (admin) => {
    const databases = await admin.query<{ datname: string }>(
      "SELECT datname FROM pg_database WHERE starts_with(datname, $1)",
      [prefix],
    );
    for (const { datname } of databases.rows) await admin.query(`DROP DATABASE ${datname} WITH (FORCE)`);
    const roles = await admin.query<{ rolname: string }>(
      "SELECT rolname FROM pg_roles WHERE starts_with(rolname, $1)",
      [prefix],
    );
    for (const { rolname } of roles.rows) await admin.query(`DROP ROLE ${rolname}`);
  });
}
