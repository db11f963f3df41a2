/** Verification: it finds nothing in what was written rightly, and goes on after what was not. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Analyzer, fold } from "../../src/core/analyzer.ts";
import { checkpointRow } from "../../src/core/checkpoint.ts";
import { proveCheckpoint } from "../../src/core/checkpoint-proof.ts";
import { Differences } from "../../src/core/difference.ts";
import { parseJournalRow, UnfitLog } from "../../src/core/journal-row.ts";
import type { Merge } from "../../src/core/merge.ts";
import { type CommittedMerge, MergeAudit } from "../../src/core/merge-audit.ts";
import type { MetricSettings } from "../../src/core/metric.ts";
import { type EventRow, skippedRow } from "../../src/core/metric-event.ts";
import { Replay } from "../../src/core/replay.ts";
import { type AuditRow, Verifier } from "../../src/core/verifier.ts";
import { merges as anyMerges, settings as anySettings, outcomes } from "./arbitraries.ts";
import { CLEAN, CONFLICT, CONTRACT, history, PRODUCER, REWORKED, record, SMALL, times } from "./build.ts";
import { Life } from "./life.ts";

const ALL = Number.POSITIVE_INFINITY;

function audited(rows: readonly EventRow[], firstId = 1): AuditRow[] {
  return rows.map(({ kind, workItemId, payload }, index) => ({
    id: String(firstId + index),
    kind,
    workItemId,
    payload: JSON.stringify(payload),
  }));
}

function verify(rows: readonly AuditRow[], metrics: readonly MetricSettings[] = SMALL) {
  const differences = new Differences(ALL);
  const verifier = new Verifier(metrics, differences);
  for (const row of rows) verifier.accept(row);
  verifier.end();
  return {
    verifier,
    differences,
    found: differences.first,
    kinds: differences.first.map(({ kind }) => kind),
  };
}

type Payload = Record<string, unknown>;

function edit(rows: readonly AuditRow[], index: number, change: (payload: Payload) => void): AuditRow[] {
  const row = rows[index] as AuditRow;
  const payload = JSON.parse(row.payload ?? "") as Payload;
  change(payload);
  return rows.with(index, { ...row, payload: JSON.stringify(payload) });
}

function refused(rows: readonly AuditRow[], metrics: readonly MetricSettings[]): boolean {
  const replay = new Replay(new Analyzer(metrics, { capacity: 200, verdictSets: [["rebase_conflict"]] }));
  try {
    for (const row of rows) replay.accept(parseJournalRow(row));
    replay.end();
    return false;
  } catch (error) {
    if (error instanceof UnfitLog) return true;
    throw error;
  }
}

/** Both gates cross both ways, in two projects. */
const EVENTFUL = history(
  [
    ...times(6, CLEAN),
    ...times(4, REWORKED),
    ...times(5, CONFLICT),
    ...times(8, CLEAN),
    ...times(3, REWORKED),
  ].map((facts, index) => (index % 3 === 2 ? { ...facts, project: "zeus" } : facts)),
);
const WRITTEN = record(EVENTFUL, SMALL);
const ROWS = audited(WRITTEN.rows);

/** The index of the row of this metric and scope that records the merge with this seq. */
function rowOf(metric: string, seq: number, scope = "global"): number {
  return WRITTEN.rows.findIndex(
    ({ kind, payload }) =>
      kind === `metric.${metric}` && "seq" in payload && payload.seq === seq && payload.scope === scope,
  );
}
const indexOfSet = (seq: number) => rowOf("first_pass_merge_rate", seq);

const otherAttempts = (p: Payload) => (p["merge"] = { ...(p["merge"] as Payload), attempts: 77 });

const wrong = (payload: Payload) => (payload["value"] = 0.123);

const kindsOfChanged = (change: (payload: Payload) => void) =>
  verify(edit(ROWS, rowOf("p95_attempts_to_merge", 9), change)).kinds;

const place = (rowId: string) => ({ row_id: rowId, low_mark: "0", floor: "0" });

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
  const { verifier, differences } = verify(rows);
  const one = new MergeAudit(verifier, differences);
  for (const merge of merges) one.accept(merge);
  one.end(0n);
  return { counts: one.counts, found: differences.first, drifted: one.drifted };
}

function prove(
  all: readonly Merge[],
  metrics: readonly MetricSettings[],
  change: (text: string) => string = (text) => text,
) {
  const analyzer = new Analyzer(metrics);
  const rows = audited(all.flatMap((one) => fold(analyzer, one, PRODUCER)));
  const { verifier } = verify(rows, metrics);
  const differences = new Differences(ALL);
  const { payload } = checkpointRow(analyzer, place(rows.at(-1)?.id ?? "0"), PRODUCER);
  proveCheckpoint(verifier, "7", change(JSON.stringify(payload)), differences);
  return differences.first;
}

describe("a log that was written rightly", () => {
  it("has no differences, under any settings", () => {
    fc.assert(
      fc.property(anyMerges, anySettings, (all, metrics) => {
        const { verifier, found } = verify(audited(record(all, metrics).rows), metrics);
        expect(found).toStrictEqual([]);
        expect(verifier.counts).toMatchObject({ merges: all.length, not_judged: 0, other_bounds: 0 });
      }),
      { numRuns: 150 },
    );
  });

  it("has none after restarts under other settings and retention at its old end", () => {
    const step = fc.oneof(
      outcomes.map((all) => (life: Life) => life.merge(all)),
      fc.nat({ max: 40 }).map((rows) => (life: Life) => life.prune(rows)),
      anySettings.map((metrics) => (life: Life) => life.restart(metrics)),
    );
    fc.assert(
      fc.property(anySettings, fc.array(step, { maxLength: 8 }), (metrics, steps) => {
        const life = new Life(metrics);
        for (const one of steps) one(life);
        expect(verify(audited(life.written.map(({ row }) => row)), life.settings).found).toStrictEqual([]);
      }),
      { numRuns: 150 },
    );
  });

  it("is counted: rows, merges, crossings, skips, rows of others", () => {
    const skip = skippedRow({ eventId: "9000", workItemId: "900", reason: "attempts_invalid" }, PRODUCER);
    const foreign = { id: "900", kind: "metric.cpu", workItemId: null, payload: "{}" };
    const { verifier, found } = verify([...ROWS, ...audited([skip], 800), foreign]);
    expect(found).toStrictEqual([]);
    expect(verifier.counts).toStrictEqual({
      rows: ROWS.length + 2,
      merges: EVENTFUL.length,
      metric_rows: 4 * EVENTFUL.length,
      crossings: ROWS.length - 4 * EVENTFUL.length,
      skipped: 1,
      checkpoints: 0,
      foreign: 1,
      not_judged: 0,
      other_bounds: 0,
    });
    expect(verifier.counts.crossings).toBeGreaterThan(3);
  });

  it("may have been written under other bounds: told, but no difference", () => {
    const stricter = SMALL.map((metric) =>
      metric.gate === null ? metric : { ...metric, gate: { ...metric.gate, upper: 1, lower: 1 } },
    );
    const { verifier, found } = verify(ROWS, stricter);
    expect(found).toStrictEqual([]);
    expect(verifier.counts.other_bounds).toBeGreaterThan(0);
  });
});

describe("a log that was not", () => {
  it("shows whatever a replay refuses", () => {
    const fields = [
      "seq",
      "n",
      "value",
      "numerator",
      "set_size",
      "scope",
      "project",
      "metric",
      "state",
      "window",
      "from",
      "to",
      "upper",
      "key",
    ];
    const values = fc.oneof(
      fc.integer({ min: -1, max: 40 }),
      fc.constantFrom(
        null,
        "x",
        0.5,
        1 / 3,
        0.25,
        "high",
        "low",
        "unknown",
        "global",
        "project",
        true,
        [],
        2 ** 53,
      ),
    );
    fc.assert(
      fc.property(anyMerges, fc.nat(), fc.constantFrom(...fields), values, (all, pick, field, value) => {
        const rows = audited(record(all, SMALL).rows);
        fc.pre(rows.length > 0);
        const changed = edit(rows, pick % rows.length, (payload) => {
          payload[field] = value;
        });
        expect(refused(changed, SMALL) && verify(changed).found.length === 0).toBe(false);
      }),
      { numRuns: 600 },
    );
  });

  it("shows in effective, direction, gate, previous, key, facts and work item too, each as one difference", () => {
    const crossing = WRITTEN.rows.findLastIndex(({ kind }) => kind === "metric.threshold_crossed");
    const project = rowOf("rebase_conflict_rate", 5, "project");
    const young = rowOf("rebase_conflict_rate", 2, "project");
    const kindsOf = (index: number, change: (payload: Payload) => void) =>
      verify(edit(ROWS, index, change)).kinds;
    expect(
      kindsOf(project, (p) => (p["effective"] = { ...(p["effective"] as Payload), value: 0.99 })),
    ).toStrictEqual(["effective"]);
    expect(kindsOf(young, (p) => delete p["effective"])).toStrictEqual(["effective"]);
    expect(kindsOf(0, (p) => (p["effective"] = {}))).toStrictEqual(["effective"]);
    expect(kindsOf(crossing, (p) => (p["direction"] = "sideways"))).toStrictEqual(["crossing"]);
    expect(kindsOf(crossing, (p) => (p["gate"] = ""))).toStrictEqual(["crossing"]);
    expect(kindsOf(crossing, (p) => (p["previous"] = null))).toStrictEqual(["crossing"]);
    expect(kindsOf(9, (p) => (p["key"] = "another"))).toStrictEqual(["key"]);
    expect(kindsOf(indexOfSet(9), otherAttempts)).toStrictEqual(["facts"]);
    const row = ROWS[30] as AuditRow;
    expect(verify(ROWS.with(30, { ...row, workItemId: "77" })).kinds).toStrictEqual(["work_item"]);
  });

  it("shows a wrong number with what is recorded and what the facts give", () => {
    const index = rowOf("first_pass_merge_rate", 20);
    const { found } = verify(edit(ROWS, index, (payload) => (payload["numerator"] = 1)));
    expect(found).toStrictEqual([
      {
        kind: "number",
        row_id: ROWS[index]?.id,
        event_id: EVENTFUL[19]?.eventId,
        metric: "first_pass_merge_rate",
        scope: "global",
        project: null,
        seq: 20,
        recorded: "value 1, numerator 1, n=3/3",
        expected: "value 1, numerator 3, n=3/3",
      },
    ]);
  });

  it("is walked to its end: differences far apart are all told", () => {
    const changed = edit(
      edit(ROWS, rowOf("p95_attempts_to_merge", 8), wrong),
      rowOf("p95_attempts_to_merge", 20),
      wrong,
    );
    expect(verify(changed).found.map(({ kind, seq }) => [kind, seq])).toStrictEqual([
      ["number", 8],
      ["number", 20],
    ]);
  });

  it("is not flooded by one missing merge: what stood on it is not judged until the windows are full again", () => {
    const at = indexOfSet(12);
    const size = WRITTEN.sets[11]?.length ?? 0;
    const { found, verifier } = verify(ROWS.toSpliced(at, size));
    expect(found.map(({ kind, scope, seq }) => [kind, scope, seq])).toStrictEqual([
      ["seq_gap", "global", 13],
      ["seq_gap", "project", 5],
    ]);
    expect(verifier.counts.not_judged).toBeGreaterThan(5);
  });

  it("may hold a merge twice", () => {
    const at = indexOfSet(12);
    const copy = ROWS.slice(at, at + (WRITTEN.sets[11]?.length ?? 0)).map((row, index) => ({
      ...row,
      id: String(5000 + index),
    }));
    expect(verify([...ROWS, ...copy]).kinds).toStrictEqual(["merge_repeated"]);
  });

  it("may lack a row of a merge, which is named", () => {
    const { found } = verify(ROWS.toSpliced(rowOf("p95_attempts_to_merge", 9), 1));
    expect(found).toMatchObject([
      { kind: "set_incomplete", recorded: "3 of 4 rows", expected: "also p95_attempts_to_merge (global)" },
    ]);
  });

  it("may lack a crossing", () => {
    const crossing = WRITTEN.rows.findLastIndex(({ kind }) => kind === "metric.threshold_crossed");
    expect(verify(ROWS.toSpliced(crossing, 1)).kinds).toStrictEqual(["set_incomplete", "state"]);
  });

  it("may hold rows of a newer version, or rows that are not whole", () => {
    expect(kindsOfChanged((payload) => (payload["schema_version"] = 2))).toContain("newer_schema");
    expect(kindsOfChanged((payload) => delete payload["value"])).toStrictEqual(["unreadable"]);
  });
});

describe("a checkpoint", () => {
  it("holds what a full replay gives, under any settings", () => {
    fc.assert(
      fc.property(anyMerges, anySettings, (all, metrics) => {
        fc.pre(all.length > 0);
        expect(prove(all, metrics)).toStrictEqual([]);
      }),
      { numRuns: 100 },
    );
  });

  it("shows a changed fact, seq, gate, project and place", () => {
    const changes: readonly (readonly [string | RegExp, string])[] = [
      [/"facts":"([^"]*) 1\*/, '"facts":"$1 2*'],
      [/:1\*/, "*"],
      ['"seq":26', '"seq":25'],
      ['"state":"high"', '"state":"low"'],
      ['"project":"zeus"', '"project":"hera"'],
      ['"row_id":"', '"row_id":"9'],
      ['"skipped":0', '"skipped":1'],
      ['"schema_version":1', '"schema_version":9'],
    ];
    expect(prove(EVENTFUL, SMALL)).toStrictEqual([]);
    for (const [from, to] of changes) {
      const found = prove(EVENTFUL, SMALL, (text) => {
        const changed = text.replace(from, to);
        expect(changed).not.toBe(text);
        return changed;
      });
      expect(found.map(({ kind }) => kind)).toContain("checkpoint");
    }
  });
});

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
    const pruned = ROWS.slice(indexOfSet(10));
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

it("judges the contract's own windows", () => {
  const long = history([...times(120, CLEAN), ...times(30, CONFLICT), ...times(40, REWORKED)]);
  expect(verify(audited(record(long, CONTRACT).rows), CONTRACT).found).toStrictEqual([]);
});
