/** A PostgreSQL server of a test's own, for what no shared server can bear: stopping, crashing, promoting, filling up. */
import { join } from "node:path";
import { createServer, type PostgresServer, type ServerOptions } from "../../demo/postgres-server.ts";
import { scratchFolder } from "./scratch.ts";

/** Settings that the tests rely on, whichever server they run on. Processes die in them, the machine does not: no fsync. */
export const TEST_SETTINGS = { max_prepared_transactions: 10, fsync: false } as const;

export type TestServer = PostgresServer & AsyncDisposable;

/**
 * A started server in a fresh data directory (or the given one, which somebody else removes), from TEST_PG_BIN or the
 * embedded binaries. Disposing of it (`await using`) stops it at once.
 */
export async function startServer(options: Partial<ServerOptions> = {}): Promise<TestServer> {
  await using resources = new AsyncDisposableStack();
  const dataDir = options.dataDir ?? join(resources.use(await scratchFolder("server")).path, "data");
  const server = await createServer({
    binDir: process.env["TEST_PG_BIN"] || undefined,
    ...options,
    dataDir,
    settings: { ...TEST_SETTINGS, ...options.settings },
  });
  resources.defer(() => server.stop("immediate"));
  await server.start();
  const kept = resources.move();
  return Object.assign(server, { [Symbol.asyncDispose]: () => kept.disposeAsync() });
}
