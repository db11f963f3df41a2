/** Every committed merge is held against what the journal records of it. */
import { describe, expect, it } from "vitest";
import type { Merge } from "../../src/core/merge.ts";
import { type CommittedMerge, MergeReconciliation, type Survivors } from "../../src/core/reconcile-merges.ts";
import type { AuditRow } from "../../src/core/verifier.ts";
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

type Around = {
  readonly rows?: readonly AuditRow[];
  readonly covered?: ((eventId: bigint) => boolean) | null;
  readonly running?: number;
  readonly survivors?: Survivors;
};

const at = ({ mergedAt }: Merge) => Date.parse(mergedAt ?? "");

/** All transitions but these. */
const without = (...gone: readonly Merge[]) =>
  EVENTFUL.filter((merge) => !gone.includes(merge)).map(committed);

function audit(merges: readonly CommittedMerge[], around: Around = {}) {
  const { rows = ROWS, covered = null, running = 0, survivors = { id: 0n, at: null } } = around;
  const { verifier, differences } = walk(rows);
  const one = new MergeReconciliation(verifier, differences, covered === null ? null : { covers: covered });
  for (const merge of merges) one.accept(merge);
  one.conclude(running);
  one.end(survivors);
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
      duplicates: 0,
      waiting: 0,
      pruned: 0,
      drifted: 0,
      without_transition: 0,
    });
  });

  it("that arrive again are counted, and are no difference", () => {
    expect(audit([...ALL_COMMITTED, some({ eventId: "99999" })])).toMatchObject({
      counts: { duplicates: 1 },
      found: [],
    });
  });

  it("whose work item has changed since are reported, and are not a difference", () => {
    const { counts, found, drifted } = audit(ALL_COMMITTED.with(4, some({ facts: null })));
    expect([counts.drifted, found, drifted.length]).toStrictEqual([1, [], 1]);
  });

  it("that are due wait", () => {
    const due = some({ workItemId: "777" });
    expect(audit([...ALL_COMMITTED, { ...due, eventId: "99999" }])).toMatchObject({
      counts: { waiting: 1 },
      found: [],
    });
    expect(audit([...ALL_COMMITTED, { ...due, eventId: "1001", ageMs: 5_000 }])).toMatchObject({
      counts: { waiting: 1 },
      found: [],
    });
    expect(audit([...ALL_COMMITTED, { ...due, eventId: "1001" }])).toMatchObject({
      counts: { waiting: 1 },
      found: [],
    });
  });

  it("are taken as recorded below the oldest row that is left", () => {
    const pruned = ROWS.slice(indexOf("first_pass_merge_rate", 10));
    expect(audit(ALL_COMMITTED, { rows: pruned })).toMatchObject({ counts: { pruned: 9 }, found: [] });
  });

  it("are missing where rows record a row that is not a merge, or another item's", () => {
    expect(audit(ALL_COMMITTED.toSpliced(4, 1)).found).toMatchObject([
      { kind: "merge_unknown", event_id: EVENTFUL[4]?.eventId },
    ]);
    expect(audit(ALL_COMMITTED.with(4, some({ workItemId: "777" }))).found).toMatchObject([
      { kind: "work_item" },
    ]);
  });
});

function mergeOf(payload: string | null): { readonly event_id: string } {
  return (JSON.parse(payload ?? "") as { readonly merge: { readonly event_id: string } }).merge;
}

describe("a merge without a record, old and among recorded ones", () => {
  const ALL_COMMITTED = EVENTFUL.map(committed);
  const due: CommittedMerge = { ...(ALL_COMMITTED[4] as CommittedMerge), eventId: "1001", workItemId: "777" };
  const told = (around: Around) => {
    const { counts, found } = audit([...ALL_COMMITTED, due], around);
    return [found.map(({ kind }) => kind), counts.waiting, counts.pruned];
  };
  const gap = ROWS.filter(({ payload }) => mergeOf(payload).event_id !== EVENTFUL[11]?.eventId);
  const cut = ROWS.slice(indexOf("first_pass_merge_rate", 10));

  it.each<readonly [string, Around, readonly unknown[]]>([
    ["waits where nothing says more", {}, [[], 1, 0]],
    ["waits for a daemon that runs", { running: 1 }, [[], 1, 0]],
    ["waits beside a gap for a daemon that runs", { running: 1, rows: gap }, [["seq_gap", "seq_gap"], 2, 0]],
    ["waits where a checkpoint says that it is not recorded", { covered: () => false }, [[], 1, 0]],
    ["waits where it committed below a low-water mark", { covered: () => true }, [[], 1, 0]],
    ["is pruned where rows went from there", { rows: cut, covered: () => true }, [[], 0, 10]],
  ])("%s", (_, around, expected) => {
    expect(told(around)).toStrictEqual(expected);
  });

  it("is missing beside a gap, whatever the checkpoint says", () => {
    const { found } = audit([...ALL_COMMITTED, due], { rows: gap, covered: () => false });
    const missing = found.filter(({ kind }) => kind === "merge_missing");
    expect(found[0]?.kind).toBe("seq_gap");
    expect(missing.map(({ event_id: event }) => event)).toStrictEqual([EVENTFUL[11]?.eventId, "1001"]);
  });

  it("is not missing where it was recorded after the journal had been read", () => {
    const { verifier, differences } = walk(ROWS);
    const one = new MergeReconciliation(verifier, differences, null);
    for (const merge of [...ALL_COMMITTED, due]) one.accept(merge);
    expect(one.suspects).toStrictEqual([{ eventId: "1001", workItemId: "777" }]);
    verifier.recorded.afterwards = true;
    verifier.recorded.add(due, 1, null);
    expect(one.suspects).toStrictEqual([]);
    one.conclude(0);
    one.end({ id: 0n, at: null });
    expect(differences.first).toStrictEqual([]);
  });

  it("is a later arrival where work items have become null, and its own as well", () => {
    const nulled = ROWS.map((row, index) => (index < 4 ? { ...row, workItemId: null } : row));
    const merges = [
      ...ALL_COMMITTED.with(0, { ...(ALL_COMMITTED[0] as CommittedMerge), workItemId: null, facts: null }),
      { ...due, workItemId: null, facts: null },
    ];
    expect(audit(merges, { rows: nulled })).toMatchObject({
      found: [],
      counts: { duplicates: 1, drifted: 1 },
    });
  });
});

/** What is found where these transitions are gone. */
const unknown = (around: Around, ...gone: readonly Merge[]) =>
  audit(without(...gone), around).found.map(({ kind, event_id: event }) => [kind, event]);

describe("a record without a transition", () => {
  const [first, second] = EVENTFUL as [Merge, Merge];

  it("is explained by retention that goes by id or by date, and by nothing else", () => {
    const late = EVENTFUL[7] as Merge;
    expect(unknown({ survivors: { id: BigInt(first.eventId) + 1n, at: 0 } }, first)).toStrictEqual([]);
    expect(unknown({ survivors: { id: 0n, at: at(late) + 1 } }, first, late)).toStrictEqual([]);
    expect(unknown({ survivors: { id: 0n, at: at(first) - 1 } }, first)).toStrictEqual([
      ["merge_unknown", first.eventId],
    ]);
    expect(unknown({ survivors: { id: null, at: null } }, ...EVENTFUL)).toStrictEqual([]);
  });

  it("of the same millisecond as the oldest that is left is explained only where others have gone", () => {
    expect(unknown({ survivors: { id: 0n, at: at(second) } }, second)).toStrictEqual([
      ["merge_unknown", second.eventId],
    ]);
    expect(unknown({ survivors: { id: 0n, at: at(second) } }, first, second)).toStrictEqual([]);
  });

  it("that the server cannot read is no invention", () => {
    const { verifier, differences } = walk(ROWS);
    const one = new MergeReconciliation(verifier, differences, null);
    for (const merge of without(second)) one.accept(merge);
    expect(one.someUnmet).toBe(true);
    one.unreadable(second.eventId);
    expect(one.someUnmet).toBe(false);
    one.end({ id: 0n, at: null });
    expect(differences.first).toStrictEqual([]);
  });
});
