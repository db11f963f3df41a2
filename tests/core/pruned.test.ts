/** Contract 7.5: a log that lost rows at its old end is read as far as it reaches, and says so. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { outcomes, settings } from "./arbitraries.ts";
import {
  CLEAN,
  CONFLICT,
  crossings,
  foldAll,
  history,
  journal,
  memory,
  merge,
  record,
  replay,
  SMALL,
  snapshotText,
  times,
} from "./build.ts";
import { Life } from "./life.ts";

describe("a log pruned at any row", () => {
  it("is read without error and gives exactly what the surviving facts give", () => {
    fc.assert(
      fc.property(outcomes, settings, fc.nat(400), (all, metrics, rows) => {
        const life = new Life(metrics);
        life.merge(all);
        life.prune(rows % (life.written.length + 1));
        expect(life.known()).toEqual(life.proven());
      }),
      { numRuns: 100 },
    );
  });

  it("is truncated unless nothing is missing or nothing is left", () => {
    const { rows } = record(history(times(6, CONFLICT)), SMALL);
    const truncated = rows.map((_, cut) => replay(journal(rows.slice(cut)), SMALL).analyzer.truncated);
    expect(truncated).toEqual([false, ...times(rows.length - 1, true)]);
    expect(replay([], SMALL).analyzer.truncated).toBe(false);
  });

  it("is continued consistently: restarted, pruned and restarted again, in any order", () => {
    const step = fc.record({
      merges: outcomes,
      prune: fc.oneof(fc.constant(0), fc.nat(60), fc.constant(1e6)),
      restart: fc.boolean(),
    });
    fc.assert(
      fc.property(settings, fc.array(step, { maxLength: 5 }), (metrics, steps) => {
        const life = new Life(metrics);
        for (const { merges, prune, restart } of steps) {
          life.merge(merges);
          life.prune(prune);
          if (restart) life.restart();
          const again = replay(life.raws, metrics).analyzer;
          expect(memory(restart ? life.analyzer : again)).toEqual(memory(again));
        }
      }),
      { numRuns: 100 },
    );
  });

  it("gives the same memory at every restart after it was pruned once", () => {
    fc.assert(
      fc.property(outcomes, outcomes, settings, fc.nat(400), (all, later, metrics, rows) => {
        const life = new Life(metrics);
        life.merge(all);
        life.prune(rows % (life.written.length + 1));
        life.restart();
        life.merge(later);
        const again = replay(life.raws, metrics).analyzer;
        expect(memory(again)).toEqual(memory(life.analyzer));
        expect(snapshotText(again)).toBe(snapshotText(life.analyzer));
        const next = history([CLEAN, CONFLICT], 9000);
        expect(foldAll(again, next)).toEqual(foldAll(life.analyzer, next));
      }),
      { numRuns: 100 },
    );
  });
});

describe("a truncated history", () => {
  const WIDE = history(times(12, CONFLICT));

  it("continues seq where the log ended, globally and for each project", () => {
    const { sets } = record(WIDE, SMALL);
    const { analyzer } = replay(journal(sets.slice(9).flat()), SMALL);
    expect(analyzer.global.seq).toBe(12);
    expect(analyzer.project("atlas").seq).toBe(12);
  });

  it("is undefined until its windows are full again, and shown as truncated until then", () => {
    const { sets } = record(WIDE, SMALL);
    const { analyzer } = replay(journal(sets.slice(10).flat()), SMALL);
    expect(analyzer.global.reading(0)).toEqual({ defined: false, numerator: 2, n: 2, window: 3, needed: 1 });
    expect(analyzer.historyTruncated).toBe(true);
    foldAll(analyzer, history([CLEAN, CLEAN], 13));
    expect(analyzer.historyTruncated).toBe(true);
    foldAll(analyzer, history([CLEAN], 15));
    expect(analyzer.historyTruncated).toBe(false);
  });

  it("keeps the gates where the surviving rows left them, and crosses from there without a known previous", () => {
    const { sets } = record(WIDE, SMALL);
    const { analyzer } = replay(journal(sets.slice(10).flat()), SMALL);
    expect(analyzer.global.gate("first_pass_merge_rate")).toMatchObject({ state: "high", crossed: null });
    const rows = foldAll(analyzer, history(times(3, { attempts: 5 }), 13)).flat();
    expect(crossings(rows).filter((row) => row.metric === "first_pass_merge_rate")).toMatchObject([
      { from: "high", to: "low", seq: 14, n: 3, value: 1 / 3, previous: null },
    ]);
  });

  it("passes a cut set over, and takes its merge as the smallest recorded one", () => {
    const { sets } = record(WIDE, SMALL);
    const cut = replay(journal(sets.slice(8).flat().slice(3)), SMALL);
    expect(cut.smallestEvent).toBe(BigInt(merge(9).eventId));
    expect(cut.analyzer.global.ring.length).toBe(3);
    expect(cut.analyzer.global.seq).toBe(12);
  });

  it("remains truncated when nothing survived but the project's row of a cut set", () => {
    const { sets } = record(WIDE, SMALL);
    const remnant = sets.flat().slice(-1);
    const { analyzer } = replay(journal(remnant), SMALL);
    expect(analyzer.truncated).toBe(true);
    const more = foldAll(analyzer, history([CLEAN, CLEAN], 13)).flat();
    const again = replay(journal([...remnant, ...more]), SMALL).analyzer;
    expect(memory(again)).toEqual(memory(analyzer));
  });

  it("does not excuse an n below the merges that survive", () => {
    const { sets } = record(history(times(4, CLEAN)), [
      { ...(SMALL[2] as (typeof SMALL)[number]), window: 20 },
    ]);
    const raws = journal(sets.slice(1).flat());
    const edited = raws.map((raw) => ({ ...raw, payload: raw.payload?.replace('"n":4', '"n":2') ?? null }));
    expect(() => replay(edited, SMALL)).toThrow(/n=2\/20; expected value undefined, n=3\/20/);
  });
});
