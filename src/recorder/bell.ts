/**
 * The bell that wakes the loop. Notifications, the listener, the loss of a connection and shutdown ring it. However often it
 * rings while the loop is busy, the loop runs once more.
 */

/**
 * What woke the loop: a notification, a listener that reconnected or heard its own test message, a lost connection, the poll
 * interval, shutdown.
 */
export type WakeUpSource = "notification" | "listening" | "loss" | "timer" | "shutdown";

export class Bell {
  /** What rang first since the last call of `wait`. */
  #rungBy: WakeUpSource | null = null;
  #wake: (() => void) | null = null;
  readonly #woken: (source: WakeUpSource) => void;

  /** @param woken is called with the source of each wake-up, except after a wait of 0 ms. */
  constructor(woken: (source: WakeUpSource) => void = () => undefined) {
    this.#woken = woken;
  }

  ring(source: WakeUpSource = "notification"): void {
    this.#rungBy ??= source;
    this.#wake?.();
  }

  /** Resolves when the bell has rung since the last call, or after `timeoutMs`. */
  async wait(timeoutMs: number): Promise<void> {
    if (this.#rungBy === null) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, timeoutMs);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#wake = null;
    }
    const source = this.#rungBy;
    this.#rungBy = null;
    if (source !== null || timeoutMs > 0) this.#woken(source ?? "timer");
  }
}
