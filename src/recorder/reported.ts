/** What this process has reported and need not report again, however often it connects anew. */

export class Reported {
  readonly #seen = new Map<string, string>();

  /** Whether this is the first time that this is reported of this event. */
  first(about: "duplicate" | "presumed" | "refused" | "checkpoint", eventId: string, what = ""): boolean {
    const key = `${about}:${eventId}`;
    if (this.#seen.get(key) === what) return false;
    this.#seen.set(key, what);
    return true;
  }

  /** It is over: should it happen again, it is reported again. */
  over(about: "refused" | "checkpoint", eventId: string): void {
    this.#seen.delete(`${about}:${eventId}`);
  }
}
