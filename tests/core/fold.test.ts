/** The fold against a naive recomputation, for any history and any configuration. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Analyzer, fold, slide } from "../../src/core/analyzer.ts";
import { merges, outcomes, settings } from "./arbitraries.ts";
import {
  CONTRACT,
  crossings,
  foldAll,
  history,
  isMetric,
  memory,
  PRODUCER,
  record,
  series,
  snapshotText,
} from "./build.ts";
import { naiveFigure, naiveSets } from "./naive.ts";

describe("for any history and any configuration", () => {
  it("the rows equal a naive recomputation from the facts, merge by merge", () => {
    fc.assert(
      fc.property(merges, settings, (all, metrics) => {
        expect(record(all, metrics).sets).toEqual(
          naiveSets(all, () => ({ settings: metrics, producer: PRODUCER })),
        );
      }),
      { numRuns: 100 },
    );
  });

  it("a window depends on its last W merges alone", () => {
    fc.assert(
      fc.property(outcomes, outcomes, outcomes, settings, (one, other, shared, metrics) => {
        const after = (start: typeof one) => record(history([...start, ...shared]), metrics).analyzer;
        const [left, right] = [after(one), after(other)];
        const names = [...new Set(shared.map(({ project }) => project))];
        const told = (analyzer: Analyzer) =>
          metrics.flatMap((metric, index) => [
            ...(shared.length < metric.window ? [] : [analyzer.global.reading(index)]),
            ...names
              .filter((name) => shared.filter(({ project }) => project === name).length >= metric.window)
              .map((name) => analyzer.project(name).reading(index)),
          ]);
        expect(told(left)).toEqual(told(right));
      }),
    );
  });

  it("no gate moves inside its band or while its metric is undefined", () => {
    fc.assert(
      fc.property(merges, settings, (all, metrics) => {
        const { rows } = record(all, metrics);
        for (const { value, upper, lower } of crossings(rows)) {
          expect(value).not.toBeNull();
          expect(Number(value) < upper && Number(value) >= lower).toBe(false);
        }
        for (const metric of metrics.filter(({ gate }) => gate !== null)) {
          const states = series(rows, metric.name).map(({ state }) => state);
          const turns = states.filter((state, index) => state !== (states[index - 1] ?? "unknown"));
          const crossed = crossings(rows).filter(
            (row) => row.scope === "global" && row.metric === metric.name,
          );
          expect(turns).toEqual(crossed.map(({ to }) => to));
        }
      }),
    );
  });

  it("crossings alternate, are justified by their value, and each names the one before it", () => {
    fc.assert(
      fc.property(merges, settings, (all, metrics) => {
        const seen = new Map<string, { to: string; previous: { event_id: string; since: string | null } }>();
        for (const row of crossings(record(all, metrics).rows)) {
          const line = `${row.metric}|${row.scope}|${row.project}`;
          const before = seen.get(line);
          expect(row.previous).toEqual(before?.previous ?? null);
          expect(row.from).toBe(before?.to ?? row.from);
          expect(row.to).not.toBe(row.from);
          expect(row.to).toBe(row.state);
          expect(row.direction).toBe(row.to === "high" ? "up" : "down");
          expect(row.to === "high" ? Number(row.value) >= row.upper : Number(row.value) < row.lower).toBe(
            true,
          );
          const previous = { event_id: row.merge.event_id, since: row.merge.merged_at };
          seen.set(line, { to: row.to, previous });
        }
      }),
    );
  });

  it("every merge has one whole set with keys of its own", () => {
    fc.assert(
      fc.property(merges, settings, (all, metrics) => {
        const { sets, rows } = record(all, metrics);
        expect(new Set(rows.map((row) => row.payload.key)).size).toBe(rows.length);
        sets.forEach((set, index) => {
          expect(set.filter(isMetric)).toHaveLength(metrics.flatMap((metric) => metric.record).length);
          for (const row of set) {
            expect(row.payload).toMatchObject({ set_size: set.length });
            expect(row.payload.merge.event_id).toBe(all[index]?.eventId);
            expect(row.workItemId).toBe(all[index]?.workItemId);
          }
        });
      }),
    );
  });

  it("what is not recorded is computed all the same, for every project", () => {
    fc.assert(
      fc.property(merges, settings, (all, metrics) => {
        const { analyzer } = record(all, metrics);
        metrics.forEach((metric, index) => {
          for (const [name, scope] of [[null, analyzer.global] as const, ...analyzer.projects]) {
            const mine = name === null ? all : all.filter(({ project }) => project === name);
            const naive = naiveFigure(metric.name, metric.window, metric.verdicts ?? [], mine);
            const { n, numerator, ...rest } = scope.reading(index);
            expect({ n, numerator, value: rest.defined ? rest.value : null }).toEqual(naive);
          }
        });
      }),
    );
  });

  it("a window kept longer than any metric asks for changes no row", () => {
    fc.assert(
      fc.property(merges, settings, fc.integer({ min: 1, max: 60 }), (all, metrics, capacity) => {
        const wide = new Analyzer(metrics, capacity);
        expect(foldAll(wide, all)).toEqual(record(all, metrics).sets);
      }),
    );
  });
});

describe("a draft", () => {
  it("folded and adopted, batch by batch, equals folding directly", () => {
    fc.assert(
      fc.property(fc.array(merges, { maxLength: 5 }), settings, (batches, metrics) => {
        const all = history(batches.flat());
        const direct = record(all, metrics);
        const analyzer = new Analyzer(metrics);
        let done = 0;
        const rows = batches.flatMap((batch) => {
          const draft = analyzer.draft();
          const some = all.slice(done, done + batch.length);
          done += batch.length;
          const written = some.flatMap((one) => fold(draft, one, PRODUCER));
          draft.adopt(2);
          return written;
        });
        expect(rows).toEqual(direct.rows);
        direct.analyzer.skipped = 2 * batches.length;
        expect(memory(analyzer)).toEqual(memory(direct.analyzer));
        expect(snapshotText(analyzer)).toBe(snapshotText(direct.analyzer));
      }),
    );
  });

  it("that is dropped changes nothing", () => {
    fc.assert(
      fc.property(merges, merges, merges, settings, (before, dropped, after, metrics) => {
        const { analyzer } = record(before, metrics);
        const untouched = record(before, metrics).analyzer;
        const draft = analyzer.draft();
        for (const one of dropped) fold(draft, one, PRODUCER);
        expect(memory(analyzer)).toEqual(memory(untouched));
        expect(snapshotText(analyzer)).toBe(snapshotText(untouched));
        expect(foldAll(analyzer, after)).toEqual(foldAll(untouched, after));
      }),
    );
  });

  it("sees its own merges: a project's effective rate follows the global rate of the draft", () => {
    const analyzer = new Analyzer([{ ...CONTRACT[1], window: 2 } as (typeof CONTRACT)[number]]);
    const draft = analyzer.draft();
    const [, rows] = history([
      { project: "a", lastVerdict: "rebase_conflict" },
      { project: "b", lastVerdict: "rebase_conflict" },
    ]).map((one) => fold(draft, one, PRODUCER));
    expect(rows?.at(-1)?.payload).toMatchObject({ effective: { scope: "global", value: 1, state: "high" } });
    expect(analyzer.global.seq).toBe(0);
  });
});

it("sliding without asking the gates moves the windows and no gate", () => {
  fc.assert(
    fc.property(merges, settings, (all, metrics) => {
      const slid = new Analyzer(metrics);
      for (const one of all) slide(slid, one);
      const { analyzer } = record(all, metrics);
      metrics.forEach(({ name }, index) => {
        expect(slid.global.reading(index)).toEqual(analyzer.global.reading(index));
        expect(slid.global.gate(name)).toEqual({ state: "unknown", defined: false, crossed: null });
      });
    }),
  );
});
