/** A reading: what a metric says of a scope now. Undefined is a shape of its own, so it cannot be mistaken for 0. */

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

/** Of a window of which only `n` of `window` merges are there. */
export function undefinedReading(n: number, window: number, numerator: number | null): Reading {
  return { defined: false, numerator, n, window, needed: window - n };
}

/** A share of the merges of a full window. */
export function ratioReading(numerator: number, window: number): Reading {
  return { defined: true, value: numerator / window, numerator, n: window, window };
}

/** A ratio 0–1 or a number of attempts; null while it is undefined. */
export function valueOf(reading: Reading): number | null {
  return reading.defined ? reading.value : null;
}
