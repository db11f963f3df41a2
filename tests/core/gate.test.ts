/** Contract 5: a gate on a metric of the global scope. Every expected number was worked out by hand. */
import { describe, expect, it } from "vitest";
import type { Facts } from "../../src/core/merge.ts";
import {
  CLEAN,
  CONFLICT,
  crossings,
  FIRST_PASS,
  history,
  REBASE,
  REWORKED,
  record,
  series,
  times,
} from "./build.ts";

/** The last row and the state after a window whose last merge brings the count to `numerator`. */
function stateAt(
  metric: typeof FIRST_PASS,
  match: Partial<Facts>,
  miss: Partial<Facts>,
  numerator: number,
  before: readonly Partial<Facts>[],
) {
  const outcomes = [...before, ...times(metric.window - numerator, miss), ...times(numerator, match)];
  const { rows } = record(history(outcomes), [metric]);
  return series(rows, metric.name).at(-1);
}

const exact = (upper: number, numerator: number, window: number) =>
  stateAt({ ...FIRST_PASS, window, gate: { name: "g", upper, lower: 0 } }, CLEAN, REWORKED, numerator, [])
    ?.state;

const trustAt = (numerator: number, before: Partial<Facts>) =>
  stateAt(FIRST_PASS, CLEAN, REWORKED, numerator, times(50, before))?.state;
const overlapAt = (numerator: number, before: Partial<Facts>) =>
  stateAt(REBASE, CONFLICT, CLEAN, numerator, times(100, before))?.state;

describe("a gate", () => {
  it("rises at its upper bound, not below it", () => {
    expect([trustAt(42, REWORKED), trustAt(43, REWORKED)]).toEqual(["low", "high"]);
    expect([overlapAt(9, CLEAN), overlapAt(10, CLEAN)]).toEqual(["low", "high"]);
  });

  it("falls below its lower bound, not at it", () => {
    expect([trustAt(35, CLEAN), trustAt(34, CLEAN)]).toEqual(["high", "low"]);
    expect([overlapAt(5, CONFLICT), overlapAt(4, CONFLICT)]).toEqual(["high", "low"]);
  });

  it("rises at a bound that a count meets exactly", () => {
    expect(exact(0.85, 17, 20)).toBe("high");
    expect(exact(0.7, 35, 50)).toBe("high");
    expect(exact(0.1, 1, 10)).toBe("high");
    expect(exact(0.3, 3, 10)).toBe("high");
    expect(exact(1, 3, 3)).toBe("high");
    expect(exact(0.58, 58, 100)).toBe("high");
    expect(exact(0.59, 58, 100)).toBe("unknown");
  });

  it("stays unknown inside the band until a bound is reached", () => {
    const inside = [...times(10, REWORKED), ...times(40, CLEAN)];
    const { rows } = record(history([...inside, CLEAN, CLEAN, CLEAN]));
    const shown = series(rows, "first_pass_merge_rate").slice(49);
    expect(shown.map(({ value, state }) => [value, state])).toEqual([
      [0.8, "unknown"],
      [0.82, "unknown"],
      [0.84, "unknown"],
      [0.86, "high"],
    ]);
    expect(crossings(rows)).toMatchObject([{ from: "unknown", to: "high", seq: 53, previous: null }]);
  });

  it("does not move while its metric is undefined", () => {
    expect(crossings(record(history(times(49, CLEAN))).rows)).toEqual([]);
  });
});
