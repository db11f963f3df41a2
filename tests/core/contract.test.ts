/** Contracts 3, 5 and 6 on known histories: every expected number was worked out by hand. */
import { describe, expect, it } from "vitest";
import { Analyzer, fold } from "../../src/core/analyzer.ts";
import type { Facts } from "../../src/core/merge.ts";
import { byCodePoint, snapshotOf } from "../../src/core/snapshot.ts";
import {
  CLEAN,
  CONFLICT,
  CONTRACT,
  crossings,
  FIRST_PASS,
  foldAll,
  history,
  journal,
  merge,
  P95,
  PRODUCER,
  REBASE,
  REWORKED,
  record,
  replay,
  SMALL,
  series,
  times,
} from "./build.ts";

/** Merges 51–66 took two builds, all others one; merges 101–110 ended in a rebase conflict, no others. */
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
    // The 95th smallest of 100 is a 2 as long as six merges with two builds are in the window: up to merge 160.
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

const b = (facts: Partial<Facts>): Partial<Facts> => ({ project: "borealis", ...facts });
const ofBorealis = (rows: ReturnType<typeof record>["rows"]) =>
  series(rows, "rebase_conflict_rate", "project", "borealis");

describe("a project", () => {
  const NARROW = [{ ...REBASE, window: 4, gate: { name: "scope_overlap", upper: 0.75, lower: 0.25 } }];
  it("without a defined rate anywhere has no effective rate", () => {
    const { rows } = record(history([CLEAN, CONFLICT, b(CLEAN)]), NARROW);
    expect(ofBorealis(rows)[0]?.effective).toEqual({ scope: null, value: null, state: "unknown" });
  });

  it("follows the global rate, this merge included, until its own window is full", () => {
    const { rows } = record(history([CONFLICT, CONFLICT, CONFLICT, b(CONFLICT), b(CLEAN)]), NARROW);
    expect(ofBorealis(rows).map((row) => [row.value, row.state, row.effective])).toEqual([
      [null, "unknown", { scope: "global", value: 1, state: "high" }],
      [null, "unknown", { scope: "global", value: 0.75, state: "high" }],
    ]);
  });

  it("follows its own rate from the merge that fills its window", () => {
    const { rows } = record(
      history([...times(4, CONFLICT), b(CLEAN), b(CLEAN), b(CLEAN), b(CLEAN), CONFLICT, b(CLEAN)]),
      NARROW,
    );
    expect(ofBorealis(rows).map((row) => row.effective)).toEqual([
      { scope: "global", value: 0.75, state: "high" },
      { scope: "global", value: 0.5, state: "high" },
      { scope: "global", value: 0.25, state: "high" },
      { scope: "project", value: 0, state: "low" },
      { scope: "project", value: 0, state: "low" },
    ]);
    // The project crosses for itself, from unknown: it never had a state of its own.
    expect(crossings(rows).filter((row) => row.project === "borealis")).toMatchObject([
      { from: "unknown", to: "low", seq: 4, effective: { scope: "project", value: 0, state: "low" } },
    ]);
  });

  const takeOver = [...times(4, CONFLICT), b(CONFLICT), b(CLEAN), b(CONFLICT), b(CLEAN)];

  it("that becomes defined inside the band takes over the global state of that moment without a crossing", () => {
    const { rows } = record(history(takeOver), NARROW);
    expect(ofBorealis(rows).map((row) => [row.value, row.state])).toEqual([
      [null, "unknown"],
      [null, "unknown"],
      [null, "unknown"],
      [0.5, "high"],
    ]);
    expect(crossings(rows).filter((row) => row.scope === "project" && row.project === "borealis")).toEqual(
      [],
    );
    expect(ofBorealis(rows).at(-1)?.effective).toEqual({ scope: "project", value: 0.5, state: "high" });
  });

  it("takes over the state that the same merge gives the global scope", () => {
    // The global rate falls to 0 with the merge that fills borealis' window: high before it, low after it.
    const outcomes = [
      b(CONFLICT),
      b(CONFLICT),
      b(CLEAN),
      ...times(4, CONFLICT),
      ...times(3, CLEAN),
      b(CLEAN),
    ];
    const { rows } = record(history(outcomes), NARROW);
    expect(series(rows, "rebase_conflict_rate").at(-1)).toMatchObject({ value: 0, state: "low" });
    expect(series(rows, "rebase_conflict_rate").at(-2)).toMatchObject({ value: 0.25, state: "high" });
    expect(ofBorealis(rows).at(-1)).toMatchObject({ value: 0.5, state: "low" });
  });

  it("keeps its own state after taking over, whatever the global gate does", () => {
    const { rows } = record(
      history([...takeOver, ...times(4, CLEAN), b(CONFLICT), ...times(4, CLEAN), b(CLEAN)]),
      NARROW,
    );
    expect(series(rows, "rebase_conflict_rate").at(-1)).toMatchObject({ state: "low" });
    expect(
      ofBorealis(rows)
        .slice(3)
        .map(({ value, state }) => [value, state]),
    ).toEqual([
      [0.5, "high"],
      [0.5, "high"],
      [0.5, "high"],
    ]);
  });

  it("crosses from the state that it took over, and the crossing has no previous one", () => {
    const { rows } = record(history([...takeOver, ...times(4, b(CLEAN))]), NARROW);
    expect(crossings(rows).filter((row) => row.project === "borealis")).toMatchObject([
      { from: "high", to: "low", seq: 7, previous: null },
    ]);
  });

  it("takes over once only: unknown inside the band stays unknown when the global gate moves later", () => {
    const inside = [b(CONFLICT), b(CLEAN), b(CONFLICT), b(CLEAN)];
    const { rows } = record(history([...inside, ...times(4, CONFLICT), b(CONFLICT)]), NARROW);
    expect(series(rows, "rebase_conflict_rate").at(-1)).toMatchObject({ state: "high" });
    expect(ofBorealis(rows).at(-1)).toMatchObject({ value: 0.5, state: "unknown" });
  });

  it("that becomes defined outside the band crosses for itself, even to the global state", () => {
    const { rows } = record(history([...times(4, CONFLICT), ...times(4, b(CONFLICT))]), NARROW);
    expect(crossings(rows).filter((row) => row.project === "borealis")).toMatchObject([
      { from: "unknown", to: "high", seq: 4 },
    ]);
  });
});

describe("a project's name", () => {
  const names = [
    "__proto__",
    "constructor",
    "toString",
    "hasOwnProperty",
    "🦉",
    "\uffee",
    "\u001b[2J",
    "a|b",
    "global",
    "project:a",
    "é",
    "e\u0301",
    " ",
    '"',
    "x".repeat(512),
    "🦉".repeat(512),
  ];
  const merges = history([...names, ...names].map((project) => ({ project })));
  const { analyzer, rows } = record(merges, [{ ...REBASE, window: 2 }]);

  it.each(names.map((name) => [name.slice(0, 20), name]))(
    "%j is counted for itself and written as it is",
    (_, name) => {
      const own = series(rows, "rebase_conflict_rate", "project", name);
      expect(own.map(({ seq, n, value }) => [seq, n, value])).toEqual([
        [1, 1, null],
        [2, 2, 0],
      ]);
      expect(own.map((row) => row.merge.project)).toEqual([name, name]);
    },
  );

  it("survives the journal, and every project stands in the snapshot once, in the order of code points", () => {
    const raws = journal(rows);
    const again = replay(raws, [{ ...REBASE, window: 2 }]).analyzer;
    const surroundings = { generatedAt: "", running: 1, lag: { merges: 0, seconds: null } };
    const snapshot = JSON.parse(JSON.stringify(snapshotOf(again, surroundings))) as {
      metrics: { project: string | null }[];
    };
    expect(snapshot).toEqual(JSON.parse(JSON.stringify(snapshotOf(analyzer, surroundings))));
    const listed = snapshot.metrics.slice(1).map((metric) => metric.project ?? "");
    expect(listed).toEqual(names.toSorted((x, y) => Buffer.compare(Buffer.from(x), Buffer.from(y))));
  });

  it("is ordered by code points, not by UTF-16 units", () => {
    expect(["\u{1f989}", "\uffee", "ab", "a", "b"].toSorted(byCodePoint)).toEqual([
      "a",
      "ab",
      "b",
      "\uffee",
      "\u{1f989}",
    ]);
  });
});

describe("the snapshot", () => {
  it("lists the global readings, then each project's, with gates and effective readings", () => {
    const analyzer = new Analyzer(SMALL);
    foldAll(analyzer, history([...times(3, CONFLICT), { ...CONFLICT, project: "borealis" }]));
    analyzer.skipped = 2;
    const snapshot = snapshotOf(analyzer, {
      generatedAt: "now",
      running: 3,
      lag: { merges: 4, seconds: 5 },
    });
    const trust = { name: "trust", state: "high", since: merge(3).mergedAt, upper: 0.6, lower: 0.4 };
    const overlap = { name: "scope_overlap", upper: 0.5, lower: 0.25 };
    const high = { ...overlap, state: "high", since: merge(4).mergedAt };
    const unknown = { ...overlap, state: "unknown", since: null };
    const rate = { metric: "rebase_conflict_rate", window: 4 };
    const first = { metric: "first_pass_merge_rate", window: 3 };
    const p95 = { metric: "p95_attempts_to_merge", numerator: null, value: null, window: 5 };
    const ungated = { gate: null, effective: null };
    const global = { scope: "global", project: null, effective: null };
    const atlas = { scope: "project", project: "atlas" };
    const borealis = { scope: "project", project: "borealis" };
    expect(snapshot).toEqual({
      schema_version: 1,
      as_of: { seq: 4, event_id: merge(4).eventId, merged_at: merge(4).mergedAt, generated_at: "now" },
      daemon: { running: 3 },
      lag: { merges: 4, seconds: 5 },
      skipped: { total: 2 },
      history_truncated: false,
      metrics: [
        { ...first, ...global, value: 1, numerator: 3, n: 3, gate: trust },
        { ...rate, ...global, value: 1, numerator: 4, n: 4, gate: high },
        { ...p95, ...global, n: 4, gate: null },
        { ...first, ...atlas, value: 1, numerator: 3, n: 3, ...ungated },
        {
          ...rate,
          ...atlas,
          value: null,
          numerator: 3,
          n: 3,
          gate: unknown,
          effective: { scope: "global", value: 1, state: "high" },
        },
        { ...p95, ...atlas, n: 3, ...ungated },
        { ...first, ...borealis, value: null, numerator: 1, n: 1, ...ungated },
        {
          ...rate,
          ...borealis,
          value: null,
          numerator: 1,
          n: 1,
          gate: unknown,
          effective: { scope: "global", value: 1, state: "high" },
        },
        { ...p95, ...borealis, n: 1, ...ungated },
      ],
    });
  });

  it("of an empty log has no values, no projects and no date", () => {
    const snapshot = snapshotOf(new Analyzer(CONTRACT), {
      generatedAt: "now",
      running: 0,
      lag: { merges: 0, seconds: null },
    });
    expect(snapshot.as_of).toEqual({ seq: 0, event_id: null, merged_at: null, generated_at: "now" });
    expect(snapshot.metrics.map(({ value, n }) => [value, n])).toEqual(times(3, [null, 0]));
  });
});

describe("folding", () => {
  it("counts seq from 1 for the global scope and for each project", () => {
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
