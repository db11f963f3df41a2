/** Everything that can go wrong, at random, to three daemons at once; and the proof that it would be noticed. */
import { expect, it } from "vitest";
import { MUTANTS } from "../../chaos/mutants.ts";
import { run } from "../../chaos/run.ts";
import { PLAIN } from "../../chaos/variant.ts";

/** Another seed is another plan of faults. `npm run chaos -- --seconds 90 --seed …` is the longer run. */
const SEED = Number(process.env["CHAOS_SEED"] ?? 20261122);
/** One storm of faults (`chaos/plan.ts`). */
const SECONDS = 10;

it(`three daemons through a storm of faults (seed ${SEED}): nothing missing, nothing repeated, nothing wrong`, {
  timeout: 240_000,
}, async () => {
  const { violations, faults, counted, convergedMs } = await run({
    seconds: SECONDS,
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

it("a storm where metric rows are deleted, work items are locked and transactions stay open, with verify beside it", {
  timeout: 240_000,
}, async () => {
  const { violations, counted, convergedMs, reads } = await run({
    seconds: 6,
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

// `teeth.pg.test.ts` and the simulation show the other mistakes: this one shows that the judge of chaos is awake.
it("the judge of chaos notices lock and fence in one statement", { timeout: 180_000 }, async () => {
  const { violations } = await run({
    seconds: 25,
    seed: 1,
    mutant: MUTANTS["one-statement"] ?? null,
    variant: PLAIN,
  });
  expect(violations.join("\n")).toMatch(/recorded again|is not what its facts give/);
});
