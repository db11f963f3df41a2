import { describe, expect, it } from "vitest";
import { paceOf } from "../../src/recorder/pace.ts";

const SETTINGS = { pollIntervalMs: 1_000, auditIntervalMs: 600_000 };

/** Rows of the pages of a reconciliation whose pages take this long. */
function sizes(count: number, tookMs: (rows: number) => number, idsIndexed = true): number[] {
  const pace = paceOf(SETTINGS, idsIndexed);
  return Array.from({ length: count }, () => {
    const { pageRows } = pace;
    pace.reconciled(0, tookMs(pageRows), false);
    return pageRows;
  });
}

describe("the pages of a reconciliation, between which new merges are recorded,", () => {
  it("grow as long as they take little time", () => {
    expect(sizes(7, (rows) => 0.002 * rows)).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 20_000, 20_000]);
  });

  it("shrink where they take long, but not down to single rows", () => {
    expect(sizes(4, (rows) => 3 * rows)).toEqual([1_000, 500, 250, 250]);
    expect(sizes(6, () => 5_000)).toEqual([1_000, 500, 250, 125, 100, 100]);
  });

  it("do not change where the answers of a distant server take long", () => {
    expect(sizes(3, (rows) => 400 + 0.002 * rows)).toEqual([1_000, 1_000, 1_000]);
  });

  it("are large from the start where each of them reads the whole table", () => {
    expect(sizes(3, () => 5_000, false)).toEqual([20_000, 20_000, 20_000]);
  });
});
