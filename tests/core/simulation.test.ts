/** What a simulation says is what folding under those settings records. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseJournalRow } from "../../src/core/journal-row.ts";
import type { Merge } from "../../src/core/merge.ts";
import type { MetricSettings } from "../../src/core/metric.ts";
import { Simulation } from "../../src/core/simulation.ts";
import type { RecordedMerge } from "../../src/core/timeline.ts";
import { Timeline } from "../../src/core/timeline.ts";
import { merges as anyMerges, settings as anySettings } from "./arbitraries.ts";
import {
  CONTRACT,
  crossings,
  history,
  journal,
  merge,
  REWORKED,
  record,
  SMALL,
  series,
  times,
} from "./build.ts";

function recordedUnder(merges: readonly Merge[], metrics: readonly MetricSettings[]): RecordedMerge[] {
  const timeline = new Timeline();
  const all = journal(record(merges, metrics).rows).map((raw) => timeline.accept(raw));
  return [...all, timeline.end()].filter((one) => one !== null);
}

function simulate(
  recorded: readonly RecordedMerge[],
  metrics: readonly MetricSettings[],
  keep = 1000,
): Simulation {
  const simulation = new Simulation(metrics, { projects: ["p1"], last: keep });
  for (const one of recorded) simulation.accept(one);
  return simulation;
}

describe("a simulation", () => {
  it("agrees with the record wherever the settings are those that it was written under", () => {
    fc.assert(
      fc.property(anyMerges, anySettings, (all, metrics) => {
        const simulation = simulate(recordedUnder(all, metrics), metrics);
        for (const { name, gate } of metrics) {
          const agreement = simulation.outcome(name, null)?.agreement ?? { compared: 0, equal: 0 };
          expect(agreement).toStrictEqual({
            compared: gate === null ? 0 : all.length,
            equal: gate === null ? 0 : all.length,
          });
        }
      }),
      { numRuns: 60 },
    );
  });

  it("gives what these settings would have recorded: values, states and crossings", () => {
    fc.assert(
      fc.property(anyMerges, anySettings, anySettings, (all, written, metrics) => {
        const simulation = simulate(recordedUnder(all, written), metrics);
        const rows = record(all, metrics).rows;
        for (const { name } of metrics) {
          const due = series(rows, name);
          expect(
            simulation.series(name, null).points.map(({ seq, value, state }) => [seq, value, state]),
          ).toStrictEqual(due.map(({ seq, value, state }) => [seq, value, state]));
          const turns = crossings(rows).filter(({ metric, scope }) => metric === name && scope === "global");
          expect(simulation.crossings(name, null).map(({ seq, to }) => [seq, to])).toStrictEqual(
            turns.map(({ seq, to }) => [seq, to]),
          );
          const { up = 0, down = 0 } = simulation.outcome(name, null)?.crossings ?? {};
          expect(up + down).toBe(turns.length);
          expect(
            simulation.series(name, null).points.filter(({ crossing }) => crossing !== null),
          ).toHaveLength(turns.length);
        }
      }),
      { numRuns: 60 },
    );
  });

  it("reports merges and time in each state", () => {
    const all = history([...times(5, {}), ...times(5, REWORKED)]);
    const outcome = simulate(recordedUnder(all, SMALL), SMALL).outcome("first_pass_merge_rate", null);
    // A window of 3: unknown until the third merge, low from the second one that needed rework.
    expect(outcome).toMatchObject({
      state: "low",
      merges: { unknown: 2, high: 4, low: 4 },
      seconds: { unknown: 120, high: 240, low: 180 },
      crossings: { up: 1, down: 1 },
    });
  });

  it("counts each second once, whatever merges are late or have no date", () => {
    const all = [merge(1), merge(3), merge(2), merge(4, { mergedAt: null }), merge(5)];
    const outcome = simulate(recordedUnder(all, CONTRACT), CONTRACT).outcome("first_pass_merge_rate", null);
    // From the first merge, a minute each, to the fifth.
    expect(outcome?.seconds).toStrictEqual({ unknown: 240, high: 0, low: 0 });
  });

  it("adds up all projects, and keeps no more points than are wanted", () => {
    const all = history(Array.from({ length: 30 }, (_, index) => ({ project: `p${index % 3}` })));
    const simulation = simulate(recordedUnder(all, SMALL), SMALL, 4);
    expect(simulation.allProjects("rebase_conflict_rate")?.merges).toMatchObject({ unknown: 9, low: 21 });
    expect(simulation.series("rebase_conflict_rate", null).points.map(({ seq }) => seq)).toStrictEqual([
      27, 28, 29, 30,
    ]);
    expect(simulation.series("rebase_conflict_rate", "p1").points.map(({ seq }) => seq)).toStrictEqual([
      7, 8, 9, 10,
    ]);
    expect(simulation.series("rebase_conflict_rate", "p2").points).toStrictEqual([]);
    expect(simulation.allProjects("first_pass_merge_rate")).toBeNull();
  });
});

describe("a timeline", () => {
  it("gathers the rows of a merge, and leaves out what cannot be read", () => {
    const raws = journal(record(history(times(3, {})), SMALL).rows);
    const damaged = {
      id: "99",
      kind: "metric.p95_attempts_to_merge",
      payload: '{"schema_version":1,"key":"x","seq":1}',
    };
    const timeline = new Timeline();
    const all = [...raws.slice(0, 2), damaged, ...raws.slice(2)].map((raw) => timeline.accept(raw));
    const recorded = [...all, timeline.end()].filter((one) => one !== null);
    expect(recorded.map(({ rows }) => rows.length)).toStrictEqual(
      record(history(times(3, {})), SMALL).sets.map((set) => set.length),
    );
    expect(parseJournalRow(raws[0] as (typeof raws)[number]).type).toBe("metric");
    expect(timeline.end()).toBeNull();
  });
});
