/**
 * Verdicts as small numbers, so that a window keeps every merge's own verdict and can be read under any set of verdicts:
 * today's, or those of a row that was written under another configuration.
 *
 * Numbers are given in the order in which verdicts appear, and are never given again. There are 4,094 of them: verdicts that appear
 * later share one number, which is in no set. A set that names such a verdict has no answer (`null`).
 */

export const VERDICT_BITS = 12;
export const VERDICT_NUMBERS = 2 ** VERDICT_BITS;
const NO_VERDICT = 0;
/** Shared by all verdicts for which there was no number left. */
export const OTHER_VERDICT = VERDICT_NUMBERS - 1;

/** For each number 1 where its verdict is in the set, else 0. */
export type VerdictSet = Uint8Array;

/** Sets are few: those of the configurations that wrote a journal. A journal that was tampered with could name any number. */
const SETS_KEPT = 64;

export class VerdictNumbers {
  readonly #numbers = new Map<string, number>();
  readonly #names: (string | null)[] = [null];
  readonly #sets = new Map<string, VerdictSet>();

  /** The number of a verdict, which may be given by this call. */
  numberOf(verdict: string | null): number {
    if (verdict === null) return NO_VERDICT;
    const known = this.#numbers.get(verdict);
    if (known !== undefined) return known;
    if (this.#names.length === OTHER_VERDICT) return OTHER_VERDICT;
    this.#numbers.set(verdict, this.#names.length);
    return this.#names.push(verdict) - 1;
  }

  /** The verdict with this number; null for none, and for `OTHER_VERDICT`. */
  nameOf(number: number): string | null {
    return this.#names[number] ?? null;
  }

  /** @returns null where a verdict has no number of its own. */
  setOf(verdicts: readonly string[]): VerdictSet | null {
    const key = JSON.stringify(verdicts.length < 2 ? verdicts : [...new Set(verdicts)].toSorted());
    const known = this.#sets.get(key);
    if (known !== undefined) return known;
    const set = new Uint8Array(VERDICT_NUMBERS);
    for (const verdict of verdicts) set[this.numberOf(verdict)] = 1;
    if (set[OTHER_VERDICT] === 1) return null;
    if (this.#sets.size === SETS_KEPT) this.#sets.clear();
    this.#sets.set(key, set);
    return set;
  }
}
