/** The real daemon as a child process: started as an operator starts it, watched through its log. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { createInterface, type Interface } from "node:readline";
import type { Readable } from "node:stream";
import { afterUs } from "./after-us.ts";
import { ENTRY, environment } from "./command.ts";

const DEFAULT_PORT = 9464;
const READY_WITHIN = 30_000;
/** More than the daemon's own shutdown timeout. */
const GONE_WITHIN = 10_000;
const KEPT_LINES = 15;

export interface DaemonProcess {
  readonly pid: number;
  /** Of its HTTP service, such as http://127.0.0.1:9464; null where it has none. */
  readonly address: string | null;
  /** Asks it to end and waits. Does nothing if it has ended. Throws when it ends with another code than 0. */
  stop(): Promise<void>;
}

export type DaemonOptions = {
  readonly databaseUrl: string;
  /** Each line of its log, as it comes. */
  readonly onLine: (line: string) => void;
  /** It ended without being asked to; the message holds its last lines. */
  readonly onDeath: (reason: Error) => void;
};

/** Resolves when the daemon is ready. Throws when it ends before, or is not ready in time. */
export async function startDaemon({ databaseUrl, onLine, onDeath }: DaemonOptions): Promise<DaemonProcess> {
  const child = spawn(process.execPath, [ENTRY, "run"], {
    env: {
      ...environment(databaseUrl),
      // 0: any free one.
      METRICS_HTTP_PORT: String((await isFree(DEFAULT_PORT)) ? DEFAULT_PORT : 0),
      // Merges of which nobody was told are found within a second here.
      METRICS_POLL_INTERVAL: "1s",
    },
    stdio: ["ignore", "pipe", "pipe"],
    // Ctrl-C in the terminal is for the demo: it lets the orchestrator finish before it ends the daemon.
    detached: true,
  });
  const last: string[] = [];
  const log = linesOf(child.stdout);
  const errors = linesOf(child.stderr);
  const keep = (line: string): void => {
    last.push(line);
    if (last.length > KEPT_LINES) last.shift();
  };
  for (const lines of [log, errors]) lines.on("line", keep).on("line", onLine);

  const state = { asked: false };
  const gone = ended(child);
  const death = gone.then((how) => new Error(`The daemon ${how}. Its last lines:\n${last.join("\n")}`));
  const guard = afterUs('read -r _; kill -TERM "$0" 2>/dev/null', String(child.pid));
  void gone.then(() => guard.kill("SIGKILL"));

  async function stop(): Promise<void> {
    state.asked = true;
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGTERM");
    const late = setTimeout(() => child.kill("SIGKILL"), GONE_WITHIN);
    const how = await gone;
    clearTimeout(late);
    if (how !== "ended with exit code 0") throw await death;
  }

  const ready = await Promise.race([readiness(log), death]);
  if (ready instanceof Error) {
    await stop().catch(() => {});
    throw ready;
  }
  // It never rejects.
  void (async () => {
    const reason = await death;
    if (!state.asked) onDeath(reason);
  })();
  return { pid: child.pid as number, address: ready.address, stop };
}

/** Resolves at the daemon's own word, or with the error that it did not come in time. */
function readiness(log: Interface): Promise<{ readonly address: string | null } | Error> {
  return new Promise((resolve) => {
    let address: string | null = null;
    const timer = setTimeout(
      () => resolve(new Error(`The daemon was not ready within ${READY_WITHIN / 1_000} s`)),
      READY_WITHIN,
    );
    log.on("line", (line) => {
      const { event, address: told } = fieldsOf(line);
      if (event === "http.listening" && typeof told === "string") address = told;
      if (event !== "daemon.ready") return;
      clearTimeout(timer);
      resolve({ address });
    });
    log.once("close", () => clearTimeout(timer));
  });
}

/** How the child ended, as the end of a sentence; after its output has been read. */
async function ended(child: ChildProcess): Promise<string> {
  try {
    const [code, signal] = (await once(child, "close")) as [number | null, string | null];
    return code === null ? `was killed by ${signal}` : `ended with exit code ${code}`;
  } catch (error) {
    return `could not be started: ${(error as Error).message}`;
  }
}

function linesOf(stream: Readable): Interface {
  return createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY });
}

function fieldsOf(line: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

async function isFree(port: number): Promise<boolean> {
  const probe = createServer();
  try {
    probe.listen(port, "127.0.0.1");
    await once(probe, "listening");
    return true;
  } catch {
    return false;
  } finally {
    probe.close();
  }
}
