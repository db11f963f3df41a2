/** Every committed merge is held against what the journal records of it. */
import { describe, expect, it } from "vitest";
import type { Merge } from "../../src/core/merge.ts";
import { type CommittedMerge, MergeAudit } from "../../src/core/merge-audit.ts";
import type { AuditRow } from "../../src/core/verified-row.ts";
import { EVENTFUL, indexOf, ROWS, walk } from "./walk.ts";

const committed = ({
  eventId,
  workItemId,
  mergedAt,
  project,
  attempts,
  lastVerdict,
}: Merge): CommittedMerge => ({
  eventId,
  workItemId,
  mergedAt,
  ageMs: 3_600_000,
  facts: { project, attempts: String(attempts), lastVerdict },
});

function audit(merges: readonly CommittedMerge[], rows: readonly AuditRow[] = ROWS) {
  const { verifier, differences } = walk(rows);
  const one = new MergeAudit(verifier, differences);
  for (const merge of merges) one.accept(merge);
  one.end(0n);
  return { counts: one.counts, found: differences.first, drifted: one.drifted };
}

describe("committed merges", () => {
  const ALL_COMMITTED = EVENTFUL.map(committed);
  const some = (change: Partial<CommittedMerge>): CommittedMerge => ({
    ...(ALL_COMMITTED[4] as CommittedMerge),
    ...change,
  });

  it("are all recorded", () => {
    const { counts, found } = audit(ALL_COMMITTED);
    expect(found).toStrictEqual([]);
    expect(counts).toStrictEqual({
      committed: EVENTFUL.length,
      repeats: 0,
      waiting: 0,
      pruned: 0,
      drifted: 0,
      without_transition: 0,
    });
  });

  it("that arrive again are counted, and are no difference", () => {
    expect(audit([...ALL_COMMITTED, some({ eventId: "99999" })])).toMatchObject({
      counts: { repeats: 1 },
      found: [],
    });
  });

  it("whose work item has changed since are told, and are no difference", () => {
    const { counts, found, drifted } = audit(ALL_COMMITTED.with(4, some({ facts: null })));
    expect([counts.drifted, found, drifted.length]).toStrictEqual([1, [], 1]);
  });

  it("that are due wait, unless later ones are recorded and a minute has passed", () => {
    const due = some({ workItemId: "777" });
    expect(audit([...ALL_COMMITTED, { ...due, eventId: "99999" }])).toMatchObject({
      counts: { waiting: 1 },
      found: [],
    });
    expect(audit([...ALL_COMMITTED, { ...due, eventId: "1001", ageMs: 5_000 }])).toMatchObject({
      counts: { waiting: 1 },
      found: [],
    });
    expect(audit([...ALL_COMMITTED, { ...due, eventId: "1001" }]).found).toMatchObject([
      { kind: "merge_missing", event_id: "1001" },
    ]);
  });

  it("are taken as recorded below the oldest row that is left", () => {
    const pruned = ROWS.slice(indexOf("first_pass_merge_rate", 10));
    expect(audit(ALL_COMMITTED, pruned)).toMatchObject({ counts: { pruned: 9 }, found: [] });
  });

  it("are missing where rows record what is no merge, or another item's", () => {
    expect(audit(ALL_COMMITTED.toSpliced(4, 1)).found).toMatchObject([
      { kind: "merge_unknown", event_id: EVENTFUL[4]?.eventId },
    ]);
    expect(audit(ALL_COMMITTED.with(4, some({ workItemId: "777" }))).found).toMatchObject([
      { kind: "work_item" },
    ]);
  });
});
