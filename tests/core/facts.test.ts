/** Contract 2: which facts of a merge can be used, and why others cannot. */
import { describe, expect, it } from "vitest";
import { parseJournalRow } from "../../src/core/journal-row.ts";
import {
  MAX_PROJECT_LENGTH,
  mergeIdentity,
  type RawFacts,
  readFacts,
  SKIP_REASONS,
} from "../../src/core/merge.ts";
import { skippedRow } from "../../src/core/metric-event.ts";
import { journal, PRODUCER } from "./build.ts";

const ORDINARY: RawFacts = { project: "atlas", attempts: "1", lastVerdict: "approve" };
const raw = (facts: Partial<RawFacts>): RawFacts => ({ ...ORDINARY, ...facts });

describe("facts of a merge", () => {
  it("are the project, the attempts and the last verdict of its work item", () => {
    expect(readFacts(raw({ attempts: "3", lastVerdict: "rebase_conflict" }))).toEqual({
      project: "atlas",
      attempts: 3,
      lastVerdict: "rebase_conflict",
    });
  });

  it("may lack a verdict", () => {
    expect(readFacts(raw({ lastVerdict: null }))).toMatchObject({ lastVerdict: null });
  });

  it("are unusable without the work item", () => {
    expect(readFacts(null)).toBe("work_item_missing");
  });

  it.each([
    ["1", 1],
    ["2", 2],
    ["007", 7],
    ["2147483647", 2 ** 31 - 1],
  ])("take attempts %j", (attempts, expected) => {
    expect(readFacts(raw({ attempts }))).toMatchObject({ attempts: expected });
  });

  it.each([
    ["0"],
    ["-1"],
    ["3000000000"],
    ["2147483648"],
    ["9999999999"],
    ["4294967297"],
    ["two"],
    [null],
    [""],
    ["1e3"],
    [" 1"],
    ["1 "],
    ["1\n"],
    ["+1"],
    ["1.0"],
    ["1.5"],
    ["0x1"],
    ["NaN"],
    ["Infinity"],
    ["١"],
    ["1".repeat(1000)],
  ])("refuse attempts %j", (attempts) => {
    expect(readFacts(raw({ attempts }))).toBe("attempts_invalid");
  });

  it.each([
    ["a"],
    ["__proto__"],
    ["constructor"],
    ["toString"],
    [" "],
    ["\u200b"],
    ["x\u001b]0;pwned\u0007"],
    ["🦉"],
    ["\u202e"],
    ["é"],
    ["e\u0301"],
    ["x".repeat(512)],
    ["🦉".repeat(512)],
  ])("take the project %j as it is, neither cut nor normalised", (project) => {
    expect(readFacts(raw({ project }))).toMatchObject({ project });
  });

  it.each([[null], [""]])("refuse the project %j", (project) => {
    expect(readFacts(raw({ project }))).toBe("project_missing");
  });

  it("refuse a project of more than 512 characters", () => {
    expect(MAX_PROJECT_LENGTH).toBe(512);
    expect(readFacts(raw({ project: "x".repeat(513) }))).toBe("project_too_long");
    expect(readFacts(raw({ project: "🦉".repeat(513) }))).toBe("project_too_long");
    expect(readFacts(raw({ project: "x".repeat(10_000) }))).toBe("project_too_long");
  });

  it("have no reason that is never given", () => {
    const given = [
      readFacts(null),
      readFacts(raw({ attempts: "0" })),
      readFacts(raw({ project: "" })),
      readFacts(raw({ project: "x".repeat(513) })),
    ];
    expect(new Set(given)).toEqual(new Set(SKIP_REASONS));
  });
});

describe("a merge's identity", () => {
  it("is its work item, whatever its event", () => {
    expect(mergeIdentity({ eventId: "1", workItemId: "9" })).toBe(
      mergeIdentity({ eventId: "2", workItemId: "9" }),
    );
  });

  it("is its own event where it names no work item, and no work item of the same number", () => {
    expect(mergeIdentity({ eventId: "1", workItemId: null })).not.toBe(
      mergeIdentity({ eventId: "2", workItemId: null }),
    );
    expect(mergeIdentity({ eventId: "7", workItemId: null })).not.toBe(
      mergeIdentity({ eventId: "8", workItemId: "7" }),
    );
    expect(mergeIdentity({ eventId: "7", workItemId: null })).not.toBe(
      mergeIdentity({ eventId: "8", workItemId: "event:7" }),
    );
  });
});

describe("a skipped merge", () => {
  it("is one row that names the reason and no facts", () => {
    const row = skippedRow({ eventId: "48213", workItemId: "912", reason: "attempts_invalid" }, PRODUCER);
    expect(row).toEqual({
      kind: "metric.merge_skipped",
      workItemId: "912",
      payload: {
        schema_version: 1,
        key: "merge_skipped|48213",
        reason: "attempts_invalid",
        merge: { event_id: "48213", work_item_id: "912" },
        producer: PRODUCER,
      },
    });
  });

  it("is read back from the journal with or without a work item", () => {
    const rows = [
      skippedRow({ eventId: "5", workItemId: "9", reason: "project_missing" }, PRODUCER),
      skippedRow({ eventId: "6", workItemId: null, reason: "work_item_missing" }, PRODUCER),
    ];
    expect(journal(rows).map(parseJournalRow)).toEqual([
      { type: "skipped", id: "1", key: "merge_skipped|5", eventId: "5", workItemId: "9" },
      { type: "skipped", id: "2", key: "merge_skipped|6", eventId: "6", workItemId: null },
    ]);
  });
});
