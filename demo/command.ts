/** The command `metrics` as an operator's shell would run it, against the demo's database and nothing else. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Snapshot } from "../src/core/snapshot.ts";

/** The checkout's; under `npm test` that of the package as npm installs it. */
export const ENTRY =
  process.env["TEST_ENTRY"] ?? fileURLToPath(new URL("../bin/metrics.js", import.meta.url));
const TIMEOUT = 30_000;

/** Our own environment without what would lead to another database or configuration. */
export function environment(databaseUrl: string): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(PG|METRICS_|DATABASE_URL)/.test(name));
  return { ...Object.fromEntries(inherited), DATABASE_URL: databaseUrl };
}

/** Runs `metrics snapshot` on our own terminal. */
export async function showSnapshot(databaseUrl: string, signal: AbortSignal): Promise<void> {
  const child = spawn(process.execPath, [ENTRY, "snapshot"], {
    env: environment(databaseUrl),
    stdio: ["ignore", "inherit", "inherit"],
    timeout: TIMEOUT,
    signal,
  });
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0)
    throw new Error(`metrics snapshot ended with ${code === null ? "a signal" : `exit code ${code}`}`);
}

/** What `metrics snapshot --json` prints. */
export async function readSnapshot(databaseUrl: string, signal: AbortSignal): Promise<Snapshot> {
  const { stdout } = await promisify(execFile)(process.execPath, [ENTRY, "snapshot", "--json"], {
    env: environment(databaseUrl),
    timeout: TIMEOUT,
    maxBuffer: 16 * 1024 * 1024,
    signal,
  });
  return JSON.parse(stdout) as Snapshot;
}
