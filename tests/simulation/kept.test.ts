/**
 * Logs of which records go while a checkpoint is left, work items are deleted, and the table refuses rows for a while: nothing is
 * recorded twice or lost, and no window shrinks. A failing schedule is reported with the command that runs it again; see `explore.ts`.
 */
import { expect, test } from "vitest";
import { failing, withVirtualTime } from "./explore.ts";
import { longHistory } from "./known.ts";
import { KEPT, LATER, LONG } from "./scenario.ts";

withVirtualTime();

test("short schedules", { timeout: 600_000 }, async (context) => {
  expect(await failing(context, { kind: KEPT, runs: 175 })).toBe("");
});

test("long ones", { timeout: 600_000 }, async (context) => {
  expect(await failing(context, { kind: KEPT, runs: 20, size: LONG })).toBe("");
});

test("on a history with checkpoints", { timeout: 600_000 }, async (context) => {
  const begins = await longHistory();
  expect(await failing(context, { kind: KEPT, runs: 30, size: LATER, options: { begins } })).toBe("");
});
