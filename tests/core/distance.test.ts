import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Reach, reach } from "../../src/core/distance.ts";

const gates = fc
  .tuple(fc.integer({ min: 0, max: 10 }), fc.integer({ min: 0, max: 10 }))
  .map(([a, b]) => ({ upper: Math.max(a, b) / 10, lower: Math.min(a, b) / 10 }));

const windows = fc
  .integer({ min: 1, max: 7 })
  .chain((window) => fc.tuple(fc.constant(window), fc.array(fc.boolean(), { maxLength: window })));

/** Every sequence of further merges, shortest first, until one reaches the bound; of these the fewest of its kind. */
function byTrying(
  counted: readonly boolean[],
  window: number,
  bound: "upper" | "lower",
  gate: { readonly upper: number; readonly lower: number },
): Reach | null {
  for (let merges = 1; merges <= window + 1; merges += 1) {
    let fewest: number | null = null;
    for (let pattern = 0; pattern < 2 ** merges; pattern += 1) {
      const further = Array.from({ length: merges }, (_, index) => (pattern & (1 << index)) !== 0);
      const then = [...counted, ...further].slice(-window);
      if (then.length < window) continue;
      const value = then.filter(Boolean).length / window;
      if (bound === "upper" ? value < gate.upper : value >= gate.lower) continue;
      const ofKind = further.filter((one) => one === (bound === "upper")).length;
      if (fewest === null || ofKind < fewest) fewest = ofKind;
    }
    if (fewest !== null) return { merges, of_kind: fewest };
  }
  return null;
}

const fifty = (matching: number) => Array.from({ length: 50 }, (_, index) => index < matching);

describe("the way to a bound", () => {
  it("is what trying every sequence of further merges gives", () => {
    fc.assert(
      fc.property(
        windows,
        gates,
        fc.constantFrom("upper" as const, "lower" as const),
        ([window, counted], gate, bound) => {
          expect(reach(counted, window, bound, gate)).toStrictEqual(byTrying(counted, window, bound, gate));
        },
      ),
      { numRuns: 1500 },
    );
  });

  const TRUST = { upper: 0.85, lower: 0.7 };

  it("is exact at the bound: 35 of 50 is not below 70 %", () => {
    // The oldest merges count: each one that leaves without another that counts takes one away.
    expect(reach(fifty(36), 50, "lower", TRUST)).toStrictEqual({ merges: 2, of_kind: 2 });
    expect(reach(fifty(35), 50, "lower", TRUST)).toStrictEqual({ merges: 1, of_kind: 1 });
  });

  it("waits until the window is full", () => {
    const ten = Array.from({ length: 10 }, () => true);
    expect(reach(ten, 50, "upper", TRUST)).toStrictEqual({ merges: 40, of_kind: 33 });
    expect(reach([], 50, "lower", TRUST)).toStrictEqual({ merges: 50, of_kind: 16 });
  });

  it("does not exist below 0", () => {
    expect(reach(fifty(10), 50, "lower", { upper: 0.5, lower: 0 })).toBeNull();
  });
});
