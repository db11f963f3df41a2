/** Contract 6: what a row says. Every expected number was worked out by hand. */
import { describe, expect, it } from "vitest";
import { Analyzer, fold } from "../../src/core/analyzer.ts";
import { sameVerdicts } from "../../src/core/metric-event.ts";
import {
  CLEAN,
  CONFLICT,
  CONTRACT,
  history,
  merge,
  PRODUCER,
  REBASE,
  record,
  SMALL,
  series,
  times,
} from "./build.ts";

describe("a row", () => {
  const outcomes = [...times(93, CLEAN), ...times(7, CONFLICT)];

  it("of a project looks like the contract's example", () => {
    const { sets } = record(history([...outcomes, CLEAN]));
    const last = sets[100]?.[3];
    expect(last).toEqual({
      kind: "metric.rebase_conflict_rate",
      workItemId: "101",
      payload: {
        schema_version: 1,
        key: `rebase_conflict_rate|project:atlas|${merge(101).eventId}`,
        metric: "rebase_conflict_rate",
        scope: "project",
        project: "atlas",
        seq: 101,
        value: 0.07,
        numerator: 7,
        n: 100,
        window: 100,
        state: "unknown",
        effective: { scope: "project", value: 0.07, state: "unknown" },
        merge: {
          event_id: merge(101).eventId,
          work_item_id: "101",
          project: "atlas",
          attempts: 1,
          last_verdict: "approve",
          merged_at: "2026-11-22T11:41:00.000Z",
        },
        set_size: 4,
        producer: PRODUCER,
      },
    });
  });

  it("of the global scope names no project, has no effective reading and a key without one", () => {
    const { sets } = record(history([CLEAN]));
    const payload = sets[0]?.[0]?.payload;
    expect(payload).toMatchObject({
      scope: "global",
      project: null,
      key: `first_pass_merge_rate|global|${merge(1).eventId}`,
    });
    expect(JSON.stringify(payload)).not.toContain('"effective"');
  });

  it("of an ungated metric has the state null", () => {
    const { rows } = record(history([CLEAN]));
    expect(series(rows, "p95_attempts_to_merge")[0]).toMatchObject({ state: null, numerator: null });
  });

  it("that crosses carries its metric row's fields, the gate and its bounds", () => {
    const { sets } = record(history(times(50, CLEAN)));
    const [metric, crossing] = sets[49] ?? [];
    expect(crossing).toEqual({
      kind: "metric.threshold_crossed",
      workItemId: "50",
      payload: {
        ...metric?.payload,
        key: `first_pass_merge_rate|global|${merge(50).eventId}|crossed`,
        gate: "trust",
        direction: "up",
        from: "unknown",
        to: "high",
        upper: 0.85,
        lower: 0.7,
        previous: null,
      },
    });
  });

  it("names the verdicts where they are not the usual one, and counts by them", () => {
    const other = [{ ...REBASE, window: 2, verdicts: ["needs_rebase", "conflict"] }];
    const { rows } = record(
      history([
        { lastVerdict: "conflict" },
        { lastVerdict: "rebase_conflict" },
        { lastVerdict: "needs_rebase" },
      ]),
      other,
    );
    const global = series(rows, "rebase_conflict_rate");
    expect(global.map((row) => row.numerator)).toEqual([1, 1, 1]);
    expect(global.map((row) => row.verdicts)).toEqual(times(3, ["needs_rebase", "conflict"]));
    expect(JSON.stringify(series(record(history([CLEAN])).rows, "rebase_conflict_rate")[0])).not.toContain(
      '"verdicts"',
    );
  });

  it("passes on a missing date and a missing verdict as null", () => {
    const { rows } = record([merge(1, { mergedAt: null, lastVerdict: null })]);
    for (const row of rows) expect(row.payload.merge).toMatchObject({ merged_at: null, last_verdict: null });
  });

  it("counts a merge without a verdict as no conflict", () => {
    const { rows } = record([merge(1, { lastVerdict: null })], SMALL);
    expect(series(rows, "rebase_conflict_rate")[0]).toMatchObject({ numerator: 0, n: 1 });
  });
});

describe("seq", () => {
  it("counts from 1 for the global scope and for each project", () => {
    const analyzer = new Analyzer(CONTRACT);
    const seqs = history([{ project: "a" }, { project: "b" }, { project: "a" }]).map((one) =>
      fold(analyzer, one, PRODUCER).map((row) => ("seq" in row.payload ? row.payload.seq : null)),
    );
    expect(seqs).toEqual([
      [1, 1, 1, 1],
      [2, 2, 2, 1],
      [3, 3, 3, 2],
    ]);
  });
});

it("two sets of verdicts are the same whatever their order and repeats", () => {
  expect(sameVerdicts(["a", "b"], ["b", "a"])).toBe(true);
  expect(sameVerdicts(["a", "a"], ["a"])).toBe(true);
  expect(sameVerdicts(["a", "a"], ["a", "b"])).toBe(false);
  expect(sameVerdicts(["a", "b"], ["a", "a"])).toBe(false);
  expect(sameVerdicts([], ["a"])).toBe(false);
});
