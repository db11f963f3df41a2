/** Daemons of different configurations on one log. A failing schedule is reported with the command that runs it again; see `explore.ts`. */
import { expect, test } from "vitest";
import { failing, withVirtualTime } from "./explore.ts";
import { longHistory } from "./known.ts";
import { LATER, MIXED, MIXED_RAGGED } from "./scenario.ts";

withVirtualTime();

test("other windows, bounds, scopes and verdicts", { timeout: 600_000 }, async (context) => {
  const failure = await failing(context, { kind: MIXED, runs: 125 });
  expect(failure).toBe("");
});

test("and TRUNCATE and retention, caches and ids given explicitly", { timeout: 600_000 }, async (context) => {
  const failure = await failing(context, { kind: MIXED_RAGGED, runs: 125 });
  expect(failure).toBe("");
});

test("and restores that begin with a checkpoint", { timeout: 600_000 }, async (context) => {
  const begins = await longHistory();
  const failure = await failing(context, {
    kind: MIXED_RAGGED,
    runs: 20,
    size: LATER,
    options: { begins },
  });
  expect(failure).toBe("");
});
