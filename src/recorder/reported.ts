/** What this process has reported and need not report again, however often it reconnects. */

export class Reported {
  readonly #seen = new Map<string, string>();

  /** Whether this is the first report of this kind and content about this event. */
  first(about: "duplicate" | "presumed" | "refused" | "checkpoint", eventId: string, what = ""): boolean {
    const key = `${about}:${eventId}`;
    if (this.#seen.get(key) === what) return false;
    this.#seen.set(key, what);
    return true;
  }

  /** It is over: if it happens again, it is reported again. */
  over(about: "refused" | "checkpoint", eventId: string): void {
    this.#seen.delete(`${about}:${eventId}`);
  }
}
