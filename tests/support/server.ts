/** A PostgreSQL server of a test's own, for what no shared server can bear: stopping, crashing, promoting, filling up. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer, type PostgresServer, type ServerOptions } from "../../demo/postgres-server.ts";

/** Settings that the tests rely on, whichever server they run on. */
export const TEST_SETTINGS = { max_prepared_transactions: 10 } as const;

export type TestServer = PostgresServer & AsyncDisposable;

/**
 * A started server in a fresh temporary data directory (or the given one), from TEST_PG_BIN or the embedded binaries.
 * Disposing of it (`await using`) stops it at once and removes the data.
 */
export async function startServer(options: Partial<ServerOptions> = {}): Promise<TestServer> {
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), "damascus-test-")));
  try {
    const server = await createServer({
      binDir: process.env["TEST_PG_BIN"] || undefined,
      ...options,
      dataDir,
      settings: { ...TEST_SETTINGS, ...options.settings },
    });
    await server.start();
    return Object.assign(server, {
      async [Symbol.asyncDispose]() {
        await server.stop("immediate");
        await clear(server.dataDir);
      },
    });
  } catch (error) {
    await clear(dataDir);
    throw error;
  }
}

async function clear(dataDir: string): Promise<void> {
  await rm(dataDir, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
}
