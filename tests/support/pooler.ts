/** PgBouncer in transaction mode before a database, where the program is installed. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterUs } from "../../demo/after-us.ts";
import { freePort } from "../../demo/free-port.ts";
import { until } from "./until.ts";
import { through } from "./way-through.ts";

export interface Pooler extends AsyncDisposable {
  /** The same connection string, by way of the pooler. */
  readonly url: string;
  /** Waits for transactions under way; from then on clients wait, and have no backend. */
  pause(): Promise<void>;
  resume(): Promise<void>;
}

/** @param settings lines of its [pgbouncer] section. */
export async function startPooler(
  program: string,
  databaseUrl: string,
  settings: Readonly<Record<string, string | number>> = {},
): Promise<Pooler> {
  const target = new URL(databaseUrl);
  const folder = mkdtempSync(join(tmpdir(), "damascus-pooler-"));
  chmodSync(folder, 0o755);
  const port = await freePort();
  const users = join(folder, "users");
  const configuration = join(folder, "pgbouncer.ini");
  writeFileSync(users, `"${target.username}" "${decodeURIComponent(target.password)}"\n`);
  const all = {
    listen_addr: "127.0.0.1",
    listen_port: port,
    unix_socket_dir: "",
    auth_type: "trust",
    auth_file: users,
    admin_users: target.username,
    pool_mode: "transaction",
    ...settings,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name} = ${value}`);
  writeFileSync(
    configuration,
    `[databases]\n* = host=${target.hostname} port=${target.port || 5432}\n[pgbouncer]\n${lines.join("\n")}\n`,
  );
  // It refuses to run as root.
  const child = spawn(program, [...(process.getuid?.() === 0 ? ["-u", "nobody"] : []), configuration], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const said = listenTo(child);
  const guard = afterUs('read -r _; kill -KILL "$0" 2>/dev/null', String(child.pid));
  const url = through(databaseUrl, port);
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill("SIGKILL");
      await once(child, "exit");
    }
    guard.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await until("the pooler answers", () => answers(url));
  } catch (error) {
    await stop();
    throw new Error(`${String(error)}\n${said()}`, { cause: error });
  }
  const order = async (what: string): Promise<void> => {
    const console = new pg.Client({ connectionString: new URL("/pgbouncer", url).href });
    await console.connect();
    await console.query(what);
    await console.end();
  };
  return {
    url,
    pause: () => order("PAUSE"),
    resume: () => order("RESUME"),
    [Symbol.asyncDispose]: stop,
  };
}

function listenTo(child: ChildProcess): () => string {
  let text = "";
  child.stderr?.on("data", (bytes: Buffer) => {
    text += bytes.toString("utf8");
  });
  return () => text.slice(-3_000);
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  client.on("error", () => undefined);
  try {
    await client.connect();
    await client.query("SELECT 1");
    await client.end();
    return true;
  } catch {
    return false;
  }
}
