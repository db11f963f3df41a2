/** What verification reports of each wrong row: the row, what it holds, and what it should hold. */
import { describe, expect, it } from "vitest";
import { skippedRow } from "../../src/core/metric-event.ts";
import type { AuditRow } from "../../src/core/verifier.ts";
import { PRODUCER } from "./build.ts";
import { changed, EVENTFUL, indexOf, type Payload, ROWS, rowsOf, WRITTEN, walk } from "./walk.ts";

const P95 = indexOf("p95_attempts_to_merge", 9);
const CROSSED = WRITTEN.rows.findIndex(({ kind }) => kind === "metric.threshold_crossed");

const other = (id: string): AuditRow => ({
  id,
  kind: "metric.new_idea",
  workItemId: null,
  payload: JSON.stringify({ schema_version: 1, key: "idea|1" }),
});

const skip = (eventId: string, workItemId: string | null) =>
  rowsOf([skippedRow({ eventId, workItemId, reason: "attempts_invalid" }, PRODUCER)], 900);

describe("a key", () => {
  it("that two rows of an unknown kind share is reported", () => {
    expect(walk([...ROWS, other("900"), other("901")]).found).toMatchObject([
      { kind: "key_repeated", row_id: "901", recorded: "idea|1", expected: "a key of its own" },
    ]);
  });

  it("that belongs to another row is reported as wrong, and as taken", () => {
    const taken = changed(
      changed(ROWS, P95, (payload) => (payload["key"] = "mine")),
      P95 + 4,
      (payload) => (payload["key"] = "mine"),
    );
    expect(new Set(walk(taken).found.map(({ kind, row_id }) => `${kind} ${row_id}`))).toStrictEqual(
      new Set([`key ${ROWS[P95]?.id}`, `key ${ROWS[P95 + 4]?.id}`, `key_repeated ${ROWS[P95 + 4]?.id}`]),
    );
  });
});

describe("a skip", () => {
  it("has a key and a work item of its own", () => {
    const [row] = skip("9000", "900") as [AuditRow];
    const odd = changed([{ ...row, workItemId: "7" }], 0, (payload) => (payload["key"] = "mine"));
    expect(walk([...ROWS, ...odd]).found).toMatchObject([
      { kind: "key", row_id: "900", recorded: "mine", expected: "merge_skipped|9000" },
      { kind: "work_item", recorded: "work_item_id 7", expected: "work_item_id 900" },
    ]);
    expect(walk([...ROWS, { ...(skip("9000", null)[0] as AuditRow), workItemId: "7" }]).found).toMatchObject([
      { kind: "work_item", recorded: "work_item_id 7", expected: "work_item_id null" },
    ]);
  });

  it("of a merge that is recorded repeats it", () => {
    const [first] = EVENTFUL;
    expect(walk([...ROWS, ...skip(first?.eventId ?? "", first?.workItemId ?? null)]).found).toMatchObject([
      { kind: "merge_repeated", row_id: "900", recorded: "work item 1 is skipped" },
    ]);
  });

  it("is reported twice where it is there twice, also without a work item", () => {
    const twice = [...skip("9000", null), { ...(skip("9000", null)[0] as AuditRow), id: "901" }];
    expect(walk([...ROWS, ...twice]).found).toMatchObject([
      { kind: "merge_repeated", row_id: "901", recorded: "event 9000 is skipped" },
    ]);
  });
});

describe("a merge's set", () => {
  it("with a row twice has one too many", () => {
    const copy = { ...(ROWS[P95] as AuditRow), id: "9000" };
    expect(walk(ROWS.toSpliced(P95 + 1, 0, copy)).found).toMatchObject([
      { kind: "set_surplus", row_id: "9000", recorded: "a second row for p95_attempts_to_merge (global)" },
      { kind: "set_surplus", recorded: "5 rows", expected: "4, as its rows say" },
    ]);
  });

  it("in another order is reported, once for each row that comes too late", () => {
    const [before, row] = [ROWS[P95 - 1], ROWS[P95]] as [AuditRow, AuditRow];
    const swapped = ROWS.with(P95 - 1, { ...row, id: before.id }).with(P95, { ...before, id: row.id });
    expect(walk(swapped).found).toMatchObject([
      {
        kind: "set_order",
        row_id: row.id,
        recorded: "it comes after p95_attempts_to_merge (global)",
      },
    ]);
  });
});

describe("numbers that nothing can be held against", () => {
  /** Every row from the set with this seq on, so that the windows before it are unknown. */
  const from = indexOf("first_pass_merge_rate", 12);
  const numbersOf = (change: (payload: Payload) => void) => {
    const at = indexOf("first_pass_merge_rate", 13);
    return walk(changed(ROWS, at, change).slice(from)).found.filter(({ seq }) => seq === 13);
  };

  it("must agree with each other all the same", () => {
    expect(numbersOf(() => undefined)).toStrictEqual([]);
    expect(numbersOf((payload) => (payload["value"] = 0.9))).toMatchObject([
      { kind: "number", expected: "numbers that agree with each other, n=3/3" },
    ]);
    expect(numbersOf((payload) => (payload["value"] = null))).toMatchObject([{ kind: "number" }]);
    expect(numbersOf((payload) => (payload["numerator"] = null))).toMatchObject([{ kind: "number" }]);
  });
});

describe("a crossing", () => {
  it("that its value does not give is reported with the state that stays", () => {
    const unchanged = changed(ROWS, CROSSED, (payload) => {
      payload["from"] = "unknown";
      payload["to"] = "low";
      payload["direction"] = "down";
    });
    expect(walk(unchanged).found).toContainEqual(
      expect.objectContaining({ kind: "crossing", row_id: ROWS[CROSSED]?.id }),
    );
  });

  it("where the metric is undefined leads nowhere", () => {
    const undefinedThere = [CROSSED - 1, CROSSED].reduce(
      (rows, index) => changed(rows, index, (payload) => (payload["value"] = null)),
      ROWS,
    );
    expect(walk(undefinedThere).found).toContainEqual(
      expect.objectContaining({
        kind: "crossing",
        recorded: "from unknown to high at null",
        expected: "no crossing: unknown at null stays unknown",
      }),
    );
  });

  it("into another state than its metric row says is reported at that row", () => {
    const elsewhere = changed(ROWS, CROSSED - 1, (payload) => (payload["state"] = "low"));
    expect(walk(elsewhere).found).toContainEqual(
      expect.objectContaining({
        kind: "state",
        row_id: ROWS[CROSSED - 1]?.id,
        recorded: "low",
        expected: "high",
      }),
    );
  });
});
