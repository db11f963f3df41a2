/** The snapshot as a document: every expected number was worked out by hand. */
import { describe, expect, it } from "vitest";
import { Analyzer, fold } from "../../src/core/analyzer.ts";
import { mostRecentFirst, snapshotOf } from "../../src/core/snapshot.ts";
import { CONFLICT, CONTRACT, foldAll, history, merge, PRODUCER, SMALL, times } from "./build.ts";

describe("the snapshot", () => {
  it("lists the global readings, then each project's, with gates and effective readings", () => {
    const analyzer = new Analyzer(SMALL);
    foldAll(analyzer, history([...times(3, CONFLICT), { ...CONFLICT, project: "borealis" }]));
    analyzer.skipped = 2;
    const snapshot = snapshotOf(analyzer, {
      generatedAt: "now",
      running: 3,
      refused: 1,
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
      refused: { total: 1 },
      history_truncated: false,
      projects: ["borealis", "atlas"],
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

  it("names the projects most recently merged first, as a draft that is adopted leaves them", () => {
    const analyzer = new Analyzer(SMALL);
    const projectsAfter = (...names: string[]) => {
      const draft = analyzer.draft();
      for (const project of names) fold(draft, merge(1, { project }), PRODUCER);
      draft.adopt();
      return snapshotOf(analyzer, { generatedAt: "now", running: 1, lag: { merges: 0, seconds: null } });
    };
    expect(projectsAfter("a", "b", "c").projects).toEqual(["c", "b", "a"]);
    const snapshot = projectsAfter("c", "a", "c", "a");
    expect(snapshot.projects).toEqual(["a", "c", "b"]);
    expect(mostRecentFirst(snapshot).map(([name, readings]) => [name, readings[0]?.n])).toEqual([
      ["a", 3],
      ["c", 3],
      ["b", 1],
    ]);
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
