/** G4: folding the journal gives back the memory that wrote it, at every point and in every later step. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Analyzer } from "../../src/core/analyzer.ts";
import { parseJournalRow, type RawJournalRow, UnfitLog } from "../../src/core/journal-row.ts";
import { type EventRow, skippedRow } from "../../src/core/metric-event.ts";
import { Walk } from "../../src/core/walk.ts";
import { merges, settings } from "./arbitraries.ts";
import {
  CLEAN,
  CONFLICT,
  foldAll,
  history,
  journal,
  memory,
  merge,
  PRODUCER,
  record,
  replay,
  SMALL,
  snapshotText,
  times,
} from "./build.ts";

/** Rows that say nothing to the fold, wherever they stand. */
const FOREIGN: EventRow = { kind: "metric.of_somebody_else", workItemId: null, payload: {} as never };

const skip = (eventId: string) =>
  skippedRow({ eventId, workItemId: null, reason: "work_item_missing" }, PRODUCER);

describe("the journal replayed", () => {
  it("gives the memory, the snapshot and the future of the daemon that wrote it, at every cut between two sets", () => {
    fc.assert(
      fc.property(merges, settings, (all, metrics) => {
        const { sets } = record(all, metrics);
        for (let cut = 0; cut <= all.length; cut += 1) {
          const live = record(all.slice(0, cut), metrics).analyzer;
          const again = replay(journal(sets.slice(0, cut).flat()), metrics, 0);
          expect(memory(again.analyzer)).toEqual(memory(live));
          expect(snapshotText(again.analyzer)).toBe(snapshotText(live));
          expect(foldAll(again.analyzer, all.slice(cut))).toEqual(sets.slice(cut));
        }
      }),
      { numRuns: 25 },
    );
  });

  it("gives the same memory when it is followed row by row as when it is read at once", () => {
    fc.assert(
      fc.property(merges, settings, fc.nat(100), (all, metrics, at) => {
        const { sets, analyzer: writer } = record(all, metrics);
        const cut = Math.min(at, all.length);
        const follower = replay(journal(sets.slice(0, cut).flat()), metrics).analyzer;
        for (const set of sets.slice(cut)) {
          const follow = new Walk(follower);
          for (const raw of journal(set)) follow.accept(parseJournalRow(raw));
          follow.end();
        }
        expect(memory(follower)).toEqual(memory(writer));
        expect(follower.truncated).toBe(false);
      }),
    );
  });

  it("takes turns with the daemon's own merges in one and the same replay", () => {
    const all = history(times(9, CONFLICT));
    const { sets } = record(all, SMALL);
    const follow = replay([], SMALL);
    foldAll(follow.analyzer, all.slice(0, 4));
    for (const raw of journal(sets.slice(4).flat(), 50)) follow.accept(parseJournalRow(raw));
    follow.end();
    expect(memory(follow.analyzer)).toEqual(memory(record(all, SMALL).analyzer));
  });

  it("counts skipped merges and unmarked rows, and folds neither", () => {
    const { sets, analyzer } = record(history([CLEAN, CLEAN]), SMALL);
    const [first = [], second = []] = sets;
    const again = replay(
      journal([FOREIGN, skip("5"), ...first, FOREIGN, skip("7"), ...second, FOREIGN]),
      SMALL,
    );
    analyzer.skipped = 2;
    expect(memory(again.analyzer)).toEqual(memory(analyzer));
    expect(again.unmarked).toBe(3);
    expect(again.smallestEvent).toBe(5n);
  });

  it("accepts an unmarked row between the rows of one set", () => {
    const { rows, analyzer } = record(history([CLEAN]), SMALL);
    expect(memory(replay(journal(rows.toSpliced(1, 0, FOREIGN)), SMALL).analyzer)).toEqual(memory(analyzer));
  });

  it("of no rows is an empty memory that is not truncated", () => {
    const again = replay([], SMALL);
    expect(memory(again.analyzer)).toEqual(memory(new Analyzer(SMALL)));
    expect(again.smallestEvent).toBeNull();
  });

  it("knows the smallest recorded event by its number", () => {
    const all = [merge(1, { eventId: "1000" }), merge(2, { eventId: "999" }), merge(3, { eventId: "1001" })];
    expect(replay(journal(record(all, SMALL).rows), SMALL).smallestEvent).toBe(999n);
  });
});

describe("a row of the journal", () => {
  const ours = journal(record(history([CLEAN])).rows)[0] as RawJournalRow;
  const edited = (edit: (payload: Record<string, unknown>) => void, kind = ours.kind): RawJournalRow => {
    const payload = JSON.parse(ours.payload ?? "") as Record<string, unknown>;
    edit(payload);
    return { ...ours, kind, payload: JSON.stringify(payload) };
  };

  it.each([
    ["without a payload", { ...ours, payload: null }],
    ["that is no JSON", { ...ours, payload: "{" }],
    ["that is an array", { ...ours, payload: "[1]" }],
    ["that is a string", { ...ours, payload: '"x"' }],
    ["that is null", { ...ours, payload: "null" }],
    ["without a schema_version", edited((row) => delete row["schema_version"])],
    ["with a schema_version as text", edited((row) => (row["schema_version"] = "1"))],
    ["with the schema_version 0", edited((row) => (row["schema_version"] = 0))],
    ["with the schema_version 1e999", { ...ours, payload: '{"schema_version":1e999,"key":"x","seq":1}' }],
    ["without a key", edited((row) => delete row["key"])],
    ["with an empty key", edited((row) => (row["key"] = ""))],
    ["without a seq", edited((row) => delete row["seq"])],
    ["with a seq of 2^53", edited((row) => (row["seq"] = 2 ** 53))],
  ])("%s is an unmarked row", (_, raw) => {
    expect(parseJournalRow(raw)).toEqual({ type: "unmarked", id: ours.id });
  });

  it("of an unknown metric.* kind with our marker is ours and adds nothing", () => {
    expect(parseJournalRow({ ...ours, kind: "metric.later" })).toMatchObject({ type: "other" });
    expect(parseJournalRow({ ...ours, kind: "metric.__proto__" })).toMatchObject({ type: "other" });
  });

  it("may carry fields that this version does not know", () => {
    expect(parseJournalRow(edited((row) => (row["later"] = { a: 1 })))).toEqual(parseJournalRow(ours));
  });

  it.each([["metric.first_pass_merge_rate"], ["metric.merge_skipped"], ["metric.later"]])(
    "%s of a newer schema_version is refused as such",
    (kind) => {
      const newer = edited((row) => (row["schema_version"] = 99), kind);
      expect(() => parseJournalRow(newer)).toThrow(UnfitLog);
      expect(() => parseJournalRow(newer)).toThrow(/schema_version 99/);
    },
  );

  const other = (name: string, value: unknown) =>
    edited((row) => ((row["merge"] as Record<string, unknown>)[name] = value));
  it.each<[string, RawJournalRow]>([
    ["its kind names another metric", { ...ours, kind: "metric.rebase_conflict_rate" }],
    ["its kind is a crossing's", { ...ours, kind: "metric.threshold_crossed" }],
    ["a global row names a project", edited((row) => (row["project"] = "atlas"))],
    ["a project row names none", edited((row) => (row["scope"] = "project"))],
    ["its scope is unknown", edited((row) => (row["scope"] = "team"))],
    ["its window is 0", edited((row) => (row["window"] = 0))],
    ["its n is negative", edited((row) => (row["n"] = -1))],
    ["its n is a fraction", edited((row) => (row["n"] = 0.5))],
    ["its value is text", edited((row) => (row["value"] = "0.5"))],
    ["its value is missing", edited((row) => delete row["value"])],
    ["its numerator is a fraction", edited((row) => (row["numerator"] = 0.5))],
    ["its state is unheard of", edited((row) => (row["state"] = "medium"))],
    ["its verdicts are no list", edited((row) => (row["verdicts"] = "rebase_conflict"))],
    ["its verdicts are no texts", edited((row) => (row["verdicts"] = [1]))],
    ["it has no merge", edited((row) => delete row["merge"])],
    ["it has no set_size", edited((row) => delete row["set_size"])],
    ["its event is a number", other("event_id", 5)],
    ["its event is no number", other("event_id", "x")],
    ["its work item is missing", other("work_item_id", null)],
    ["its project is empty", other("project", "")],
    ["its attempts are 0", other("attempts", 0)],
    ["its attempts are a fraction", other("attempts", 1.5)],
    ["its attempts are beyond 2^31-1", other("attempts", 2 ** 31)],
    ["its attempts are 2^32+1, which 32 bits would take for 1", other("attempts", 2 ** 32 + 1)],
    ["its verdict is a number", other("last_verdict", 1)],
    ["its date is a number", other("merged_at", 1)],
  ])("with our marker is a contradiction when %s", (_, raw) => {
    expect(() => parseJournalRow(raw)).toThrow(/marker of this daemon/);
  });
});
