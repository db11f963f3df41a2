/** The real daemon as a child process: started as an operator starts it, watched through its log. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface, type Interface } from "node:readline";
import type { Readable } from "node:stream";
import { afterUs } from "./after-us.ts";
import { ENTRY, environment } from "./command.ts";
import { isFree } from "./free-port.ts";

const DEFAULT_PORT = 9464;
const READY_WITHIN = 30_000;
/** More than the daemon's own shutdown timeout. */
const GONE_WITHIN = 10_000;
const KEPT_LINES = 15;

export interface DaemonProcess {
  /** Of its HTTP service, such as http://127.0.0.1:9464; null while it has none. */
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
  /** Ends the wait for it to become ready. */
  readonly signal: AbortSignal;
};

/** Resolves when the daemon is ready. Throws when it ends before, is not ready in time, or the signal comes first. */
export async function startDaemon(options: DaemonOptions): Promise<DaemonProcess> {
  const { databaseUrl, onLine, onDeath, signal } = options;
  const child = spawn(process.execPath, [ENTRY, "run"], {
    env: {
      ...environment(databaseUrl),
      // 0: any free one.
      METRICS_HTTP_PORT: String((await isFree(DEFAULT_PORT)) ? DEFAULT_PORT : 0),
      // Here, merges without a notification are found within a second.
      METRICS_POLL_INTERVAL: "1s",
      // The merges of a large batch as well.
      METRICS_LOG_LEVEL: "debug",
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

  const state: { asked: boolean; address: string | null } = { asked: false, address: null };
  log.on("line", (line) => {
    const { event, address } = fieldsOf(line);
    if (event === "http.listening" && typeof address === "string") state.address = address;
  });
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

  const notReady = await Promise.race([readiness(log, signal), death]);
  if (notReady !== null) {
    await stop().catch(() => {});
    throw notReady;
  }
  // It never rejects.
  void (async () => {
    const reason = await death;
    if (!state.asked) onDeath(reason);
  })();
  return {
    get address() {
      return state.address;
    },
    stop,
  };
}

/** Null at the daemon's own word that it is ready, or the error that it did not come in time. */
function readiness(log: Interface, signal: AbortSignal): Promise<Error | null> {
  return new Promise((resolve) => {
    const giveUp = (why: string): void => resolve(new Error(`The daemon was not ready ${why}`));
    const timer = setTimeout(() => giveUp(`within ${READY_WITHIN / 1_000} s`), READY_WITHIN);
    signal.addEventListener("abort", () => giveUp("when the demo was ended"), { once: true });
    log.once("close", () => clearTimeout(timer));
    log.on("line", (line) => {
      if (fieldsOf(line)["event"] !== "daemon.ready") return;
      clearTimeout(timer);
      resolve(null);
    });
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
