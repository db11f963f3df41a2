/** Everything that can go wrong, at random, to three daemons at once; and the proof that it would be noticed. */
import { expect, it } from "vitest";
import { MUTANTS } from "../../chaos/mutants.ts";
import { run } from "../../chaos/run.ts";
import { PLAIN } from "../../chaos/variant.ts";

/** `npm run chaos -- --seconds 18 --seed …` does the same; another seed, another plan of faults. */
const SEED = Number(process.env["CHAOS_SEED"] ?? 20261122);

it(`three daemons through 18 seconds of chaos (seed ${SEED}): nothing missing, nothing repeated, nothing wrong`, {
  timeout: 240_000,
}, async () => {
  const { violations, faults, counted, convergedMs } = await run({
    seconds: 18,
    seed: SEED,
    mutant: null,
    variant: PLAIN,
  });
  expect(violations).toEqual([]);
  expect(convergedMs).not.toBeNull();
  expect(faults.size).toBeGreaterThan(10);
  expect(counted.late).toBeGreaterThan(0);
  expect(counted.recorded + counted.skipped).toBe(counted.merges);
});

it("8 seconds of it where metric rows go, work items are locked and transactions stay open, with verify beside it", {
  timeout: 240_000,
}, async () => {
  const { violations, counted, convergedMs, reads } = await run({
    seconds: 8,
    seed: SEED,
    mutant: null,
    variant: {
      ...PLAIN,
      foreignKey: "plain",
      retention: "metrics",
      rowLocks: "yes",
      oldTransactions: "yes",
      readers: "yes",
    },
  });
  expect(violations).toEqual([]);
  expect(convergedMs).not.toBeNull();
  expect(counted.pruned).toBeGreaterThan(0);
  expect(reads).toBeGreaterThan(0);
});

it.each(["repeatable-read", "one-statement"])(
  "a mistake is noticed: %s",
  { timeout: 180_000 },
  async (name) => {
    const { violations } = await run({ seconds: 25, seed: 1, mutant: MUTANTS[name] ?? null, variant: PLAIN });
    expect(violations.join("\n")).toMatch(/recorded again|is not what its facts give/);
  },
);
