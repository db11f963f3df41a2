/** Rows of kind `metric.*` that are nearly ours: a whole row is read, any other is an unmarked row or a contradiction. */
import { expect, it } from "vitest";
import { parseJournalRow } from "../../src/core/journal-row.ts";

const raw = (kind: string, payload: unknown) => ({ id: "7", kind, payload: JSON.stringify(payload) });
const marked = { schema_version: 1, key: "key" };

it.each([
  ["no merge", {}],
  ["a merge that is text", { merge: "48213" }],
  ["an event that is no id", { merge: { event_id: "one", work_item_id: null } }],
  ["a work item that is a number", { merge: { event_id: "5", work_item_id: 7 } }],
])("a skip with %s is not ours", (_, fields) => {
  expect(parseJournalRow(raw("metric.merge_skipped", { ...marked, ...fields }))).toStrictEqual({
    type: "unmarked",
    id: "7",
  });
});

it.each([
  ["no event", { since: null }],
  ["an event that is no id", { event_id: "x", since: null }],
  ["a date that is a number", { event_id: "5", since: 7 }],
])("a crossing after one with %s is refused, not guessed", (_, previous) => {
  const merge = {
    event_id: "5",
    work_item_id: "1",
    project: "atlas",
    attempts: 1,
    last_verdict: null,
    merged_at: null,
  };
  const crossing = {
    ...marked,
    metric: "first_pass_merge_rate",
    scope: "global",
    project: null,
    seq: 50,
    value: 1,
    numerator: 50,
    n: 50,
    window: 50,
    state: "high",
    set_size: 4,
    merge,
    gate: "trust",
    direction: "up",
    from: "unknown",
    to: "high",
    upper: 0.85,
    lower: 0.7,
  };
  const row = (before: unknown) => raw("metric.threshold_crossed", { ...crossing, previous: before });
  expect(parseJournalRow(row(null))).toMatchObject({ type: "metric", crossing: { previous: null } });
  expect(() => parseJournalRow(row(previous))).toThrow(/not the fields of its kind/);
});
