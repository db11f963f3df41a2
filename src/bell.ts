/**
 * The bell that wakes the loop. Notifications, the poll timer, reconnects and shutdown all ring it; however often it
 * rings while the loop is busy, the loop goes round once more.
 */
export class Bell {
  #rung = false;
  #wake: (() => void) | null = null;

  ring(): void {
    this.#rung = true;
    this.#wake?.();
  }

  /** Resolves when the bell has rung since the last call, or after `timeoutMs`. */
  async wait(timeoutMs: number): Promise<"rung" | "timeout"> {
    if (!this.#rung) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, timeoutMs);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#wake = null;
    }
    const rung = this.#rung;
    this.#rung = false;
    return rung ? "rung" : "timeout";
  }

  get pending(): boolean {
    return this.#rung;
  }
}
