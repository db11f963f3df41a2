/**
 * Logs that are hard on the daemon: with merges that no lock announces, and logs that lose rows at their old end or all of
 * them. A failing schedule is reported with the command that runs it again; see `explore.ts`.
 */
import { expect, test } from "vitest";
import { failing, withVirtualTime } from "./explore.ts";
import { longHistory } from "./known.ts";
import { LATER, RAGGED, SHRINKING, UNSEEN } from "./scenario.ts";

withVirtualTime();

test("ids from a cache, ids given explicitly, holders passed over", { timeout: 600_000 }, async (context) => {
  const failure = await failing(context, { kind: UNSEEN, runs: 160 });
  expect(failure).toBe("");
});

test("TRUNCATE and retention", { timeout: 600_000 }, async (context) => {
  const failure = await failing(context, { kind: SHRINKING, runs: 160 });
  expect(failure).toBe("");
});

test("all of it at once, and retention of some rows only", { timeout: 600_000 }, async (context) => {
  const failure = await failing(context, { kind: RAGGED, runs: 125 });
  expect(failure).toBe("");
});

test("retention, with checkpoints", { timeout: 600_000 }, async (context) => {
  const begins = await longHistory();
  const failure = await failing(context, { kind: SHRINKING, runs: 50, size: LATER, options: { begins } });
  expect(failure).toBe("");
});
