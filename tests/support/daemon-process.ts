/** The daemon as an operator runs it: the real command in a process of its own, watched through its log, killed at will. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { afterUs } from "../../demo/after-us.ts";
import { ENTRY, environment } from "../../demo/command.ts";

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

/** As in `until.ts`. */
const WITHIN_MS = 45_000;

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
      METRICS_POLL_INTERVAL: "50ms",
      METRICS_AUDIT_INTERVAL: "60m",
      METRICS_LOG_LEVEL: "debug",
      ...settings,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const guard = afterUs('read -r _; kill -KILL "$0" 2>/dev/null', String(child.pid));
  const lines: LogLine[] = [];
  const watchers = new Set<() => void>();
  let output = "";
  const out = createInterface({ input: child.stdout });
  out.on("line", (text) => {
    output += `${text}\n`;
    lines.push(JSON.parse(text) as LogLine);
    for (const watcher of watchers) watcher();
  });
  child.stderr.on("data", (bytes: Buffer) => {
    output += bytes.toString("utf8");
  });
  const exit = once(child, "close").then(([code]: unknown[]) => {
    guard.kill("SIGKILL");
    return code as number | null;
  });

  function line(event: string, matches: (line: LogLine) => boolean = () => true, from = 0): Promise<LogLine> {
    return new Promise((resolve, reject) => {
      let looked = from;
      const look = (): void => {
        for (; looked < lines.length; looked += 1) {
          const candidate = lines[looked];
          if (candidate?.event !== event || !matches(candidate)) continue;
          finish();
          resolve(candidate);
          return;
        }
      };
      const failed = (why: string): void => {
        finish();
        reject(new Error(`${event} was not told: ${why}\n${output.slice(-3_000)}`));
      };
      const timer = setTimeout(() => failed(`not within ${WITHIN_MS} ms`), WITHIN_MS);
      const finish = (): void => {
        clearTimeout(timer);
        watchers.delete(look);
      };
      watchers.add(look);
      exit.then((code) => failed(`it ended with ${code}`), failed);
      look();
    });
  }

  async function kill(): Promise<void> {
    child.kill("SIGKILL");
    await exit;
  }

  return {
    pid: child.pid ?? 0,
    lines,
    output: () => output,
    line,
    mark: () => lines.length,
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
