/**
 * The random simulation's teeth: each of these mutants is caught within far fewer schedules than the product must survive.
 * Most need what no scope of CI has; the explorer finds all others (`exhaustive.test.ts`).
 */
import { expect, test } from "vitest";
import { explore, withVirtualTime } from "./explore.ts";
import { MUTANTS } from "./mutants.ts";

const RUNS = 3_000;
/** Always the same schedules, so that the result is always the same. */
const SEED = Number(process.env["SIM_SEED"] ?? 20261122);

withVirtualTime();

const BY_CHANCE = MUTANTS.flatMap(({ kind, ...mutant }) => (kind === null ? [] : [{ ...mutant, kind }]));

test.for(BY_CHANCE)("caught: $mistake", { timeout: 60_000 }, async ({ kind, log, daemon }) => {
  const options = { ...(log === undefined ? {} : { log }), ...(daemon === undefined ? {} : { daemon }) };
  const { failure } = await explore({ kind, runs: RUNS, seed: SEED, options }, { shrinks: false });
  expect(failure).not.toBeNull();
});
