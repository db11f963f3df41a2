/** A reading: what a metric says of a scope now. Undefined is a shape of its own, so that nobody mistakes it for 0. */

export type Reading =
  | {
      readonly defined: true;
      /** A ratio 0–1, or a number of attempts. */
      readonly value: number;
      /** Merges in the window that match; null where a count means nothing (percentiles). */
      readonly numerator: number | null;
      readonly n: number;
      readonly window: number;
    }
  | {
      readonly defined: false;
      readonly numerator: number | null;
      readonly n: number;
      readonly window: number;
      /** Further merges until the metric is defined. */
      readonly needed: number;
    };

/** A reading of a window of `window` merges of which `n` are there; `value` is asked for only when it is full. */
export function readingOf(n: number, window: number, numerator: number | null, value: () => number): Reading {
  return n < window
    ? { defined: false, numerator, n, window, needed: window - n }
    : { defined: true, value: value(), numerator, n, window };
}

export function valueOf(reading: Reading): number | null {
  return reading.defined ? reading.value : null;
}
