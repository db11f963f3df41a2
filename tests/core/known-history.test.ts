/** Contracts 3, 5 and 6 on one history of 210 merges: every expected number was worked out by hand. */
import { describe, expect, it } from "vitest";
import type { Facts } from "../../src/core/merge.ts";
import { crossings, history, merge, record, series, times } from "./build.ts";

/** Merges 51–66 took two attempts, all others one; merges 101–110 ended in a rebase conflict, no others. */
const KNOWN = history(
  Array.from({ length: 210 }, (_, index): Partial<Facts> => {
    const nth = index + 1;
    return {
      attempts: nth >= 51 && nth <= 66 ? 2 : 1,
      lastVerdict: nth >= 101 && nth <= 110 ? "rebase_conflict" : "approve",
    };
  }),
);

/** [first merge, last merge, numerator at the first, change per merge] */
type Stretch = readonly [from: number, to: number, numerator: number, step: -1 | 0 | 1];

/** The series that these stretches describe. */
function described(window: number, stretches: readonly Stretch[]) {
  return stretches.flatMap(([from, to, numerator, step]) =>
    Array.from({ length: to - from + 1 }, (_, index) => {
      const seq = from + index;
      const count = numerator + step * index;
      return { seq, n: Math.min(seq, window), numerator: count, value: seq < window ? null : count / window };
    }),
  );
}

function figures(...of: Parameters<typeof series>) {
  return series(...of).map(({ seq, n, numerator, value }) => ({ seq, n, numerator, value }));
}

/** The merge at which a crossing happened, as the next one names it. */
function at(seq: number) {
  return { event_id: merge(seq).eventId, since: merge(seq).mergedAt };
}

describe("a known history of 210 merges", () => {
  const { rows, sets } = record(KNOWN);

  it("gives the first-pass rate over the last 50 merges at every merge", () => {
    expect(figures(rows, "first_pass_merge_rate")).toEqual(
      described(50, [
        [1, 50, 1, 1],
        [51, 66, 49, -1],
        [67, 100, 34, 0],
        [101, 116, 35, 1],
        [117, 210, 50, 0],
      ]),
    );
  });

  it("gives the rebase-conflict rate over the last 100 merges at every merge, globally and for the project", () => {
    const stretches: Stretch[] = [
      [1, 100, 0, 0],
      [101, 110, 1, 1],
      [111, 200, 10, 0],
      [201, 210, 9, -1],
    ];
    expect(figures(rows, "rebase_conflict_rate")).toEqual(described(100, stretches));
    expect(figures(rows, "rebase_conflict_rate", "project")).toEqual(described(100, stretches));
  });

  it("gives the 95th percentile of attempts over the last 100 merges at every merge", () => {
    const values = series(rows, "p95_attempts_to_merge").map((row) => row.value);
    // The 95th smallest of 100 is a 2 as long as six merges with two attempts are in the window: up to merge 160.
    expect(values).toEqual([...times(99, null), ...times(61, 2), ...times(50, 1)]);
    expect(series(rows, "p95_attempts_to_merge").every((row) => row.numerator === null)).toBe(true);
  });

  it("crosses both gates in both directions, exactly where the bounds are met", () => {
    const seen = crossings(rows).map(({ metric, scope, seq, from, to, direction, value, previous }) => ({
      at: [metric, scope, seq],
      turn: [from, to, direction, value],
      previous,
    }));
    const [rebase, first] = ["rebase_conflict_rate", "first_pass_merge_rate"];
    expect(seen).toEqual([
      { at: [first, "global", 50], turn: ["unknown", "high", "up", 1], previous: null },
      { at: [first, "global", 66], turn: ["high", "low", "down", 0.68], previous: at(50) },
      { at: [rebase, "global", 100], turn: ["unknown", "low", "down", 0], previous: null },
      { at: [rebase, "project", 100], turn: ["unknown", "low", "down", 0], previous: null },
      { at: [first, "global", 109], turn: ["low", "high", "up", 0.86], previous: at(66) },
      { at: [rebase, "global", 110], turn: ["low", "high", "up", 0.1], previous: at(100) },
      { at: [rebase, "project", 110], turn: ["low", "high", "up", 0.1], previous: at(100) },
      { at: [rebase, "global", 206], turn: ["high", "low", "down", 0.04], previous: at(110) },
      { at: [rebase, "project", 206], turn: ["high", "low", "down", 0.04], previous: at(110) },
    ]);
  });

  it("keeps the state while the rate is inside the band", () => {
    const states = series(rows, "first_pass_merge_rate").map((row) => row.state);
    expect(states).toEqual([
      ...times(49, "unknown"),
      ...times(16, "high"),
      ...times(43, "low"),
      ...times(102, "high"),
    ]);
  });

  it("writes one set for each merge, in the contract's order, a crossing directly after its row", () => {
    const plain = [
      "metric.first_pass_merge_rate global",
      "metric.rebase_conflict_rate global",
      "metric.p95_attempts_to_merge global",
      "metric.rebase_conflict_rate project",
    ];
    const shapes = sets.map((set) =>
      set.map(({ kind, payload }) => `${kind} ${"scope" in payload ? payload.scope : ""}`),
    );
    const [first, rebase, p95, project] = plain;
    const crossing = "metric.threshold_crossed";
    expect(shapes[0]).toEqual(plain);
    expect(shapes[49]).toEqual([first, `${crossing} global`, rebase, p95, project]);
    expect(shapes[99]).toEqual([first, rebase, `${crossing} global`, p95, project, `${crossing} project`]);
    expect(shapes.filter((shape) => shape.length === 4)).toHaveLength(210 - 6);
  });

  it("states in each row how many rows its merge has", () => {
    for (const set of sets) {
      for (const row of set) expect(row.payload).toMatchObject({ set_size: set.length });
    }
  });

  it("gives every row a key of its own, and every row its merge's work item", () => {
    expect(new Set(rows.map((row) => row.payload.key)).size).toBe(rows.length);
    for (const row of rows) expect(row.workItemId).toBe(row.payload.merge.work_item_id);
  });
});
