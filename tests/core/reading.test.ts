/** Contract 3: what a window says. Every expected number was worked out by hand. */
import { describe, expect, it } from "vitest";
import { Analyzer } from "../../src/core/analyzer.ts";
import {
  CLEAN,
  CONFLICT,
  CONTRACT,
  FIRST_PASS,
  history,
  P95,
  REBASE,
  REWORKED,
  record,
  series,
  times,
} from "./build.ts";

describe("a window", () => {
  it.each([
    [1, null],
    [49, null],
    [50, 1],
    [51, 1],
  ])("of 50 after %i merges has the value %j", (count, value) => {
    const { rows } = record(history(times(count, CLEAN)));
    expect(series(rows, "first_pass_merge_rate").at(-1)).toMatchObject({
      value,
      n: Math.min(count, 50),
      numerator: Math.min(count, 50),
      window: 50,
    });
  });

  it("without a merge is undefined with n = 0", () => {
    const analyzer = new Analyzer(CONTRACT);
    expect(CONTRACT.map((_, index) => analyzer.global.reading(index))).toEqual([
      { defined: false, numerator: 0, n: 0, window: 50, needed: 50 },
      { defined: false, numerator: 0, n: 0, window: 100, needed: 100 },
      { defined: false, numerator: null, n: 0, window: 100, needed: 100 },
    ]);
  });

  it("of one merge is that merge", () => {
    const { rows } = record(history([CLEAN, REWORKED, CLEAN]), [{ ...FIRST_PASS, window: 1 }]);
    expect(series(rows, "first_pass_merge_rate").map((row) => row.value)).toEqual([1, 0, 1]);
  });

  it("of a project holds that project's merges only", () => {
    const other = { project: "borealis" };
    const { rows } = record(
      history([CONFLICT, { ...other }, CONFLICT, { ...other, ...CONFLICT }, CLEAN, { ...other }, CLEAN]),
      [{ ...REBASE, window: 3 }],
    );
    const shown = (project: string) =>
      series(rows, "rebase_conflict_rate", "project", project).map(({ seq, numerator, value }) => [
        seq,
        numerator,
        value,
      ]);
    expect(shown("atlas")).toEqual([
      [1, 1, null],
      [2, 2, null],
      [3, 2, 2 / 3],
      [4, 1, 1 / 3],
    ]);
    expect(shown("borealis")).toEqual([
      [1, 0, null],
      [2, 1, null],
      [3, 1, 1 / 3],
    ]);
  });
});

const p95Of = (attempts: readonly number[]): number | null | undefined =>
  series(
    record(history(attempts.map((count) => ({ attempts: count }))), [{ ...P95, window: attempts.length }])
      .rows,
    "p95_attempts_to_merge",
  ).at(-1)?.value;

describe("p95 is the ceil(0.95·n)-th smallest", () => {
  it.each([
    { of: "one merge", attempts: [7], expected: 7 },
    { of: "two merges: the 2nd", attempts: [9, 1], expected: 9 },
    { of: "19 merges: the 19th", attempts: [...times(18, 1), 5], expected: 5 },
    { of: "20 merges: the 19th", attempts: [5, ...times(19, 1)], expected: 1 },
    { of: "20 merges: the 19th of two large ones", attempts: [5, ...times(18, 1), 8], expected: 5 },
    { of: "21 merges: the 20th", attempts: [3, ...times(19, 1), 8], expected: 3 },
    { of: "100 merges: the 95th, five above it", attempts: [...times(95, 2), ...times(5, 9)], expected: 2 },
    { of: "100 merges: the 95th, six at the top", attempts: [...times(94, 2), ...times(6, 9)], expected: 9 },
    {
      of: "100 different numbers, largest first",
      attempts: Array.from({ length: 100 }, (_, i) => 100 - i),
      expected: 95,
    },
    { of: "the largest attempts there are", attempts: times(3, 2 ** 31 - 1), expected: 2 ** 31 - 1 },
  ])("of $of", ({ attempts, expected }) => {
    expect(p95Of(attempts)).toBe(expected);
  });
});
