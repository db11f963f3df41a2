/** Processes that are measured from the outside, as a shell or an init system sees them. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { environment } from "../demo/command.ts";

const CHILD = fileURLToPath(new URL("./child.ts", import.meta.url));
/** As the image sets them: memory is measured under the flags that the daemon runs with. */
export const IMAGE_FLAGS = ["--max-semi-space-size=4"];
const TIMEOUT_MS = 300_000;
const MAX_OUTPUT = 64 * 1024 * 1024;
const WATCH_EVERY_MS = 10;
/** Of Linux. */
const MS_PER_TICK = 10;

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

/** A verb of `metrics`, from the start of the process to its end. */
export async function verbProcess(
  entry: string,
  databaseUrl: string,
  args: readonly string[],
): Promise<{ readonly ms: number; readonly stdout: string; readonly peakMb: number }> {
  const startedAt = performance.now();
  const child = execFile(process.execPath, [entry, ...args, "--timeout", "5m"], {
    env: environment(databaseUrl),
    timeout: TIMEOUT_MS,
    maxBuffer: MAX_OUTPUT,
  });
  let stdout = "";
  let peakMb = 0;
  child.stdout?.on("data", (text: string) => {
    stdout += text;
  });
  const watch = setInterval(() => {
    peakMb = Math.max(peakMb, peakMemoryMb(child.pid));
  }, WATCH_EVERY_MS);
  const [code] = (await once(child, "close")) as [number | null];
  clearInterval(watch);
  if (code !== 0) throw new Error(`metrics ${args.join(" ")} ended with ${code}: ${stdout.slice(-500)}`);
  return { ms: performance.now() - startedAt, stdout, peakMb };
}

/** The most memory that a process ever had; 0 where the system does not say. */
function peakMemoryMb(pid: number | undefined): number {
  return Number(/VmHWM:\s+([0-9]+) kB/.exec(readProc(pid, "status"))?.[1] ?? 0) / 1024;
}

/** Processor time of a process so far, in milliseconds. */
export function cpuMs(pid: number | undefined): number {
  const [, rest = ""] = readProc(pid, "stat").split(") ");
  const [user, system] = rest.split(" ").slice(11, 13);
  return (Number(user) + Number(system)) * MS_PER_TICK;
}

function readProc(pid: number | undefined, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
}

type Ready = {
  /** Milliseconds from the start of the process to its report that it is ready. */
  readonly ms: number;
  /** Milliseconds between its reports that it is connected and that it is ready: restore and first poll. */
  readonly fromConnectedMs: number;
  /** The seq that it was ready with. */
  readonly seq: number;
  /** Where it serves HTTP. */
  readonly address: string;
};

export interface DaemonProcess extends AsyncDisposable {
  readonly child: ChildProcess;
  readonly ready: Ready;
  /** Resolves when it is gone, by this signal. */
  end(signal: NodeJS.Signals): Promise<void>;
}

export type DaemonProcessOptions = {
  readonly flags?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Each line of its log. */
  readonly onLine?: (line: Readonly<Record<string, unknown>>, pid: number | undefined) => void;
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
  const ready = Promise.withResolvers<Ready>();
  let connectedAt = Number.NaN;
  let address: string | null = null;
  let recorded: Omit<Ready, "address"> | null = null;
  const last: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    if (stream === null) continue;
    createInterface({ input: stream }).on("line", (text) => {
      last.push(text);
      if (last.length > 15) last.shift();
      if (!text.startsWith("{")) return;
      const line = JSON.parse(text) as Readonly<Record<string, unknown>>;
      if (line["event"] === "db.connected") connectedAt = Date.parse(String(line["time"]));
      if (line["event"] === "http.listening") address = String(line["address"]);
      if (line["event"] === "daemon.ready") {
        const ms = performance.now() - startedAt;
        const fromConnectedMs = Date.parse(String(line["time"])) - connectedAt;
        recorded = { ms, fromConnectedMs, seq: Number(line["seq"]) };
      }
      // Either may come first.
      if (recorded !== null && address !== null) ready.resolve({ ...recorded, address });
      options.onLine?.(line, child.pid);
    });
  }
  void closed.then(() => ready.reject(new Error(`the daemon ended:\n${last.join("\n")}`)));
  async function end(signal: NodeJS.Signals): Promise<void> {
    child.kill(signal);
    await closed;
  }
  return { child, ready: await ready.promise, end, [Symbol.asyncDispose]: () => end("SIGKILL") };
}
