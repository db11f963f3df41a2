/**
 * The bell that wakes the loop. Notifications, the poll timer, reconnects and shutdown all ring it; however often it
 * rings while the loop is busy, the loop goes round once more.
 */

/**
 * What rang: a notification, a listener that came back or heard itself, a connection that was lost, nothing for the poll
 * interval, the end.
 */
export type WakeUpSource = "notification" | "listening" | "loss" | "timer" | "shutdown";

export class Bell {
  /** Who rang first since the last call of `wait`. */
  #rungBy: WakeUpSource | null = null;
  #wake: (() => void) | null = null;
  readonly #woken: (source: WakeUpSource) => void;

  /** @param woken is told what each wake-up came from; a wait of no time is none. */
  constructor(woken: (source: WakeUpSource) => void = () => undefined) {
    this.#woken = woken;
  }

  ring(source: WakeUpSource = "notification"): void {
    this.#rungBy ??= source;
    this.#wake?.();
  }

  /** Resolves when the bell has rung since the last call, or after `timeoutMs`. */
  async wait(timeoutMs: number): Promise<"rung" | "timeout"> {
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
    return source === null ? "timeout" : "rung";
  }
}
