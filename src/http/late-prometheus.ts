/**
 * Counting whose library is loaded late: it takes longer to load than a restart takes to read the log, and nothing that
 * the daemon does needs it. What happens before is kept, and counted then.
 */
import type { WakeUpSource } from "../bell.ts";
import type { DaemonEvent } from "../events/daemon-event.ts";
import type { Prometheus } from "./prometheus.ts";

/** A start with nothing to record reports fewer; a backlog is counted as it goes. */
const MOST_KEPT = 100;

export class LatePrometheus {
  #kept: ((prometheus: Prometheus) => void)[] = [];
  #loading: Promise<Prometheus> | null = null;
  #loaded: Prometheus | null = null;

  accept(event: DaemonEvent): void {
    this.#tell((prometheus) => prometheus.accept(event));
    if (event.event === "daemon.ready" || this.#kept.length >= MOST_KEPT) void this.load();
  }

  wokenBy(source: WakeUpSource): void {
    this.#tell((prometheus) => prometheus.wokenBy(source));
  }

  /** Loads it, unless that was done before. */
  load(): Promise<Prometheus> {
    this.#loading ??= this.#load();
    return this.#loading;
  }

  async #load(): Promise<Prometheus> {
    const { Prometheus } = await import("./prometheus.ts");
    const prometheus = new Prometheus().observeProcess();
    for (const tell of this.#kept) tell(prometheus);
    this.#kept = [];
    this.#loaded = prometheus;
    return prometheus;
  }

  #tell(tell: (prometheus: Prometheus) => void): void {
    if (this.#loaded === null) this.#kept.push(tell);
    else tell(this.#loaded);
  }
}
