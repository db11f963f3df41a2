/** Time and randomness enter the daemon as values, so that tests set them. */
export type Clock = {
  /** Milliseconds that never jump. */
  readonly monotonic: () => number;
  /** The wall clock, for display only. */
  readonly now: () => Date;
  /** A number in [0, 1). */
  readonly random: () => number;
};

export const systemClock: Clock = {
  monotonic: () => performance.now(),
  now: () => new Date(),
  random: Math.random,
};
