import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { columnOf, columnsOf } from "../../src/chart/columns.ts";
import { points } from "../core/points.ts";

const values = fc.array(fc.option(fc.integer({ min: 0, max: 20 })), { maxLength: 200 });
const columns = fc.integer({ min: 1, max: 90 });
const outer = (numbers: readonly number[]) => [Math.min(...numbers), Math.max(...numbers)];

describe("columns of a plot", () => {
  it("give each point its own while there is room", () => {
    expect(columnsOf(points(0.5, null, 0.25), 10)).toStrictEqual([
      { first: 0.5, last: 0.5, low: 0.5, high: 0.5 },
      null,
      { first: 0.25, last: 0.25, low: 0.25, high: 0.25 },
    ]);
  });

  it("keep first, last, lowest and highest of what they hold", () => {
    expect(columnsOf(points(3, 1, 4, 2), 1)).toStrictEqual([{ first: 3, last: 2, low: 1, high: 4 }]);
  });

  it("lose no extreme, and are as many as asked for or as there are points", () => {
    fc.assert(
      fc.property(values, columns, (all, width) => {
        const spread = columnsOf(points(...all), width);
        expect(spread).toHaveLength(Math.min(width, all.length));
        const defined = all.filter((value) => value !== null);
        const present = spread.filter((column) => column !== null);
        expect(outer(present.flatMap(({ low, high }) => [low, high]))).toStrictEqual(outer(defined));
        expect(present.at(-1)?.last).toBe(defined.at(-1));
      }),
    );
  });

  it("ascend with the points, and none is beyond the last one", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 500 }), columns, (length, width) => {
        const places = Array.from({ length }, (_, index) => columnOf(index, length, width));
        expect(places).toStrictEqual(places.toSorted((a, b) => a - b));
        expect(places.at(-1)).toBe(Math.min(length, width) - 1);
      }),
    );
  });
});
