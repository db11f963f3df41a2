/** Time that passes only when the simulation says so: the timers of `setTimeout`, fired one by one in their order. */
import { vi } from "vitest";

type Timer = { readonly due: number; readonly callback: () => void };

let current: VirtualTime | null = null;

export class VirtualTime {
  now = 0;
  readonly #timers = new Map<number, Timer>();
  #last = 0;

  set(callback: () => void, ms: number): number {
    this.#last += 1;
    this.#timers.set(this.#last, { due: this.now + Math.max(0, ms), callback });
    return this.#last;
  }

  clear(id: number): void {
    this.#timers.delete(id);
  }

  /** Passes to the next timer and fires it. */
  tick(): void {
    let next: number | null = null;
    let earliest = Number.POSITIVE_INFINITY;
    for (const [id, { due }] of this.#timers) {
      if (due >= earliest) continue;
      next = id;
      earliest = due;
    }
    if (next === null) return;
    const timer = this.#timers.get(next) as Timer;
    this.#timers.delete(next);
    this.now = Math.max(this.now, timer.due);
    timer.callback();
  }
}

/** Whose timers `setTimeout` sets from now on. */
export function passes(time: VirtualTime): void {
  current = time;
}

/**
 * Lets the daemon's timers run on virtual time. Its `setInterval` only watches how far it is behind, for the
 * operator's eyes; it is left out, as every firing would cost a step.
 */
export function stubTimers(): void {
  vi.stubGlobal("setTimeout", (callback: () => void, ms: number) => current?.set(callback, ms));
  vi.stubGlobal("clearTimeout", (id: number) => current?.clear(id));
  vi.stubGlobal("setInterval", () => 0);
  vi.stubGlobal("clearInterval", () => undefined);
}
