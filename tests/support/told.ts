/** What a daemon has told so far, event by event, and how a test waits for what it is about to tell. */
import { WITHIN_MS } from "./until.ts";

export class Told<Fact extends { readonly event: string }> {
  readonly all: Fact[] = [];
  readonly #over: () => Promise<string>;
  readonly #lastWords: () => string;
  readonly #watchers = new Set<() => void>();

  /**
   * @param over settles, with the reason, when nothing more will be told.
   * @param lastWords what the error of one who waits in vain ends with.
   */
  constructor(over: () => Promise<string>, lastWords: () => string) {
    this.#over = over;
    this.#lastWords = lastWords;
  }

  add(fact: Fact): void {
    this.all.push(fact);
    for (const look of this.#watchers) look();
  }

  /** The first fact of this name from place `from` on that matches, there already or still to come. */
  first(event: string, matches: (fact: Fact) => boolean, from: number): Promise<Fact> {
    return new Promise((resolve, reject) => {
      let looked = from;
      const look = (): void => {
        for (; looked < this.all.length; looked += 1) {
          const fact = this.all[looked];
          if (fact?.event !== event || !matches(fact)) continue;
          finish();
          resolve(fact);
          return;
        }
      };
      const failed = (why: string): void => {
        finish();
        reject(new Error(`${event} was not told: ${why}\n${this.#lastWords()}`));
      };
      const timer = setTimeout(() => failed(`not within ${WITHIN_MS} ms`), WITHIN_MS);
      const finish = (): void => {
        clearTimeout(timer);
        this.#watchers.delete(look);
      };
      this.#watchers.add(look);
      this.#over().then(failed, (error: unknown) => failed(String(error)));
      look();
    });
  }
}
