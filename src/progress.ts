/** Progress of the daemon's long work along the log: how much is done, how fast, and how long the rest will take. */

const EVERY_MS = 2_000;

export type ProgressFigures = {
  /** Outbox ids passed, of how many. */
  readonly done: number;
  readonly total: number;
  readonly per_second: number;
  /** Seconds that the rest will take at this rate. */
  readonly eta_s: number;
};

export class Progress {
  readonly #monotonic: () => number;
  readonly #from: bigint;
  readonly #to: bigint;
  readonly #report: (figures: ProgressFigures) => void;
  readonly #startedAt: number;
  #reportedAt: number;

  /** @param from the id where the work begins. @param to the id where it ends. */
  constructor(monotonic: () => number, from: bigint, to: bigint, report: (figures: ProgressFigures) => void) {
    this.#monotonic = monotonic;
    this.#from = from;
    this.#to = to;
    this.#report = report;
    this.#startedAt = monotonic();
    this.#reportedAt = this.#startedAt;
  }

  /** Notes that the work has reached this id. Reports every few seconds, so quick work reports nothing. */
  at(id: bigint): void {
    const now = this.#monotonic();
    if (now - this.#reportedAt < EVERY_MS) return;
    this.#reportedAt = now;
    const done = Number(id - this.#from);
    const total = Number(this.#to - this.#from);
    const perSecond = done / ((now - this.#startedAt) / 1000);
    this.#report({
      done,
      total,
      per_second: Math.round(perSecond),
      eta_s: Math.ceil((total - done) / Math.max(perSecond, 1)),
    });
  }
}
