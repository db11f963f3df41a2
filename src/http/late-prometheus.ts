/**
 * Counters whose library is loaded late, because loading takes longer than a restart reads the log. Events are kept until
 * then, and counted once it is loaded.
 */

import type { DaemonEvent } from "../events/daemon-event.ts";
import type { WakeUpSource } from "../recorder/bell.ts";
import type { Prometheus } from "./prometheus.ts";

/** A start with nothing to record reports fewer; a backlog is counted as it is recorded. */
const MOST_KEPT = 100;

export class LatePrometheus {
  #kept: ((prometheus: Prometheus) => void)[] = [];
  #loading: Promise<Prometheus> | null = null;
  #loaded: Prometheus | null = null;

  accept(event: DaemonEvent): void {
    this.#count((prometheus) => prometheus.accept(event));
    if (event.event === "daemon.ready" || this.#kept.length >= MOST_KEPT) void this.load();
  }

  wokenBy(source: WakeUpSource): void {
    this.#count((prometheus) => prometheus.wokenBy(source));
  }

  /** Loads the library, at the first call. */
  load(): Promise<Prometheus> {
    this.#loading ??= this.#load();
    return this.#loading;
  }

  async #load(): Promise<Prometheus> {
    const { Prometheus } = await import("./prometheus.ts");
    const prometheus = new Prometheus().observeProcess();
    for (const count of this.#kept) count(prometheus);
    this.#kept = [];
    this.#loaded = prometheus;
    return prometheus;
  }

  #count(count: (prometheus: Prometheus) => void): void {
    if (this.#loaded === null) this.#kept.push(count);
    else count(this.#loaded);
  }
}
