/** `metrics verify` and `metrics snapshot`, over and over while everything else goes on: each must end well. */
import { execFile } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import { ENTRY, environment } from "../demo/command.ts";
import type { Outages } from "./outages.ts";

const RESTS_MS = 700;
const COMMANDS = [
  ["verify", "--json"],
  ["snapshot", "--json"],
];
const TIMEOUT_MS = 60_000;
const AWAY = 3;

export class Readers {
  /** What ended otherwise than it should. */
  readonly falseAlarms: string[] = [];
  runs = 0;
  readonly #url: string;
  readonly #outages: Outages;
  readonly #stop = new AbortController();
  readonly #running: Promise<unknown>;

  constructor(url: string, outages: Outages) {
    this.#url = url;
    this.#outages = outages;
    this.#running = Promise.all(COMMANDS.map((command) => this.#repeat(command)));
  }

  /** What runs comes to its end. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #repeat(command: readonly string[]): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const from = performance.now();
      const { code, output } = await this.#run(command);
      this.runs += 1;
      const excused = code === AWAY && this.#outages.during(from, performance.now());
      if (code !== 0 && !excused)
        this.falseAlarms.push(
          `false alarm: metrics ${command.join(" ")} ended with ${code}: ${output.slice(0, 900)}`,
        );
      await delay(RESTS_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  #run(command: readonly string[]): Promise<{ code: number | string; output: string }> {
    return new Promise((resolve) => {
      execFile(
        process.execPath,
        [ENTRY, ...command],
        { env: environment(this.#url), timeout: TIMEOUT_MS, maxBuffer: 64 * 1024 * 1024 },
        (error, stdout, stderr) =>
          resolve({ code: error === null ? 0 : (error.code ?? "a signal"), output: brief(stdout) + stderr }),
      );
    });
  }
}

/** Of a verification what differs, not what was counted. */
function brief(stdout: string): string {
  try {
    const document = JSON.parse(stdout) as {
      differences?: { first?: unknown; by_kind?: Record<string, number> };
    };
    const { first, by_kind = {} } = document.differences ?? {};
    return JSON.stringify([
      Object.fromEntries(Object.entries(by_kind).filter(([, count]) => count > 0)),
      first,
    ]);
  } catch {
    return stdout;
  }
}
