/** Progress of long work, told every few seconds: how much is done, how fast, how long it will take. */

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
  readonly #tell: (figures: ProgressFigures) => void;
  readonly #startedAt: number;
  #toldAt: number;

  constructor(monotonic: () => number, from: bigint, to: bigint, tell: (figures: ProgressFigures) => void) {
    this.#monotonic = monotonic;
    this.#from = from;
    this.#to = to;
    this.#tell = tell;
    this.#startedAt = monotonic();
    this.#toldAt = this.#startedAt;
  }

  /** The work has come to this id. Tells only if the last word was a while ago. */
  at(id: bigint): void {
    const now = this.#monotonic();
    if (now - this.#toldAt < EVERY_MS) return;
    this.#toldAt = now;
    const done = Number(id - this.#from);
    const total = Number(this.#to - this.#from);
    const perSecond = done / ((now - this.#startedAt) / 1000);
    this.#tell({
      done,
      total,
      per_second: Math.round(perSecond),
      eta_s: Math.ceil((total - done) / Math.max(perSecond, 1)),
    });
  }
}
