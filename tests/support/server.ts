/** A PostgreSQL server of a test's own, for what no shared server can bear: stopping, crashing, promoting, filling up. */
import { accessSync, constants, statfsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterUs } from "../../demo/after-us.ts";
import { createServer, type PostgresServer, type ServerOptions } from "../../demo/postgres-server.ts";

/** Settings that the tests rely on, whichever server they run on. Processes die in them, the machine does not: no fsync. */
export const TEST_SETTINGS = { max_prepared_transactions: 10, fsync: false } as const;

/** A file system in memory, and how much room there must be: a database is made there in a fraction of the time. */
const MEMORY = { folder: "/dev/shm", bytes: 4 * 2 ** 30 };

export type TestServer = PostgresServer & AsyncDisposable;

/**
 * A started server in a fresh data directory (or the given one), from TEST_PG_BIN or the embedded binaries.
 * Disposing of it (`await using`) stops it at once and removes the data.
 */
export async function startServer(options: Partial<ServerOptions> = {}): Promise<TestServer> {
  const dataDir = options.dataDir ?? (await mkdtemp(join(place(), "damascus-test-")));
  // However this process ends; the server goes first.
  const guard = afterUs('read -r _; sleep 1; rm -rf -- "$0"', dataDir);
  const clear = async (folder: string): Promise<void> => {
    guard.kill("SIGKILL");
    await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  };
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

function place(): string {
  try {
    accessSync(MEMORY.folder, constants.W_OK);
    const { bavail, bsize } = statfsSync(MEMORY.folder);
    return bavail * bsize >= MEMORY.bytes ? MEMORY.folder : tmpdir();
  } catch {
    return tmpdir();
  }
}
