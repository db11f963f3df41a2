import { describe, expect, it } from "vitest";
import { BatchSize } from "../../src/recorder/batch-size.ts";

/** Sizes of the batches of a backlog whose transactions take this long for so many merges. */
function sizes(count: number, took: (merges: number) => Parameters<BatchSize["took"]>[1]): number[] {
  const size = new BatchSize();
  return Array.from({ length: count }, () => {
    const { merges } = size;
    size.took(merges, took(merges));
    return merges;
  });
}

describe("the size of a batch", () => {
  it("grows as long as the rows take little time, up to 1000 merges", () => {
    expect(sizes(5, (merges) => ({ fenced: 1, appended: merges * 0.1, committed: 1 }))).toEqual([
      25, 100, 400, 800, 1000,
    ]);
    expect(sizes(5, () => ({ fenced: 1, appended: 5, committed: 1 }))).toEqual([25, 100, 400, 1000, 1000]);
  });

  it("shrinks down to one merge where rows take long", () => {
    expect(sizes(7, () => ({ fenced: 1, appended: 300, committed: 1 }))).toEqual([25, 12, 6, 3, 1, 1, 1]);
  });

  it("does not shrink where it is the answers that take long", () => {
    expect(sizes(4, (merges) => ({ fenced: 200, appended: 200 + merges * 0.1, committed: 200 }))).toEqual([
      25, 100, 400, 800,
    ]);
  });

  it("is not misled by a lock that was waited for, or by a slow disk", () => {
    expect(sizes(3, () => ({ fenced: 4_000, appended: 300, committed: 1 }))).toEqual([25, 12, 6]);
    expect(sizes(3, () => ({ fenced: 1, appended: 300, committed: 900 }))).toEqual([25, 12, 6]);
  });

  it("is earned by a backlog: what comes after it begins small again, and a slow server stays slow", () => {
    const size = new BatchSize();
    size.took(25, { fenced: 1, appended: 5, committed: 1 });
    size.beginAnew();
    expect(size.merges).toBe(25);
    size.took(25, { fenced: 1, appended: 300, committed: 1 });
    size.beginAnew();
    expect(size.merges).toBe(12);
  });

  it("grows by what a batch has shown, however large it was allowed to be", () => {
    const size = new BatchSize();
    size.took(25, { fenced: 1, appended: 5, committed: 1 });
    size.took(1, { fenced: 1, appended: 5, committed: 1 });
    expect(size.merges).toBe(100);
    size.took(75, { fenced: 1, appended: 5, committed: 1 });
    expect(size.merges).toBe(300);
  });
});
