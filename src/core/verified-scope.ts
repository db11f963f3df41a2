/**
 * A scope as verification remembers it: the facts of its newest merges, whatever windows and verdicts later rows may be
 * judged by, and where its gates stand. Unlike the daemon's memory it knows whether anything of its past is missing.
 */
import { CATALOGUE, createFigure } from "./catalogue.ts";
import type { Facts } from "./merge.ts";
import { MAX_WINDOW, type MetricName } from "./metric.ts";
import type { Reading } from "./reading.ts";
import type { GateMemory } from "./scope-state.ts";
import { type Entry, NO_ENTRY, packEntry, type RunningFigure } from "./window.ts";

const SMALLEST = 8;
/** Figures that are kept running: three metrics, and room for daemons of different configuration that take turns. */
const FIGURES_KEPT = 9;

/** Verdicts as small numbers; null is 0. */
export class Verdicts {
  readonly #numbers = new Map<string, number>();

  numberOf(verdict: string | null): number {
    if (verdict === null) return 0;
    let number = this.#numbers.get(verdict);
    if (number === undefined) {
      number = this.#numbers.size + 1;
      this.#numbers.set(verdict, number);
    }
    return number;
  }
}

type Kept = {
  readonly figure: RunningFigure;
  readonly verdicts: ReadonlySet<number>;
  usedAt: number;
};

export class VerifiedScope {
  /** The newest merge's place in the order of this scope; null while it is unknown. */
  seq: number | null;
  /** Whether nothing of its past is missing: then `n` is exactly what it must be. */
  complete: boolean;
  readonly gates = new Map<MetricName, GateMemory>();
  /** Merges known without a gap, at most MAX_WINDOW. */
  length = 0;
  #next = 0;
  #attempts = new Int32Array(SMALLEST);
  #verdicts = new Int32Array(SMALLEST);
  #pushes = 0;
  readonly #kept = new Map<string, Kept>();
  readonly #numbers: Verdicts;

  constructor(numbers: Verdicts, complete: boolean) {
    this.#numbers = numbers;
    this.complete = complete;
    this.seq = complete ? 0 : null;
  }

  push({ attempts, lastVerdict }: Pick<Facts, "attempts" | "lastVerdict">): void {
    const verdict = this.#numbers.numberOf(lastVerdict);
    for (const { figure, verdicts } of this.#kept.values()) {
      const leaving = this.length < figure.size ? NO_ENTRY : entry(this.at(figure.size - 1), verdicts);
      figure.slide(entry({ attempts, verdict }, verdicts), leaving);
    }
    if (this.length === this.#attempts.length && this.length < MAX_WINDOW) this.#grow();
    this.#attempts[this.#next] = attempts;
    this.#verdicts[this.#next] = verdict;
    this.#next = (this.#next + 1) % this.#attempts.length;
    if (this.length < this.#attempts.length) this.length += 1;
    this.#pushes += 1;
  }

  /** From here on nothing of the past is known. */
  forget(): void {
    this.complete = false;
    this.length = 0;
    this.#next = 0;
    this.#kept.clear();
    this.gates.clear();
  }

  /** What the metric says over the newest `n` merges of a window; n ≤ window, n ≤ length. */
  reading(metric: MetricName, window: number, n: number, verdicts: readonly string[]): Reading {
    const judged = CATALOGUE[metric].looksAtVerdicts ? verdicts : [];
    if (n !== Math.min(this.length, window)) return this.#build(metric, window, n, judged).figure.reading(n);
    const name = `${metric}|${window}|${JSON.stringify(judged)}`;
    let kept = this.#kept.get(name);
    if (kept === undefined) {
      kept = this.#build(metric, window, n, judged);
      if (this.#kept.size === FIGURES_KEPT) this.#dropOne();
      this.#kept.set(name, kept);
    }
    kept.usedAt = this.#pushes;
    return kept.figure.reading(n);
  }

  /** Attempts and the verdict's number of the merge `age` merges before the newest one (age 0), age < length. */
  at(age: number): { readonly attempts: number; readonly verdict: number } {
    const size = this.#attempts.length;
    const index = (this.#next - 1 - age + 2 * size) % size;
    return { attempts: this.#attempts[index] as number, verdict: this.#verdicts[index] as number };
  }

  #build(metric: MetricName, window: number, n: number, judged: readonly string[]): Kept {
    const figure = createFigure(metric, window);
    const verdicts = new Set(judged.map((verdict) => this.#numbers.numberOf(verdict)));
    for (let age = n - 1; age >= 0; age -= 1) figure.slide(entry(this.at(age), verdicts), NO_ENTRY);
    return { figure, verdicts, usedAt: this.#pushes };
  }

  #dropOne(): void {
    let [oldest, usedAt] = ["", Number.POSITIVE_INFINITY];
    for (const [name, kept] of this.#kept) {
      if (kept.usedAt < usedAt) [oldest, usedAt] = [name, kept.usedAt];
    }
    this.#kept.delete(oldest);
  }

  #grow(): void {
    const size = Math.min(MAX_WINDOW, this.#attempts.length * 2);
    const attempts = new Int32Array(size);
    const verdicts = new Int32Array(size);
    for (let age = this.length - 1; age >= 0; age -= 1) {
      const { attempts: one, verdict } = this.at(age);
      attempts[this.length - 1 - age] = one;
      verdicts[this.length - 1 - age] = verdict;
    }
    this.#attempts = attempts;
    this.#verdicts = verdicts;
    this.#next = this.length;
  }
}

/** As a running figure takes it: bit 0 says whether the verdict is among those that count. */
function entry(
  { attempts, verdict }: { readonly attempts: number; readonly verdict: number },
  verdicts: ReadonlySet<number>,
): Entry {
  return packEntry(attempts, verdicts.has(verdict) ? 1 : 0);
}
