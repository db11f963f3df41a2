/**
 * What changes of a log cannot show, as it is then one that some configuration could have written, or the same log at
 * another time. Whatever else is changed does: see `tampered.test.ts`.
 */
import { describe, expect, it } from "vitest";
import { skippedRow } from "../../src/core/metric-event.ts";
import { CLEAN, FIRST_PASS, history, isCrossing, journal, PRODUCER, record, SMALL, times } from "./build.ts";
import { edit, type Payload, refused } from "./tamper.ts";

describe("what cannot show", () => {
  const { rows, sets } = record(history(times(6, CLEAN)), SMALL);
  const raws = journal(rows);

  it("sets gone from the new end: the same log a moment earlier", () => {
    for (let end = 0; end <= 6; end += 1) expect(refused(journal(sets.slice(0, end).flat()))).toBe(false);
  });

  it("rows gone from the first set, and whole sets at the old end: a pruned log", () => {
    for (let index = 0; index < 4; index += 1) expect(refused(raws.toSpliced(index, 1))).toBe(false);
    expect(refused(journal(sets.slice(2).flat()))).toBe(false);
  });

  it("a copy of a project's row before all others: what an emptied log left of its last set", () => {
    const copy =
      sets[3]
        ?.slice(-1)
        .map((row) => journal([row], 0))
        .flat() ?? [];
    expect(refused([...copy, ...raws])).toBe(false);
  });

  it("bounds that justify the crossing as well, the gate's name and the producer, but nothing else of a crossing", () => {
    const crossing = rows.findIndex(isCrossing);
    for (const [field, value] of [
      ["upper", 0.1],
      ["lower", 0.01],
      ["gate", "other"],
      ["producer", "other"],
    ] as const) {
      expect(refused(edit(raws, crossing, (row) => (row[field] = value)))).toBe(false);
    }
    for (const [field, value] of [
      ["direction", "down"],
      ["previous", { event_id: "1", since: null }],
      ["effective", null],
      ["key", "other"],
    ] as const) {
      expect(refused(edit(raws, crossing, (row) => (row[field] = value)))).toBe(true);
    }
  });

  it("the verdicts of a row, when its window matches under the others as well", () => {
    const index = rows.findLastIndex((row) => row.kind === "metric.rebase_conflict_rate");
    expect(refused(edit(raws, index, (row) => (row["verdicts"] = ["needs_rebase"])))).toBe(false);
    expect(refused(edit(raws, index, (row) => (row["verdicts"] = ["approve"])))).toBe(true);
  });

  it("facts where a merge is a single row: no other row contradicts it", () => {
    const single = [{ ...FIRST_PASS, window: 3 }];
    const alone = journal(record(history(times(6, CLEAN)), single).rows);
    const changed = (fact: string, value: unknown) =>
      edit(alone, 4, (row) => ((row["merge"] as Payload)[fact] = value));
    for (const fact of ["project", "last_verdict", "merged_at", "work_item_id"]) {
      expect(refused(changed(fact, "other"), single)).toBe(false);
    }
    expect(refused(changed("event_id", "99999"), single)).toBe(true);
    expect(refused(changed("attempts", 2), single)).toBe(true);
  });

  it("a skipped merge's row that is gone or there twice: it has no place in an order", () => {
    const skip = journal([
      skippedRow({ eventId: "5", workItemId: "5", reason: "project_missing" }, PRODUCER),
    ]);
    expect(refused([...raws.slice(0, 8), ...skip, ...skip, ...raws.slice(8)])).toBe(false);
  });

  it("an n above the merges that survive in a pruned log, as long as it is undefined and there were so many", () => {
    const wide = [{ ...FIRST_PASS, window: 50 }];
    const pruned = journal(record(history(times(9, CLEAN)), wide).rows).slice(3);
    const change = (n: number) => edit(pruned, 2, (row) => (row["n"] = n));
    expect(refused(change(6), wide)).toBe(false);
    expect(refused(change(7), wide)).toBe(true);
    expect(refused(change(2), wide)).toBe(true);
    expect(refused(change(50), wide)).toBe(true);
  });
});
