/** One daemon of the chaos run: the real command behind a network of its own, started again whenever it was ended. */
import { setTimeout as delay } from "node:timers/promises";
import type { Snapshot } from "../src/core/snapshot.ts";
import { type DaemonProcess, type LogLine, spawnDaemon } from "../tests/support/daemon-process.ts";
import { type Network, startNetwork } from "../tests/support/network.ts";
import type { LocalFault } from "./plan.ts";

/** Deadlines short enough that a fault's whole course fits into the run. */
const SETTINGS = {
  METRICS_HTTP_ENABLED: "true",
  METRICS_HTTP_PORT: "0",
  METRICS_POLL_INTERVAL: "40ms",
  // Only the comparison that follows each restore: nothing that a scan misses may hide behind the next one.
  METRICS_AUDIT_INTERVAL: "60m",
  METRICS_STATEMENT_TIMEOUT: "1500ms",
  METRICS_LOCK_TIMEOUT: "1s",
  METRICS_CONNECT_TIMEOUT: "2s",
  METRICS_SHUTDOWN_TIMEOUT: "3s",
  METRICS_LOG_LEVEL: "debug",
};
/** Where merges come under ids that no scan looks at. */
const COMPARES_OFTEN = { METRICS_AUDIT_INTERVAL: "2s" };
/** Well beyond deadlock_timeout: an insert that waited that long with a lock in hand would have the orchestrator aborted. */
const WAITS_LONG = { METRICS_STATEMENT_TIMEOUT: "3s", METRICS_LOCK_TIMEOUT: "2500ms" };
/** The shutdown timeout, and a loaded machine. */
const LEAVES_WITHIN_MS = 10_000;

export type InstanceOptions = {
  /** Of another tree than this one. */
  readonly entry?: string | undefined;
  /** Whether the whole log is compared often, not only after each restore. */
  readonly comparesOften?: boolean;
  /** Whether its timeouts are rather those of production than of this run. */
  readonly waitsLong?: boolean;
};

export class Instance implements AsyncDisposable {
  readonly name: string;
  readonly network: Network;
  /** What no daemon may do, told by this one's processes. */
  readonly complaints: string[] = [];
  /** Every process there was, the present one last. */
  readonly processes: DaemonProcess[] = [];
  readonly #url: string;
  readonly #entry: string | undefined;
  readonly #settings: Readonly<Record<string, string>>;
  #asked = false;

  private constructor(
    name: string,
    network: Network,
    url: string,
    { entry, comparesOften = false, waitsLong = false }: InstanceOptions,
  ) {
    this.name = name;
    this.network = network;
    this.#url = network.url(url);
    this.#entry = entry;
    this.#settings = {
      ...SETTINGS,
      ...(comparesOften ? COMPARES_OFTEN : {}),
      ...(waitsLong ? WAITS_LONG : {}),
    };
  }

  static async start(name: string, databaseUrl: string, options: InstanceOptions): Promise<Instance> {
    const instance = new Instance(name, await startNetwork(databaseUrl), databaseUrl, options);
    instance.#spawn();
    return instance;
  }

  /** Carries a fault out; resolves when it is over. */
  async suffer(kind: LocalFault, forMs: number): Promise<void> {
    switch (kind) {
      case "kill":
        await this.down("kill");
        await delay(forMs);
        this.up();
        return;
      case "terminate":
        await this.down("terminate");
        this.up();
        return;
      case "pause":
        this.#process.signal("SIGSTOP");
        await delay(forMs);
        this.#process.signal("SIGCONT");
        return;
      case "disconnect":
        return this.#weather("down", forMs);
      case "blackhole":
        return this.#weather("silent", forMs);
      case "crumbs":
        return this.#weather("crumbs", forMs);
      case "slow":
        return this.#weather("slow", forMs);
      case "commit cut before":
        this.network.commitFate = "cut-before";
        return;
      case "commit cut after":
        this.network.commitFate = "cut-after";
        return;
      case "commit unanswered":
        this.network.commitFate = "no-answer";
    }
  }

  /** Ends its process; none comes in its place. */
  async down(how: "kill" | "terminate"): Promise<void> {
    await this.#end(() => (how === "kill" ? this.#process.kill() : this.#leave()));
  }

  up(): void {
    this.#spawn();
  }

  /** What all of its processes told. */
  get lines(): readonly LogLine[] {
    return this.processes.flatMap(({ lines }) => lines);
  }

  /** Everything that they wrote. */
  get output(): string {
    return this.processes.map(({ output }) => output()).join("");
  }

  get lastWords(): string {
    return lastWords(this.#process);
  }

  /** No fault any more. */
  calm(): void {
    this.network.weather = "clear";
    this.network.commitFate = null;
  }

  /** Null while it is not ready, or not yet there. */
  async memory(): Promise<Snapshot | null> {
    try {
      const [ready, snapshot] = await Promise.all([this.#get("/readyz"), this.#get("/snapshot.json")]);
      return ready.ok && snapshot.ok ? ((await snapshot.json()) as Snapshot) : null;
    } catch {
      return null;
    }
  }

  /** In good order, and what its processes had to say is complete. */
  async leave(): Promise<void> {
    await this.#end(() => this.#leave());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#asked = true;
    await this.#process.kill();
    await this.network[Symbol.asyncDispose]();
  }

  get #process(): DaemonProcess {
    return this.processes.at(-1) as DaemonProcess;
  }

  #spawn(): void {
    const daemon = spawnDaemon(this.#url, this.#settings, this.#entry);
    this.processes.push(daemon);
    this.#asked = false;
    void (async () => {
      const code = await daemon.exit;
      if (this.#asked || this.#process !== daemon) return;
      this.complaints.push(`${this.name} ended by itself with ${code}: ${lastWords(daemon)}`);
      this.#spawn();
    })();
  }

  async #end(how: () => Promise<void>): Promise<void> {
    this.#asked = true;
    await how();
  }

  async #leave(): Promise<void> {
    const daemon = this.#process;
    // Until then a signal ends it as it ends any process.
    await daemon.line("http.listening").catch(() => undefined);
    const late = setTimeout(() => void daemon.kill(), LEAVES_WITHIN_MS);
    const code = await daemon.stop();
    clearTimeout(late);
    if (code !== 0) this.complaints.push(`${this.name} left with ${code}: ${lastWords(daemon)}`);
  }

  async #weather(weather: Network["weather"], forMs: number): Promise<void> {
    this.network.weather = weather;
    await delay(forMs);
    this.network.weather = "clear";
  }

  #get(path: string): Promise<Response> {
    const address = this.#process.lines.find(({ event }) => event === "http.listening")?.["address"];
    if (typeof address !== "string") throw new Error("it does not listen yet");
    return fetch(`${address}${path}`, { signal: AbortSignal.timeout(5_000) });
  }
}

function lastWords(daemon: DaemonProcess): string {
  return daemon.output().trimEnd().split("\n").slice(-2).join(" ").slice(-600);
}
