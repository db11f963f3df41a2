/**
 * One PostgreSQL server for the whole run of project `pg`, and on it a template database with the orchestrator's
 * tables, from which `createDatabase` copies. In order: TEST_DATABASE_URL, a server from TEST_PG_BIN, a container
 * (TEST_POSTGRES_IMAGE, default postgres:18) where a Docker engine answers, the embedded server.
 */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { promisify } from "node:util";
import { PostgreSqlContainer } from "@testcontainers/postgresql";
import type { TestProject } from "vitest/node";
import { withClient } from "../../demo/with-client.ts";
import { orchestratorSchema } from "./orchestrator-schema.ts";
import { startServer, TEST_SETTINGS } from "./server.ts";

declare module "vitest" {
  export interface ProvidedContext {
    /** The shared server, and what names this run's databases on it (others may run there at the same time). */
    readonly postgres: { readonly adminUrl: string; readonly run: string; readonly template: string };
  }
}

interface Source {
  readonly name: string;
  readonly adminUrl: string;
  stop(): Promise<void>;
}

const run = promisify(execFile);

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const source = await databaseSource();
  const prefix = `dm_${randomBytes(4).toString("hex")}`;
  const template = `${prefix}_template`;
  try {
    const version = await makeTemplate(source.adminUrl, template);
    process.stdout.write(`PostgreSQL ${version} (${source.name})\n`);
  } catch (error) {
    await source.stop();
    throw error;
  }
  project.provide("postgres", { adminUrl: source.adminUrl, run: prefix, template });
  return async () => {
    try {
      await dropLeftovers(source.adminUrl, prefix);
    } finally {
      await source.stop();
    }
  };
}

async function databaseSource(): Promise<Source> {
  const given = process.env["TEST_DATABASE_URL"];
  if (given) return { name: "TEST_DATABASE_URL", adminUrl: given, stop: async () => {} };
  if (!process.env["TEST_PG_BIN"]) {
    const container = await startContainer();
    if (container !== undefined) return container;
  }
  const server = await startServer();
  return {
    name: process.env["TEST_PG_BIN"] || "embedded",
    adminUrl: server.url(),
    stop: async () => {
      await server[Symbol.asyncDispose]();
    },
  };
}

/** Undefined where there is no engine, or no image to be had. */
async function startContainer(): Promise<Source | undefined> {
  const image = process.env["TEST_POSTGRES_IMAGE"] || "postgres:18";
  if (!(await succeeds("docker", ["info"], 3_000))) return undefined;
  const obtainable =
    (await succeeds("docker", ["image", "inspect", image], 5_000)) ||
    (await succeeds("docker", ["pull", "--quiet", image], 120_000));
  if (!obtainable) {
    process.stdout.write(`Docker answers, but ${image} cannot be obtained: using the embedded PostgreSQL\n`);
    return undefined;
  }
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

async function succeeds(command: string, args: string[], timeout: number): Promise<boolean> {
  try {
    await run(command, args, { timeout });
    return true;
  } catch {
    return false;
  }
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
