/** The ring, the running figures and the percentile against the simplest models of them. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { VERDICT_NUMBERS } from "../../src/core/verdict-numbers.ts";
import {
  attemptsIn,
  type Entry,
  MergeRing,
  NO_ENTRY,
  nearestRank,
  packEntry,
  RunningCount,
  RunningHistogram,
  verdictIn,
} from "../../src/core/window.ts";

/** The verdicts with the larger numbers. */
const HALF = new Uint8Array(VERDICT_NUMBERS).fill(1, VERDICT_NUMBERS / 2);
const attempts = fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 2 ** 31 - 1 }));
const verdicts = fc.integer({ min: 0, max: VERDICT_NUMBERS - 1 });
const entry: fc.Arbitrary<Entry> = fc.tuple(attempts, verdicts).map((parts) => packEntry(...parts));
const entries = fc.array(entry, { maxLength: 70, size: "max" });
const size = fc.integer({ min: 1, max: 40 });

function agesOf(ring: MergeRing): Entry[] {
  return Array.from({ length: ring.length }, (_, age) => ring.at(age));
}

describe("an entry", () => {
  it("gives back the attempts and the verdict it was made of, and is never none", () => {
    fc.assert(
      fc.property(attempts, verdicts, (someAttempts, verdict) => {
        const packed = packEntry(someAttempts, verdict);
        expect([attemptsIn(packed), verdictIn(packed)]).toEqual([someAttempts, verdict]);
        expect(packed).not.toBe(NO_ENTRY);
      }),
    );
  });
});

describe("MergeRing", () => {
  it("holds the newest entries, as an array does that is cut to its capacity", () => {
    fc.assert(
      fc.property(size, entries, (capacity, pushed) => {
        const ring = new MergeRing(capacity);
        const model: Entry[] = [];
        for (const one of pushed) {
          ring.push(one);
          model.unshift(one);
          model.length = Math.min(model.length, capacity);
          expect(ring.length).toBe(model.length);
          expect(agesOf(ring)).toEqual(model);
        }
      }),
    );
  });

  it.each([1, 7, 8, 9, 15, 16, 17, 32, 33])(
    "of capacity %i keeps order while it grows and wraps",
    (capacity) => {
      const ring = new MergeRing(capacity);
      for (let pushed = 1; pushed <= 100; pushed += 1) {
        ring.push(packEntry(pushed, pushed % VERDICT_NUMBERS));
        const kept = Math.min(pushed, capacity);
        expect(agesOf(ring).map(attemptsIn)).toEqual(Array.from({ length: kept }, (_, age) => pushed - age));
      }
    },
  );

  it("and its clone are independent", () => {
    fc.assert(
      fc.property(size, entries, entries, entries, (capacity, before, mine, theirs) => {
        const ring = new MergeRing(capacity);
        for (const one of before) ring.push(one);
        const copy = ring.clone();
        for (const one of theirs) copy.push(one);
        for (const one of mine) ring.push(one);
        const newest = (all: Entry[]) => all.toReversed().slice(0, capacity);
        expect(agesOf(ring)).toEqual(newest([...before, ...mine]));
        expect(agesOf(copy)).toEqual(newest([...before, ...theirs]));
      }),
    );
  });
});

describe("RunningHistogram", () => {
  it("reads the same percentile as sorting the window does", () => {
    const percent = fc.integer({ min: 1, max: 100 });
    fc.assert(
      fc.property(size, percent, entries, fc.integer({ min: 0, max: 70 }), (window, p, pushed, cloneAt) => {
        let histogram = new RunningHistogram(window, p / 100);
        pushed.forEach((one, index) => {
          if (index === cloneAt) histogram = histogram.clone();
          histogram.slide(one, pushed[index - window] ?? NO_ENTRY);
          const last = pushed.slice(0, index + 1).slice(-window);
          const sorted = last.map(attemptsIn).toSorted((a, b) => a - b);
          const reading = histogram.reading(last.length);
          const n = last.length;
          const value = sorted.find((_, rank) => (rank + 1) * 100 >= p * window);
          expect(reading).toEqual(
            n < window
              ? { defined: false, numerator: null, n, window, needed: window - n }
              : { defined: true, value, numerator: null, n, window },
          );
        });
      }),
    );
  });
});

describe.each([
  ["of first passes", null, (one: Entry) => attemptsIn(one) === 1],
  ["of verdicts", HALF, (one: Entry) => verdictIn(one) >= VERDICT_NUMBERS / 2],
] as const)("RunningCount %s", (_, set, matches) => {
  it("counts the matches of the window, and its clone counts for itself", () => {
    fc.assert(
      fc.property(size, entries, (window, pushed) => {
        const counted = (all: readonly Entry[]) => {
          const last = all.slice(-window);
          return { n: last.length, numerator: last.filter(matches).length };
        };
        const count = new RunningCount(window, set);
        pushed.forEach((one, index) => {
          const copy = count.clone();
          const before = counted(pushed.slice(0, index));
          count.slide(one, pushed[index - window] ?? NO_ENTRY);
          expect(copy.reading(before.n)).toMatchObject(before);
        });
        const all = counted(pushed);
        const value = all.n < window ? {} : { value: all.numerator / window };
        expect(count.reading(all.n)).toMatchObject({ ...all, defined: all.n === window, ...value });
      }),
    );
  });
});

describe("the nearest rank", () => {
  it("is exact for every whole percentage and every n up to 2000", () => {
    const wrong: string[] = [];
    for (let percent = 1; percent <= 100; percent += 1) {
      for (let n = 1; n <= 2000; n += 1) {
        const exact = Number((BigInt(percent) * BigInt(n) + 99n) / 100n);
        if (nearestRank(percent / 100, n) !== exact) wrong.push(`p${percent} of ${n} is not rank ${exact}`);
      }
    }
    expect(wrong).toEqual([]);
  });
});
