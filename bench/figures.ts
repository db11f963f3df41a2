/** What is made of measured numbers: medians, percentiles, a slope. */

/** A median with the range that it comes from. */
export type Sample = { readonly median: number; readonly min: number; readonly max: number };

/** @throws Error where nothing was measured: a figure made of nothing would look like a good one. */
export function sampleOf(values: readonly number[]): Sample {
  return { median: percentile(values, 0.5), min: percentile(values, 0), max: percentile(values, 1) };
}

/** Nearest rank; for an even number of values the median is the lower one of the two in the middle. */
export function percentile(values: readonly number[], p: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const value = sorted[Math.max(0, Math.ceil(p * sorted.length) - 1)];
  if (value === undefined || sorted.some((one) => !Number.isFinite(one)))
    throw new Error(
      `not ${sorted.length === 0 ? "a single measurement" : "a number among the measurements"}`,
    );
  return value;
}

export type Point = { readonly x: number; readonly y: number };

/** The slope of the straight line with the least squares; 0 where a single x gives none. */
export function slope(points: readonly Point[]): number {
  const meanX = mean(points.map(({ x }) => x));
  const meanY = mean(points.map(({ y }) => y));
  let above = 0;
  let below = 0;
  for (const { x, y } of points) {
    above += (x - meanX) * (y - meanY);
    below += (x - meanX) ** 2;
  }
  return below === 0 ? 0 : above / below;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(values.length, 1);
}

/**
 * Measures several variants in turn, each `rounds` times, the order turned round every time: what slows the machine
 * down for a while, or gets warmer with every round, meets all of them alike.
 */
export async function interleave<Name extends string>(
  rounds: number,
  variants: Readonly<Record<Name, (round: number) => Promise<number>>>,
): Promise<Record<Name, number[]>> {
  const names = Object.keys(variants) as Name[];
  const measured = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>;
  for (let round = 0; round < rounds; round += 1) {
    for (const name of round % 2 === 0 ? names : names.toReversed())
      measured[name].push(await variants[name](round));
  }
  return measured;
}

/** Milliseconds that something took. */
export async function timed(what: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await what();
  return performance.now() - startedAt;
}
