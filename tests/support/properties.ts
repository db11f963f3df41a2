/**
 * Seeds and runs of every property in the tests.
 *
 * On CI each run checks the same cases: red means that the change broke something, never that chance found what was there
 * before. Everywhere else the seed is random, so every developer's run looks somewhere new; a failure names its seed and
 * path. PROPERTY_RUNS multiplies the runs of all properties and their time limits, PROPERTY_SEED begins with a given one:
 *
 *   PROPERTY_RUNS=50 npx vitest run --project unit tests/core
 */
import fc from "fast-check";
import { vi } from "vitest";

const { CI, PROPERTY_RUNS, PROPERTY_SEED } = process.env;
const TIME_LIMIT_MS = 30_000;

const seed = PROPERTY_SEED ?? (CI === "true" ? "1" : undefined);
if (seed !== undefined) fc.configureGlobal({ seed: Number(seed) });

const factor = Number(PROPERTY_RUNS ?? 1);
if (factor !== 1) {
  vi.setConfig({ testTimeout: TIME_LIMIT_MS * factor });
  // A property's own number of runs wins over a global one, so it is multiplied on its way.
  vi.doMock("fast-check", async (original) => {
    const { default: real } = await original<{ default: typeof fc }>();
    const assert = <T>(property: fc.IRawProperty<T>, parameters: fc.Parameters<T> = {}) =>
      real.assert(property, { ...parameters, numRuns: (parameters.numRuns ?? 100) * factor });
    return { default: { ...real, assert } };
  });
}
