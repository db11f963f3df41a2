/** What is rehearsed is what is written: rows of every kind and scope, as the contract has them, and few. */
import { expect, it } from "vitest";
import { type EventKind, SCHEMAS } from "../../contracts/json-schema.ts";
import { loadConfig } from "../../src/config.ts";
import { SMALLEST_ID } from "../../src/core/event-id.ts";
import { rehearsalRows } from "../../src/core/rehearsal-rows.ts";

const { metrics } = loadConfig({ DATABASE_URL: "postgresql://nobody@nowhere/nothing" });
const ITEM = { id: "912", facts: { project: "atlas", attempts: "2", lastVerdict: "rebase_conflict" } };

it("has each kind in each scope that is recorded, of this work item and with its facts", () => {
  const { needed, checkpoint } = rehearsalRows(metrics, "test/1", ITEM);
  expect(needed.map(({ kind, payload }) => `${kind} ${"scope" in payload ? payload.scope : "-"}`)).toEqual([
    "metric.first_pass_merge_rate global",
    "metric.rebase_conflict_rate global",
    "metric.p95_attempts_to_merge global",
    "metric.rebase_conflict_rate project",
    "metric.threshold_crossed global",
    "metric.threshold_crossed global",
    "metric.threshold_crossed project",
    "metric.merge_skipped -",
  ]);
  expect(new Set(needed.map(({ workItemId }) => workItemId))).toEqual(new Set(["912"]));
  expect(needed[0]?.payload.merge).toMatchObject({
    project: "atlas",
    attempts: 2,
    last_verdict: "rebase_conflict",
  });
  expect(checkpoint.kind).toBe("metric.checkpoint");
});

it("has rows as the contracts have them, with keys that no other row has", () => {
  const { needed, checkpoint } = rehearsalRows(metrics, "test/1", ITEM);
  const keys = needed.map(({ payload }) => payload.key);
  expect(new Set(keys).size).toBe(keys.length);
  expect(keys.every((key) => key.includes(String(SMALLEST_ID)))).toBe(true);
  for (const { kind, payload } of [...needed, checkpoint]) {
    const strict = SCHEMAS[kind as EventKind].safeParse(JSON.parse(JSON.stringify(payload)));
    expect(strict.error?.issues ?? []).toStrictEqual([]);
  }
});

it.each([null, { project: null, attempts: "0", lastVerdict: null }])(
  "has facts of its own where the item has none: %j",
  (facts) => {
    const { needed } = rehearsalRows(metrics, "test/1", { id: null, facts });
    expect(needed[0]).toMatchObject({
      workItemId: null,
      payload: { merge: { project: "rehearsal", attempts: 1 } },
    });
  },
);
