import { describe, expect, it } from "vitest";
import { interleave, percentile, sampleOf, slope } from "../../bench/figures.ts";
import { type Finding, renderTable, verdictOf } from "../../bench/finding.ts";

describe("figures", () => {
  it("takes percentiles by nearest rank, whatever the order", () => {
    const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect([0, 0.5, 0.99, 1].map((p) => percentile(hundred, p))).toEqual([1, 50, 99, 100]);
    expect(sampleOf([3, 1, 2])).toEqual({ median: 2, min: 1, max: 3 });
  });

  it("makes no figure of nothing, nor of what is no number", () => {
    expect(() => percentile([], 0.5)).toThrow("not a single measurement");
    expect(() => percentile([1, Number.NaN, 2], 0.5)).toThrow("not a number");
  });

  it("finds the slope of a line, noise or not", () => {
    const line = [0, 1, 2, 3].map((x) => ({ x, y: 5 + 2 * x }));
    expect(slope(line)).toBeCloseTo(2);
    expect(slope([...line, { x: 1.5, y: 100 }])).toBeCloseTo(2);
    expect(slope([{ x: 1, y: 1 }])).toBe(0);
  });

  it("measures variants in turn, the order turned round every time", async () => {
    const order: string[] = [];
    const take = (name: string) => async (round: number) => {
      order.push(name);
      return round;
    };
    expect(await interleave(3, { a: take("a"), b: take("b") })).toEqual({ a: [0, 1, 2], b: [0, 1, 2] });
    expect(order.join("")).toBe("abbaab");
  });
});

describe("findings", () => {
  const finding: Finding = {
    id: "P3",
    what: "commit to recorded",
    unit: "ms",
    value: { median: 3, min: 2, max: 4 },
    floor: { what: "bare loop", sample: { median: 1, min: 1, max: 1 } },
    goal: { of: "ratio", is: "at most", bound: 2 },
  };

  it("judges a ratio by its goal, with slack where it is given", () => {
    expect(verdictOf(finding)).toBe("MISS");
    expect(verdictOf(finding, { slack: 2, values: false })).toBe("PASS");
    expect(verdictOf({ ...finding, goal: { of: "ratio", is: "at least", bound: 3 } })).toBe("PASS");
    expect(verdictOf({ ...finding, goal: { of: "ratio", is: "at least", bound: 3.1 } })).toBe("MISS");
  });

  it("judges a value only on a calm machine", () => {
    const absolute: Finding = { ...finding, goal: { of: "value", is: "at most", bound: 2.5 } };
    expect(verdictOf(absolute)).toBe("MISS");
    expect(verdictOf(absolute, { slack: 1, values: false })).toBe("");
    expect(verdictOf({ ...finding, goal: null })).toBe("");
    expect(() => verdictOf({ ...finding, floor: null })).toThrow("without a floor");
  });

  it("prints a table that a person can read", () => {
    expect(renderTable([finding])).toBe(
      [
        "what                  | value      | floor          | ratio | goal |",
        "----------------------|------------|----------------|-------|------|-----",
        "P3 commit to recorded | 3 ms (2–4) | 1 ms bare loop | 3×    | ≤ 2× | MISS",
      ].join("\n"),
    );
  });
});
