import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type PlotOptions, plot, rowOf } from "../../src/chart/plot.ts";
import { points } from "../core/points.ts";

const ASCII: PlotOptions = { width: 10, height: 5, ascii: true, domain: [0, 1], bounds: [] };
const textOf = (values: (number | null)[], options: PlotOptions) =>
  plot(points(...values), options).map(({ text }) => text);

describe("a plot", () => {
  it("draws values in ASCII, each merge in one column or several", () => {
    expect(textOf([0, 0.25, 0.5, 0.75, 1], { ...ASCII, width: 5 })).toStrictEqual([
      "    *",
      "   **",
      "  ** ",
      " **  ",
      "**   ",
    ]);
    expect(textOf([0, 1], { ...ASCII, width: 4, height: 2 })).toStrictEqual(["  **", "*** "]);
  });

  it("draws them in braille, four levels to a row", () => {
    expect(textOf([0, 1 / 3, 2 / 3, 1], { ...ASCII, ascii: false, width: 2, height: 1 })).toStrictEqual([
      "⣠⠞",
    ]);
  });

  it("leaves gaps where nothing is defined", () => {
    expect(textOf([0, null, 0], { ...ASCII, width: 3, height: 1 })).toStrictEqual(["* *"]);
    expect(textOf([], { ...ASCII, width: 3, height: 1 })).toStrictEqual(["   "]);
  });

  it("draws bounds behind the values", () => {
    const [row] = plot(points(null, 0.5), { ...ASCII, width: 4, height: 1, bounds: [0.5] });
    expect(row).toMatchObject({ text: "--**", kinds: ["bound", "bound", "data", "data"] });
  });

  it("never shows a value on the wrong side of a bound, if there are enough rows", () => {
    const ratio = fc.integer({ min: 0, max: 1000 }).map((thousandth) => thousandth / 1000);
    fc.assert(
      fc.property(
        ratio,
        ratio,
        fc.boolean(),
        fc.integer({ min: 3, max: 20 }),
        (value, bound, ascii, height) => {
          const options = { ...ASCII, ascii, height, bounds: [bound] };
          const distance = rowOf(value, options) - rowOf(bound, options);
          expect(Math.sign(distance) * Math.sign(value - bound)).toBeLessThanOrEqual(0);
          // In ASCII a row is a level: what is not at the bound is not drawn on it, unless it lies at the edge.
          const edge = [0, height - 1].includes(rowOf(bound, options));
          expect(ascii && !edge && distance === 0 && value !== bound).toBe(false);
        },
      ),
    );
  });

  it("always has the size that is asked for", () => {
    const values = fc.array(fc.option(fc.double({ min: 0, max: 1, noNaN: true })), { maxLength: 300 });
    const size = fc.integer({ min: 1, max: 40 });
    fc.assert(
      fc.property(values, size, size, fc.boolean(), (all, width, height, ascii) => {
        const rows = plot(points(...all), { ...ASCII, width, height, ascii, bounds: [0.5] });
        expect(rows).toHaveLength(height);
        for (const { text, kinds } of rows) {
          expect(Array.from(text)).toHaveLength(width);
          expect(kinds).toHaveLength(width);
        }
      }),
      { numRuns: 50 },
    );
  });
});
