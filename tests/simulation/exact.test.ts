/**
 * Logs that only grow, through a sequence with cache 1: every merge is found by the scan alone, whatever dies meanwhile.
 *
 * A failing schedule is told with its steps and with the command that runs it again. To search longer, or elsewhere:
 *
 *   SIM_RUNS=100000 SIM_SEED=1 npx vitest run --project unit tests/simulation/exact.test.ts
 */
import { expect, test } from "vitest";
import { failing, withVirtualTime } from "./explore.ts";
import { longHistory } from "./known.ts";
import { EXACT, LATER, LONG } from "./scenario.ts";

withVirtualTime();

test("thousands of short schedules", { timeout: 600_000 }, async (context) => {
  const failure = await failing(context, { kind: EXACT, runs: 325 });
  expect(failure).toBe("");
});

test("some long ones", { timeout: 600_000 }, async (context) => {
  const failure = await failing(context, { kind: EXACT, runs: 30, size: LONG });
  expect(failure).toBe("");
});

test("restores that begin with a checkpoint", { timeout: 600_000 }, async (context) => {
  const begins = await longHistory();
  const failure = await failing(context, { kind: EXACT, runs: 50, size: LATER, options: { begins } });
  expect(failure).toBe("");
});
