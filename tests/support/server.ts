/** A PostgreSQL server of a test's own, for what no shared server can bear: stopping, crashing, promoting, filling up. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { inject } from "vitest";
import { createServer, type PostgresServer, type ServerOptions } from "../../demo/postgres-server.ts";
import { scratchFolder } from "./scratch.ts";

/**
 * Settings that the tests rely on, whichever server they run on. Processes die in them, the machine does not: no fsync, and
 * no page is ever torn.
 */
export const TEST_SETTINGS = {
  max_prepared_transactions: 10,
  fsync: false,
  full_page_writes: false,
} as const;

const TEST_BINARIES = process.env["TEST_PG_BIN"] || undefined;

export type TestServer = PostgresServer & AsyncDisposable;

/** A cluster that no server runs on, for `startServer` to copy: half a second less of initdb for each server. */
export async function makeCluster(dataDir: string): Promise<string> {
  const server = await createServer({ binDir: TEST_BINARIES, dataDir });
  return server.dataDir;
}

/**
 * A started server in a fresh data directory (or the given one, which the caller removes), from TEST_PG_BIN or the
 * embedded binaries. Disposing of it (`await using`) stops it at once.
 */
export async function startServer(
  options: Partial<ServerOptions> = {},
  cluster = inject("postgres").cluster,
): Promise<TestServer> {
  await using resources = new AsyncDisposableStack();
  const dataDir = options.dataDir ?? join(resources.use(await scratchFolder("server")).path, "data");
  // initdb sets the password and the way to log in, and each version has its own cluster.
  const copied =
    options.dataDir === undefined && options.binDir === undefined && options.password === undefined;
  if (copied) await promisify(execFile)("cp", ["-pR", cluster, dataDir]);
  const server = await createServer({
    binDir: TEST_BINARIES,
    ...options,
    dataDir,
    settings: { ...TEST_SETTINGS, ...options.settings },
  });
  resources.defer(() => server.stop("immediate"));
  await server.start();
  const kept = resources.move();
  return Object.assign(server, { [Symbol.asyncDispose]: () => kept.disposeAsync() });
}
