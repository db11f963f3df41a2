/** The simulation's teeth: each of these mistakes is caught within far fewer schedules than the real thing must survive. */
import { expect, test } from "vitest";
import { explore, withVirtualTime } from "./explore.ts";
import { MUTANTS } from "./mutants.ts";

const RUNS = 3_000;
/** Always the same schedules: a tooth does not come and go. */
const SEED = Number(process.env["SIM_SEED"] ?? 20261122);

withVirtualTime();

test.for(MUTANTS)("caught: $mistake", { timeout: 60_000 }, async ({ kind, log, daemon }) => {
  const options = { ...(log === undefined ? {} : { log }), ...(daemon === undefined ? {} : { daemon }) };
  const { failure } = await explore({ kind, runs: RUNS, seed: SEED, options }, { shrinks: false });
  expect(failure).not.toBeNull();
});
