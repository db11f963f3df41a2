/** Processes that are measured from the outside, as a shell or an init system sees them. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { environment } from "../demo/command.ts";

const CHILD = fileURLToPath(new URL("./child.ts", import.meta.url));
/** As the image sets them: memory is measured under the flags that the daemon runs with. */
export const IMAGE_FLAGS = ["--max-semi-space-size=4"];
const TIMEOUT_MS = 300_000;
const MAX_OUTPUT = 64 * 1024 * 1024;

const run = promisify(execFile);

/** The executables keep what they compile; parts that did not would measure the compiler. */
const COMPILED = fileURLToPath(new URL("../node_modules/.cache/damascus-metrics-bench", import.meta.url));

/** What a part of `child.ts` prints, measured in a process of its own: nothing has run yet, and its memory is its own. */
export async function inChild<T>(
  part: string,
  args: readonly string[],
  flags: readonly string[] = [],
): Promise<T> {
  const { stdout } = await run(process.execPath, [...IMAGE_FLAGS, ...flags, CHILD, part, ...args], {
    env: { ...process.env, NODE_COMPILE_CACHE: COMPILED },
    timeout: TIMEOUT_MS,
    maxBuffer: MAX_OUTPUT,
  });
  return JSON.parse(stdout) as T;
}

/** What node takes to do nothing. */
export async function nodeStart(): Promise<number> {
  const startedAt = performance.now();
  await run(process.execPath, ["-e", "0"]);
  return performance.now() - startedAt;
}

/** `metrics snapshot --json`, from the start of the process to its end. */
export async function snapshotProcess(
  entry: string,
  databaseUrl: string,
): Promise<{ ms: number; seq: number }> {
  const startedAt = performance.now();
  const { stdout } = await run(process.execPath, [entry, "snapshot", "--json", "--timeout", "60s"], {
    env: environment(databaseUrl),
    timeout: TIMEOUT_MS,
    maxBuffer: MAX_OUTPUT,
  });
  const ms = performance.now() - startedAt;
  const snapshot = JSON.parse(stdout) as { as_of: { seq: number } };
  return { ms, seq: snapshot.as_of.seq };
}

export interface DaemonProcess extends AsyncDisposable {
  readonly child: ChildProcess;
  /** Milliseconds from the start of the process to its word that it is ready, and the seq that it was ready with. */
  readonly ready: { readonly ms: number; readonly seq: number };
  /** Resolves when it is gone, by this signal. */
  end(signal: NodeJS.Signals): Promise<void>;
}

export type DaemonProcessOptions = {
  readonly flags?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Each line of its log. */
  readonly onLine?: (line: Readonly<Record<string, unknown>>) => void;
  /** What a module loaded beside it sends. */
  readonly onMessage?: (message: unknown) => void;
};

/** `metrics run` as a process of its own. */
export async function daemonProcess(
  entry: string,
  databaseUrl: string,
  options: DaemonProcessOptions = {},
): Promise<DaemonProcess> {
  const startedAt = performance.now();
  const child = spawn(process.execPath, [...(options.flags ?? []), entry, "run"], {
    env: { ...environment(databaseUrl), METRICS_HTTP_PORT: "0", ...options.environment },
    stdio: ["ignore", "pipe", "pipe", ...(options.onMessage === undefined ? [] : (["ipc"] as const))],
  });
  const leave = (): void => {
    child.kill("SIGKILL");
  };
  process.once("exit", leave);
  const closed = once(child, "close").finally(() => process.removeListener("exit", leave));
  if (options.onMessage !== undefined) child.on("message", options.onMessage);
  const ready = Promise.withResolvers<{ ms: number; seq: number }>();
  const last: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    if (stream === null) continue;
    createInterface({ input: stream }).on("line", (text) => {
      last.push(text);
      if (last.length > 15) last.shift();
      if (!text.startsWith("{")) return;
      const line = JSON.parse(text) as Readonly<Record<string, unknown>>;
      if (line["event"] === "daemon.ready")
        ready.resolve({ ms: performance.now() - startedAt, seq: Number(line["seq"]) });
      options.onLine?.(line);
    });
  }
  void closed.then(() => ready.reject(new Error(`the daemon ended:\n${last.join("\n")}`)));
  async function end(signal: NodeJS.Signals): Promise<void> {
    child.kill(signal);
    await closed;
  }
  return { child, ready: await ready.promise, end, [Symbol.asyncDispose]: () => end("SIGKILL") };
}
