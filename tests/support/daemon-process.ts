/** The daemon as an operator runs it: the real command in a process of its own, watched through its log, killed at will. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { afterUs } from "../../demo/after-us.ts";
import { ENTRY, environment } from "../../demo/command.ts";
import { Told } from "./told.ts";

export type LogLine = Readonly<Record<string, unknown>> & { readonly event: string };

export interface DaemonProcess extends AsyncDisposable {
  readonly pid: number;
  /** Its standard output, parsed. */
  readonly lines: readonly LogLine[];
  /** Everything it wrote, both streams. */
  readonly output: () => string;
  /** The first line of this event after `from` that matches. Throws when the process ends before. */
  line(event: string, matches?: (line: LogLine) => boolean, from?: number): Promise<LogLine>;
  mark(): number;
  signal(signal: "SIGTERM" | "SIGINT" | "SIGKILL" | "SIGSTOP" | "SIGCONT"): void;
  /** Resolves when it has ended, with its exit code, or null where a signal ended it. */
  readonly exit: Promise<number | null>;
  /** SIGTERM, and its exit code. */
  stop(): Promise<number | null>;
  /** Kill -9, and gone. */
  kill(): Promise<void>;
}

/**
 * @param settings METRICS_* variables; polling is quick and HTTP off unless they say otherwise.
 * @param entry another tree's command.
 */
export function spawnDaemon(
  databaseUrl: string,
  settings: Readonly<Record<string, string>> = {},
  entry = ENTRY,
): DaemonProcess {
  const child = spawn(process.execPath, [entry, "run"], {
    env: {
      ...environment(databaseUrl),
      METRICS_HTTP_ENABLED: "false",
      METRICS_POLL_INTERVAL: "100ms",
      METRICS_AUDIT_INTERVAL: "60m",
      METRICS_LOG_LEVEL: "debug",
      ...settings,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const guard = afterUs('read -r _; kill -KILL "$0" 2>/dev/null', String(child.pid));
  let output = "";
  const told = new Told<LogLine>(
    async () => `it ended with ${await exit}`,
    () => output.slice(-3_000),
  );
  const out = createInterface({ input: child.stdout });
  out.on("line", (text) => {
    output += `${text}\n`;
    told.add(JSON.parse(text) as LogLine);
  });
  child.stderr.on("data", (bytes: Buffer) => {
    output += bytes.toString("utf8");
  });
  const exit = once(child, "close").then(([code]: unknown[]) => {
    guard.kill("SIGKILL");
    return code as number | null;
  });

  async function kill(): Promise<void> {
    child.kill("SIGKILL");
    await exit;
  }

  return {
    pid: child.pid ?? 0,
    lines: told.all,
    output: () => output,
    line: (event, matches = () => true, from = 0) => told.first(event, matches, from),
    mark: () => told.all.length,
    signal: (signal) => {
      child.kill(signal);
    },
    exit,
    stop: async () => {
      child.kill("SIGTERM");
      return exit;
    },
    kill,
    [Symbol.asyncDispose]: kill,
  };
}
