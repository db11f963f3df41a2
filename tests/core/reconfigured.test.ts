/** Contract 5: a changed configuration acts from the next merge on and never makes the log contradictory. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DEFAULT_VERDICTS } from "../../src/core/catalogue.ts";
import type { MetricSettings } from "../../src/core/metric.ts";
import { outcomes, settings } from "./arbitraries.ts";
import {
  CLEAN,
  CONFLICT,
  crossings,
  FIRST_PASS,
  foldAll,
  gates,
  history,
  isMetric,
  journal,
  REBASE,
  record,
  replay,
  series,
  snapshotText,
  times,
} from "./build.ts";
import { Life } from "./life.ts";
import { naiveFigure } from "./naive.ts";

const phases = fc.array(fc.record({ settings, merges: outcomes }), { minLength: 1, maxLength: 5 });

describe("a log written under several configurations", () => {
  it("is replayed without contradiction, and gives the memory that wrote it", () => {
    fc.assert(
      fc.property(phases, (all) => {
        const life = new Life([]);
        for (const phase of all) {
          life.restart(phase.settings);
          life.merge(phase.merges);
          expect(life.known()).toEqual(life.proven());
          const again = replay(life.raws, phase.settings).analyzer;
          expect(snapshotText(again)).toBe(snapshotText(life.analyzer));
          expect([...again.projects].map(([name, scope]) => [name, scope.seq, gates(scope)])).toEqual(
            [...life.analyzer.projects].map(([name, scope]) => [name, scope.seq, gates(scope)]),
          );
        }
      }),
      { numRuns: 60 },
    );
  });

  it("is continued by a daemon that restarts as by one that does not", () => {
    fc.assert(
      fc.property(phases, outcomes, (all, later) => {
        const life = new Life([]);
        for (const phase of all) {
          life.restart(phase.settings);
          life.merge(phase.merges);
        }
        const again = replay(life.raws, life.settings).analyzer;
        const next = history(later, life.merges.length + 1);
        expect(foldAll(again, next)).toEqual(foldAll(life.analyzer, next));
      }),
      { numRuns: 60 },
    );
  });

  it("has in every row what a naive recomputation over all merges gives for the row's own window and verdicts", () => {
    fc.assert(
      fc.property(phases, (all) => {
        const life = new Life([]);
        for (const phase of all) {
          life.restart(phase.settings);
          life.merge(phase.merges);
        }
        for (const { row, set } of life.written) {
          if (!isMetric(row)) continue;
          const { metric, window, project, value, numerator, n } = row.payload;
          const upToNow = life.merges.slice(0, set);
          const mine = project === null ? upToNow : upToNow.filter((one) => one.project === project);
          expect({ n, numerator, value }).toEqual(
            naiveFigure(metric, window, row.payload.verdicts ?? DEFAULT_VERDICTS, mine),
          );
        }
      }),
      { numRuns: 60 },
    );
  });

  it("and pruned at any row is read without error by any configuration", () => {
    const step = fc.record({ settings, merges: outcomes, prune: fc.oneof(fc.constant(0), fc.nat(60)) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 5 }), (steps) => {
        const life = new Life([]);
        for (const { settings: metrics, merges, prune } of steps) {
          life.restart(metrics);
          life.merge(merges);
          life.prune(prune);
          expect(life.known()).toEqual(life.proven());
        }
      }),
      { numRuns: 100 },
    );
  });

  it("is read without contradiction even by a daemon that keeps no more than its own windows", () => {
    fc.assert(
      fc.property(phases, settings, (all, last) => {
        const life = new Life([]);
        for (const phase of all) {
          life.restart(phase.settings);
          life.merge(phase.merges);
        }
        const { analyzer } = replay(life.raws, last, 0);
        expect(analyzer.global.seq).toBe(life.merges.length);
      }),
      { numRuns: 60 },
    );
  });
});

/** The rows that `after` writes next to the journal of `before`. */
function continued(
  before: { metrics: readonly MetricSettings[]; merges: Parameters<typeof history>[0] },
  after: { metrics: readonly MetricSettings[]; merges: Parameters<typeof history>[0] },
) {
  const { rows } = record(history(before.merges), before.metrics);
  const { analyzer } = replay(journal(rows), after.metrics);
  return foldAll(analyzer, history(after.merges, before.merges.length + 1)).flat();
}

describe("a change of configuration", () => {
  const TRUST: MetricSettings = {
    ...FIRST_PASS,
    window: 4,
    gate: { name: "trust", upper: 0.75, lower: 0.5 },
  };

  it("to a larger window fills it from the recorded facts", () => {
    const rows = continued(
      { metrics: [TRUST], merges: [CLEAN, ...times(5, { attempts: 2 })] },
      { metrics: [{ ...TRUST, window: 7 }], merges: [CLEAN] },
    );
    expect(series(rows, "first_pass_merge_rate")).toMatchObject([
      { seq: 7, n: 7, window: 7, numerator: 2, value: 2 / 7 },
    ]);
  });

  it("to a larger window than there are merges leaves the rate undefined and the gate unchanged", () => {
    const rows = continued(
      { metrics: [TRUST], merges: times(5, CLEAN) },
      { metrics: [{ ...TRUST, window: 7 }], merges: [CLEAN] },
    );
    expect(series(rows, "first_pass_merge_rate")).toMatchObject([
      { seq: 6, n: 6, window: 7, value: null, state: "high" },
    ]);
    expect(crossings(rows)).toEqual([]);
  });

  it("of the bounds acts with the next merge, from the recorded state", () => {
    const rows = continued(
      { metrics: [TRUST], merges: [...times(3, CLEAN), ...times(2, { attempts: 2 }), CLEAN] },
      { metrics: [{ ...TRUST, gate: { name: "trust", upper: 0.9, lower: 0.8 } }], merges: [CLEAN] },
    );
    expect(crossings(rows)).toMatchObject([{ from: "high", to: "low", value: 0.5, upper: 0.9, lower: 0.8 }]);
  });

  it("that adds the project scope counts that project's earlier merges", () => {
    const metric = { ...REBASE, window: 3 };
    const rows = continued(
      { metrics: [{ ...metric, record: ["global"] }], merges: [CONFLICT, { project: "b" }, CONFLICT] },
      { metrics: [metric], merges: [CONFLICT] },
    );
    expect(series(rows, "rebase_conflict_rate", "project")).toMatchObject([{ seq: 3, n: 3, value: 1 }]);
  });

  it("that adds a metric gives it the earlier merges", () => {
    const rows = continued(
      { metrics: [TRUST], merges: times(5, CONFLICT) },
      { metrics: [TRUST, { ...REBASE, window: 6 }], merges: [CLEAN] },
    );
    expect(series(rows, "rebase_conflict_rate")).toMatchObject([{ seq: 6, n: 6, value: 5 / 6 }]);
  });

  it("of the verdicts recounts the earlier merges by the new ones", () => {
    const rows = continued(
      { metrics: [{ ...REBASE, window: 3 }], merges: [CONFLICT, { lastVerdict: "needs_rebase" }] },
      { metrics: [{ ...REBASE, window: 3, verdicts: ["needs_rebase"] }], merges: [CLEAN] },
    );
    expect(series(rows, "rebase_conflict_rate")).toMatchObject([
      { n: 3, numerator: 1, value: 1 / 3, verdicts: ["needs_rebase"] },
    ]);
  });

  it("that ends a gate and brings it back starts it at unknown, and its crossing names the one before", () => {
    const metrics = [TRUST];
    const ungated = [{ ...TRUST, gate: null }];
    const first = record(history(times(4, CLEAN)), metrics).rows;
    const second = foldAll(replay(journal(first), ungated).analyzer, history([CLEAN], 5)).flat();
    const { analyzer } = replay(journal([...first, ...second]), metrics);
    const third = foldAll(analyzer, history([CLEAN], 6)).flat();
    expect(series(second, "first_pass_merge_rate")).toMatchObject([{ state: null }]);
    expect(crossings(third)).toMatchObject([
      { from: "unknown", to: "high", previous: { event_id: crossings(first)[0]?.merge.event_id } },
    ]);
  });

  it("to a smaller window leaves the rows of the larger one checked", () => {
    const raws = journal(record(history(times(6, CLEAN)), [{ ...TRUST, window: 6 }]).rows).map((raw) => ({
      ...raw,
      payload:
        raw.payload?.replace('"value":1,', '"value":0.5,').replace('"numerator":6', '"numerator":3') ?? null,
    }));
    expect(() => replay(raws, [TRUST])).toThrow(/number: value 0[.].*; expected value 1, /);
  });

  it("leaves rows of metrics that look at no verdicts checked under any verdicts", () => {
    const metrics = [TRUST, { ...REBASE, window: 3, verdicts: ["needs_rebase"] }];
    const raws = journal(record(history(times(6, CLEAN)), metrics).rows).map((raw) =>
      raw.kind === "metric.first_pass_merge_rate" && raw.payload?.includes('"seq":6,')
        ? {
            ...raw,
            payload: raw.payload
              .replace('"value":1,', '"value":0.75,')
              .replace('"numerator":4', '"numerator":3'),
          }
        : raw,
    );
    expect(() => replay(raws, metrics, 0)).toThrow(/number: value 0[.].*; expected value 1, /);
  });
});
