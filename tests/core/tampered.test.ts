/**
 * G5: a log that contradicts itself is refused. Whatever is changed in one row after the first set shows, except for
 * what stands in `untraceable.test.ts`.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseJournalRow, type RawJournalRow } from "../../src/core/journal-row.ts";
import { Walk } from "../../src/core/walk.ts";
import {
  CLEAN,
  CONFLICT,
  foldAll,
  history,
  isCrossing,
  journal,
  REBASE,
  record,
  replay,
  SMALL,
  times,
} from "./build.ts";
import {
  ANY_STATE,
  anything,
  crosses,
  edit,
  FACTS,
  logAndRow,
  neighbours,
  type Payload,
  parsed,
  projectRowBeside,
  refused,
  shrunk,
  takesOver,
} from "./tamper.ts";

describe("one changed row shows", () => {
  it.each(["seq", "n", "value", "numerator", "set_size", "scope", "project", "metric"])(
    "in its %s",
    (field) => {
      fc.assert(
        fc.property(
          logAndRow,
          fc.oneof(anything, fc.constantFrom("global", "project", "atlas")),
          (log, value) => {
            fc.pre(
              JSON.stringify(parsed(log.raws[log.index] as RawJournalRow)[field]) !== JSON.stringify(value),
            );
            expect(refused(edit(log.raws, log.index, (row) => (row[field] = value)))).toBe(true);
          },
        ),
        { numRuns: 120 },
      );
    },
  );

  it("in its window, unless it is undefined under both: it says by itself which window it was written under", () => {
    fc.assert(
      fc.property(logAndRow, anything, (log, value) => {
        const { n, window } = parsed(log.raws[log.index] as RawJournalRow);
        fc.pre(window !== value);
        const undetectable =
          Number(n) < Number(window) && Number.isSafeInteger(value) && Number(value) > Number(n);
        expect(refused(edit(log.raws, log.index, (row) => (row["window"] = value)))).toBe(!undetectable);
      }),
      { numRuns: 120 },
    );
  });

  it("in its state, unless no later row shows it", () => {
    fc.assert(
      fc.property(logAndRow, ANY_STATE, (log, value) => {
        const { state: old } = parsed(log.raws[log.index] as RawJournalRow);
        fc.pre(old !== value);
        const { after } = neighbours(log.rows, log.index);
        const beside = parsed(
          log.raws[projectRowBeside(log.rows, log.index)] ?? (log.raws[0] as RawJournalRow),
        );
        const { scope: used } = (beside["effective"] ?? { scope: null }) as Payload;
        const undetectable =
          !crosses(log.rows, log.index) &&
          // The effective reading of a project repeats the state that it uses, its own or the global one.
          parsed(log.raws[log.index] as RawJournalRow)["scope"] === "global" &&
          (used !== "global" || (old ?? "unknown") === (value ?? "unknown")) &&
          // "No gate" and "a gate that was never met" leave the same memory.
          (((old === null || old === "unknown") && (value === null || value === "unknown")) ||
            // The last row of its scope: the gate may have been removed, or nothing taken over. Unless a project took the
            // global state over in this very set.
            (after === undefined &&
              !takesOver(log.rows, projectRowBeside(log.rows, log.index)) &&
              (value === null || (takesOver(log.rows, log.index) && value === "unknown"))));
        expect(refused(edit(log.raws, log.index, (payload) => (payload["state"] = value)))).toBe(
          !undetectable,
        );
      }),
      { numRuns: 200 },
    );
  });

  it.each(FACTS)("in its fact %s", (fact) => {
    fc.assert(
      fc.property(
        logAndRow,
        fc.oneof(anything, fc.constantFrom("7", "1007", "borealis", "approve")),
        (log, value) => {
          const before = parsed(log.raws[log.index] as RawJournalRow)["merge"] as Payload;
          fc.pre(JSON.stringify(before[fact]) !== JSON.stringify(value));
          const edited = edit(log.raws, log.index, (row) => ((row["merge"] as Payload)[fact] = value));
          expect(refused(edited)).toBe(true);
        },
      ),
      { numRuns: 120 },
    );
  });

  it("in its key, when that is another row's of the set", () => {
    const raws = journal(record(history(times(3, CLEAN)), SMALL).rows);
    const { key } = parsed(raws[4] as RawJournalRow);
    expect(refused(edit(raws, 5, (row) => (row["key"] = key)))).toBe(true);
  });

  it("in its state, when its metric was only now added to a log that is whole", () => {
    const before = record(history(times(5, CLEAN)), SMALL.slice(0, 1)).rows;
    const { analyzer } = replay(journal(before), SMALL);
    const raws = journal([...before, ...foldAll(analyzer, history([CLEAN], 6)).flat()]);
    const added = raws.findIndex((raw) => raw.kind === "metric.rebase_conflict_rate");
    const unhedged = raws.toSpliced(added + 1, 1);
    expect(refused(raws)).toBe(false);
    expect(refused(edit(raws, added, (row) => (row["state"] = "high")))).toBe(true);
    expect(refused(shrunk(unhedged, added))).toBe(true);
  });

  it("when a crossing comes from or goes to another state", () => {
    fc.assert(
      fc.property(logAndRow, fc.constantFrom("from", "to"), ANY_STATE, (log, field, value) => {
        const index = log.rows.findIndex((row, at) => at >= (log.sets[0]?.length ?? 0) && isCrossing(row));
        fc.pre(index !== -1 && parsed(log.raws[index] as RawJournalRow)[field] !== value);
        expect(refused(edit(log.raws, index, (row) => (row[field] = value)))).toBe(true);
      }),
    );
  });

  it("when a crossing's bound does not justify it", () => {
    const { rows } = record(history(times(8, CLEAN)), SMALL);
    const raws = journal(rows);
    const up = rows.findIndex((row) => isCrossing(row) && row.payload.direction === "up");
    const down = rows.findIndex((row) => isCrossing(row) && row.payload.direction === "down");
    expect(refused(edit(raws, up, (row) => (row["upper"] = 1.01)))).toBe(true);
    expect(refused(edit(raws, down, (row) => (row["lower"] = 0)))).toBe(true);
  });

  it("when it is gone", () => {
    fc.assert(
      fc.property(logAndRow, (log) => {
        expect(refused(log.raws.toSpliced(log.index, 1))).toBe(true);
      }),
      { numRuns: 120 },
    );
  });

  it("when it is there twice, wherever its copy is", () => {
    fc.assert(
      fc.property(logAndRow, fc.nat(), (log, at) => {
        const copy = log.raws[log.index] as RawJournalRow;
        expect(refused(log.raws.toSpliced(1 + (at % log.raws.length), 0, copy))).toBe(true);
      }),
      { numRuns: 120 },
    );
  });

  it("when two neighbouring rows of one set trade places with a crossing between them", () => {
    const { rows } = record(history(times(8, CLEAN)), SMALL);
    const raws = journal(rows);
    const crossing = rows.findIndex(isCrossing);
    const pair = raws.slice(crossing - 1, crossing + 1);
    expect(refused(raws.toSpliced(crossing - 1, 2, ...pair.toReversed()))).toBe(true);
  });

  it("in the first set too, when it is a row too many", () => {
    const raws = journal(record(history(times(3, CLEAN)), SMALL).rows);
    for (let index = 0; index < 4; index += 1) {
      expect(refused(raws.toSpliced(index, 0, raws[index] as RawJournalRow))).toBe(true);
    }
  });
});

describe("whole sets show", () => {
  const { sets } = record(history(times(6, CONFLICT)), SMALL);

  it("when one is gone from the middle", () => {
    for (let gone = 1; gone < 5; gone += 1)
      expect(refused(journal(sets.toSpliced(gone, 1).flat()))).toBe(true);
  });

  it("when one is there twice", () => {
    for (let twice = 0; twice < 6; twice += 1) {
      const copy = sets[twice] ?? [];
      for (let at = 1; at <= 6; at += 1)
        expect(refused(journal(sets.toSpliced(at, 0, copy).flat()))).toBe(true);
    }
  });

  it("when two trade places", () => {
    const [a, b, c = [], d = [], ...rest] = sets;
    expect(refused(journal([a ?? [], b ?? [], d, c, ...rest].flat()))).toBe(true);
  });
});

describe("a state taken over", () => {
  const metrics = [{ ...REBASE, window: 4, gate: { name: "scope_overlap", upper: 0.75, lower: 0.25 } }];
  const b = { project: "borealis" };
  const bConflict = { ...b, ...CONFLICT };
  const { rows } = record(
    history([...times(4, CONFLICT), bConflict, b, bConflict, b, bConflict, b, bConflict]),
    metrics,
  );
  const raws = journal(rows);
  const own = rows.flatMap(({ payload }, index) =>
    "seq" in payload && payload.project === "borealis" ? [index] : [],
  );

  it("shows when it is not taken over at the moment when the metric becomes defined", () => {
    const late = edit(raws, own[3] ?? -1, (row) => (row["state"] = "unknown"));
    expect(refused(late, metrics)).toBe(true);
  });

  it("shows when it is another than the global one, even where the log ends with it", () => {
    const last = own[3] ?? -1;
    expect(
      refused(
        edit(raws, last, (row) => (row["state"] = "low")),
        metrics,
      ),
    ).toBe(true);
    expect(
      refused(
        edit(raws.slice(0, last + 1), last, (row) => (row["state"] = "low")),
        metrics,
      ),
    ).toBe(true);
    expect(refused(raws.slice(0, last + 1), metrics)).toBe(false);
  });
});

it("the error names the row, a stable reason and what to do", () => {
  const raws = journal(record(history(times(6, CLEAN)), SMALL).rows).toSpliced(9, 1);
  const log = new Walk(replay([], SMALL).analyzer);
  const read = () => {
    for (const raw of raws) log.accept(parseJournalRow(raw));
    log.end();
  };
  expect(read).toThrow(
    expect.objectContaining({
      name: "UnfitLog",
      reason: "contradiction",
      rowId: expect.stringMatching(/^[0-9]+$/),
      message: expect.stringContaining("metrics verify"),
    }),
  );
});
