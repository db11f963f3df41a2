/**
 * Merges that the table did not take: refused by a constraint or a trigger, or waiting for a row that another transaction
 * has locked. Each stops nothing but itself, and is tried again, ever less often.
 */
import type { Clock } from "../clock.ts";

const FIRST_RETRY_MS = 250;
const LAST_RETRY_MS = 60_000;

type Try = { readonly tries: number; readonly at: number };

export class SetAside {
  readonly #clock: Clock;
  readonly #tries = new Map<bigint, Try>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#tries.size;
  }

  has(eventId: bigint): boolean {
    return this.#tries.has(eventId);
  }

  /** @returns milliseconds until it is tried again. */
  add(eventId: bigint): number {
    const tries = this.#tries.get(eventId)?.tries ?? 0;
    const delay = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** tries);
    this.#tries.set(eventId, { tries: tries + 1, at: this.#clock.monotonic() + delay });
    return delay;
  }

  /** From an earlier connection: it is tried at once. */
  restore(eventId: bigint): void {
    this.#tries.set(eventId, { tries: 0, at: this.#clock.monotonic() });
  }

  delete(eventId: bigint): void {
    this.#tries.delete(eventId);
  }

  /** Those whose time has come, in the order of their ids. */
  due(): bigint[] {
    const now = this.#clock.monotonic();
    const due = [...this.#tries].filter(([, { at }]) => at <= now).map(([eventId]) => eventId);
    return due.toSorted((a, b) => (a < b ? -1 : 1));
  }

  /** Milliseconds until the next one is tried; null where there is none. */
  get nextInMs(): number | null {
    if (this.#tries.size === 0) return null;
    return Math.max(0, Math.min(...[...this.#tries.values()].map(({ at }) => at)) - this.#clock.monotonic());
  }
}
