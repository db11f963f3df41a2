/** Contract 5: a project follows the global rate, then its own. Every expected number was worked out by hand. */
import { describe, expect, it } from "vitest";
import type { Facts } from "../../src/core/merge.ts";
import { CLEAN, CONFLICT, crossings, history, REBASE, record, series, times } from "./build.ts";

const b = (facts: Partial<Facts>): Partial<Facts> => ({ project: "borealis", ...facts });
const ofBorealis = (rows: ReturnType<typeof record>["rows"]) =>
  series(rows, "rebase_conflict_rate", "project", "borealis");

describe("a project", () => {
  const NARROW = [{ ...REBASE, window: 4, gate: { name: "scope_overlap", upper: 0.75, lower: 0.25 } }];
  it("without a defined rate anywhere has no effective rate", () => {
    const { rows } = record(history([CLEAN, CONFLICT, b(CLEAN)]), NARROW);
    expect(ofBorealis(rows)[0]?.effective).toEqual({ scope: null, value: null, state: "unknown" });
  });

  it("follows the global rate, this merge included, until its own window is full", () => {
    const { rows } = record(history([CONFLICT, CONFLICT, CONFLICT, b(CONFLICT), b(CLEAN)]), NARROW);
    expect(ofBorealis(rows).map((row) => [row.value, row.state, row.effective])).toEqual([
      [null, "unknown", { scope: "global", value: 1, state: "high" }],
      [null, "unknown", { scope: "global", value: 0.75, state: "high" }],
    ]);
  });

  it("follows its own rate from the merge that fills its window", () => {
    const { rows } = record(
      history([...times(4, CONFLICT), b(CLEAN), b(CLEAN), b(CLEAN), b(CLEAN), CONFLICT, b(CLEAN)]),
      NARROW,
    );
    expect(ofBorealis(rows).map((row) => row.effective)).toEqual([
      { scope: "global", value: 0.75, state: "high" },
      { scope: "global", value: 0.5, state: "high" },
      { scope: "global", value: 0.25, state: "high" },
      { scope: "project", value: 0, state: "low" },
      { scope: "project", value: 0, state: "low" },
    ]);
    // The project crosses for itself, from unknown: it never had a state of its own.
    expect(crossings(rows).filter((row) => row.project === "borealis")).toMatchObject([
      { from: "unknown", to: "low", seq: 4, effective: { scope: "project", value: 0, state: "low" } },
    ]);
  });

  const takeOver = [...times(4, CONFLICT), b(CONFLICT), b(CLEAN), b(CONFLICT), b(CLEAN)];

  it("that becomes defined inside the band takes over the global state of that moment without a crossing", () => {
    const { rows } = record(history(takeOver), NARROW);
    expect(ofBorealis(rows).map((row) => [row.value, row.state])).toEqual([
      [null, "unknown"],
      [null, "unknown"],
      [null, "unknown"],
      [0.5, "high"],
    ]);
    expect(crossings(rows).filter((row) => row.scope === "project" && row.project === "borealis")).toEqual(
      [],
    );
    expect(ofBorealis(rows).at(-1)?.effective).toEqual({ scope: "project", value: 0.5, state: "high" });
  });

  it("takes over the state that the same merge gives the global scope", () => {
    // The global rate falls to 0 with the merge that fills borealis' window: high before it, low after it.
    const outcomes = [
      b(CONFLICT),
      b(CONFLICT),
      b(CLEAN),
      ...times(4, CONFLICT),
      ...times(3, CLEAN),
      b(CLEAN),
    ];
    const { rows } = record(history(outcomes), NARROW);
    expect(series(rows, "rebase_conflict_rate").at(-1)).toMatchObject({ value: 0, state: "low" });
    expect(series(rows, "rebase_conflict_rate").at(-2)).toMatchObject({ value: 0.25, state: "high" });
    expect(ofBorealis(rows).at(-1)).toMatchObject({ value: 0.5, state: "low" });
  });

  it("keeps its own state after taking over, whatever the global gate does", () => {
    const { rows } = record(
      history([...takeOver, ...times(4, CLEAN), b(CONFLICT), ...times(4, CLEAN), b(CLEAN)]),
      NARROW,
    );
    expect(series(rows, "rebase_conflict_rate").at(-1)).toMatchObject({ state: "low" });
    expect(
      ofBorealis(rows)
        .slice(3)
        .map(({ value, state }) => [value, state]),
    ).toEqual([
      [0.5, "high"],
      [0.5, "high"],
      [0.5, "high"],
    ]);
  });

  it("crosses from the state that it took over, and the crossing has no previous one", () => {
    const { rows } = record(history([...takeOver, ...times(4, b(CLEAN))]), NARROW);
    expect(crossings(rows).filter((row) => row.project === "borealis")).toMatchObject([
      { from: "high", to: "low", seq: 7, previous: null },
    ]);
  });

  it("takes over once only: unknown inside the band stays unknown when the global gate moves later", () => {
    const inside = [b(CONFLICT), b(CLEAN), b(CONFLICT), b(CLEAN)];
    const { rows } = record(history([...inside, ...times(4, CONFLICT), b(CONFLICT)]), NARROW);
    expect(series(rows, "rebase_conflict_rate").at(-1)).toMatchObject({ state: "high" });
    expect(ofBorealis(rows).at(-1)).toMatchObject({ value: 0.5, state: "unknown" });
  });

  it("that becomes defined outside the band crosses for itself, even to the global state", () => {
    const { rows } = record(history([...times(4, CONFLICT), ...times(4, b(CONFLICT))]), NARROW);
    expect(crossings(rows).filter((row) => row.project === "borealis")).toMatchObject([
      { from: "unknown", to: "high", seq: 4 },
    ]);
  });
});
