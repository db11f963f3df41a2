/** Verification: it finds nothing in what was written rightly, and goes on after what was not. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Analyzer } from "../../src/core/analyzer.ts";
import { parseJournalRow, UnfitLog } from "../../src/core/journal-row.ts";
import type { MetricSettings } from "../../src/core/metric.ts";
import { skippedRow } from "../../src/core/metric-event.ts";
import type { AuditRow } from "../../src/core/verifier.ts";
import { Walk } from "../../src/core/walk.ts";
import { merges as anyMerges, settings as anySettings, outcomes } from "./arbitraries.ts";
import { CLEAN, CONFLICT, CONTRACT, history, PRODUCER, REWORKED, record, SMALL, times } from "./build.ts";
import { Life } from "./life.ts";
import { changed, EVENTFUL, indexOf, type Payload, ROWS, rowsOf, WRITTEN, walk } from "./walk.ts";

function refused(rows: readonly AuditRow[], metrics: readonly MetricSettings[]): boolean {
  const replay = new Walk(new Analyzer(metrics, 200));
  try {
    for (const row of rows) replay.accept(parseJournalRow(row));
    replay.end();
    return false;
  } catch (error) {
    if (error instanceof UnfitLog) return true;
    throw error;
  }
}

/** A replay knows neither every identity and key of a long log, nor its columns. */
const FOR_VERIFY_ALONE = new Set<string>(["work_item", "merge_repeated", "key_repeated"]);

function edited(
  rows: readonly AuditRow[],
  pick: number,
  name: string | string[],
  value: unknown,
): AuditRow[] {
  return changed(rows, pick % rows.length, (payload) => {
    if (typeof name === "string") payload[name] = value;
    else (payload["merge"] as Payload)[name[0] ?? ""] = value;
  });
}

const otherAttempts = (p: Payload) => (p["merge"] = { ...(p["merge"] as Payload), attempts: 77 });

const wrong = (payload: Payload) => (payload["value"] = 0.123);

const kindsOf = (index: number, change: (payload: Payload) => void) =>
  walk(changed(ROWS, index, change)).kinds;
const kindsOfChanged = (change: (payload: Payload) => void) =>
  kindsOf(indexOf("p95_attempts_to_merge", 9), change);

describe("a log that was written rightly", () => {
  it("has no differences, under any settings", () => {
    fc.assert(
      fc.property(anyMerges, anySettings, (all, metrics) => {
        const { verifier, found } = walk(rowsOf(record(all, metrics).rows), metrics);
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
        expect(walk(rowsOf(life.written.map(({ row }) => row)), life.settings).found).toStrictEqual([]);
      }),
      { numRuns: 150 },
    );
  });

  it("is counted: rows, merges, crossings, skips, rows of others", () => {
    const skip = skippedRow({ eventId: "9000", workItemId: "900", reason: "attempts_invalid" }, PRODUCER);
    const foreign = { id: "900", kind: "metric.cpu", workItemId: null, payload: "{}" };
    const { verifier, found } = walk([...ROWS, ...rowsOf([skip], 800), foreign]);
    expect(found).toStrictEqual([]);
    expect(verifier.counts).toStrictEqual({
      rows: ROWS.length + 2,
      merges: EVENTFUL.length,
      metric_rows: 4 * EVENTFUL.length,
      crossings: ROWS.length - 4 * EVENTFUL.length,
      skipped: 1,
      checkpoints: 0,
      unmarked: 1,
      not_judged: 0,
      other_bounds: 0,
    });
    expect(verifier.counts.crossings).toBeGreaterThan(3);
  });

  it("may have been written under other bounds: reported, but not a difference", () => {
    const stricter = SMALL.map((metric) =>
      metric.gate === null ? metric : { ...metric, gate: { ...metric.gate, upper: 1, lower: 1 } },
    );
    const { verifier, found } = walk(ROWS, stricter);
    expect(found).toStrictEqual([]);
    expect(verifier.counts.other_bounds).toBeGreaterThan(0);
  });
});

describe("a log that was not", () => {
  it("is refused by a replay where, and only where, it shows", () => {
    const fields =
      "seq n value numerator set_size scope project metric state window verdicts effective from to upper lower gate direction previous key".split(
        " ",
      );
    const facts = ["event_id", "work_item_id", "project", "attempts", "last_verdict", "merged_at"];
    const values = fc.oneof(
      fc.integer({ min: -1, max: 40 }),
      fc.constantFrom(null, "x", 0.5, 1 / 3, 0.25, true, [], 2 ** 53),
      fc.constantFrom("high", "low", "unknown", "global", "project", "up", "down", "atlas"),
      fc.constantFrom({ scope: "global", value: 0.5, state: "high" }, { event_id: "1", since: null }),
    );
    const field = fc.oneof(fc.constantFrom(...fields), fc.constantFrom(...facts.map((fact) => [fact])));
    fc.assert(
      fc.property(anyMerges, fc.nat(), field, values, (all, pick, name, value) => {
        const rows = rowsOf(record(all, SMALL).rows);
        fc.pre(rows.length > 0);
        const odd = edited(rows, pick, name, value);
        const shows = walk(odd).kinds.filter((kind) => !FOR_VERIFY_ALONE.has(kind));
        expect([shows, refused(odd, SMALL)]).toStrictEqual([shows, shows.length > 0]);
      }),
      { numRuns: 750 },
    );
  });

  it("is refused likewise where rows are missing, doubled or out of order", () => {
    fc.assert(
      fc.property(
        anyMerges,
        fc.nat(),
        fc.nat(),
        fc.constantFrom("gone", "twice", "moved"),
        (all, pick, to, how) => {
          const rows = rowsOf(record(all, SMALL).rows);
          fc.pre(rows.length > 0);
          const index = pick % rows.length;
          const row = rows[index] as AuditRow;
          const rest = how === "twice" ? rows : rows.toSpliced(index, 1);
          const odd = how === "gone" ? rest : rest.toSpliced(to % (rest.length + 1), 0, row);
          const shows = walk(odd).kinds.filter((kind) => !FOR_VERIFY_ALONE.has(kind));
          expect([shows, refused(odd, SMALL)]).toStrictEqual([shows, shows.length > 0]);
        },
      ),
      { numRuns: 300 },
    );
  });

  it("shows in effective, direction, gate, previous, key, facts and work item too, each as one difference", () => {
    const crossing = WRITTEN.rows.findLastIndex(({ kind }) => kind === "metric.threshold_crossed");
    const project = indexOf("rebase_conflict_rate", 5, "project");
    const young = indexOf("rebase_conflict_rate", 2, "project");
    expect(
      kindsOf(project, (p) => (p["effective"] = { ...(p["effective"] as Payload), value: 0.99 })),
    ).toStrictEqual(["effective"]);
    expect(kindsOf(young, (p) => delete p["effective"])).toStrictEqual(["effective"]);
    const global = { scope: "global", value: null, state: "unknown" };
    expect(kindsOf(0, (p) => (p["effective"] = global))).toStrictEqual(["effective"]);
    expect(kindsOf(0, (p) => (p["effective"] = {}))).toStrictEqual(["unreadable"]);
    expect(kindsOf(crossing, (p) => (p["direction"] = "up"))).toStrictEqual(["crossing"]);
    expect(kindsOf(crossing, (p) => (p["direction"] = "sideways"))).toContain("unreadable");
    expect(kindsOf(crossing, (p) => (p["gate"] = ""))).toContain("unreadable");
    expect(kindsOf(crossing, (p) => (p["previous"] = null))).toStrictEqual(["crossing"]);
    expect(kindsOf(9, (p) => (p["key"] = "another"))).toStrictEqual(["key"]);
    expect(kindsOf(indexOf("first_pass_merge_rate", 9), otherAttempts)).toStrictEqual(["facts"]);
    const row = ROWS[30] as AuditRow;
    expect(walk(ROWS.with(30, { ...row, workItemId: "77" })).kinds).toStrictEqual(["work_item"]);
  });

  it("shows a wrong number with what is recorded and what the facts give", () => {
    const index = indexOf("first_pass_merge_rate", 20);
    const { found } = walk(changed(ROWS, index, (payload) => (payload["numerator"] = 1)));
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

  it("is walked to its end: differences far apart are all reported", () => {
    const twice = changed(
      changed(ROWS, indexOf("p95_attempts_to_merge", 8), wrong),
      indexOf("p95_attempts_to_merge", 20),
      wrong,
    );
    expect(walk(twice).found.map(({ kind, seq }) => [kind, seq])).toStrictEqual([
      ["number", 8],
      ["number", 20],
    ]);
  });

  it("is not flooded by one missing merge: what stood on it is not judged until the windows are full again", () => {
    const at = indexOf("first_pass_merge_rate", 12);
    const size = WRITTEN.sets[11]?.length ?? 0;
    const { found, verifier } = walk(ROWS.toSpliced(at, size));
    expect(found.map(({ kind, scope, seq }) => [kind, scope, seq])).toStrictEqual([
      ["seq_gap", "global", 13],
      ["seq_gap", "project", 5],
    ]);
    expect(verifier.counts.not_judged).toBeGreaterThan(5);
  });

  it("may hold a merge twice", () => {
    const at = indexOf("first_pass_merge_rate", 12);
    const copy = ROWS.slice(at, at + (WRITTEN.sets[11]?.length ?? 0)).map((row, index) => ({
      ...row,
      id: String(5000 + index),
    }));
    expect(walk([...ROWS, ...copy]).kinds).toStrictEqual(["merge_repeated"]);
  });

  it("may lack a row of a merge, which is named", () => {
    const { found } = walk(ROWS.toSpliced(indexOf("p95_attempts_to_merge", 9), 1));
    expect(found).toMatchObject([
      { kind: "set_incomplete", recorded: "3 of 4 rows", expected: "also p95_attempts_to_merge (global)" },
    ]);
  });

  it("may lack a crossing", () => {
    const crossing = WRITTEN.rows.findLastIndex(({ kind }) => kind === "metric.threshold_crossed");
    expect(walk(ROWS.toSpliced(crossing, 1)).kinds).toStrictEqual(["set_incomplete", "state"]);
  });

  it("may hold rows of a newer version, or rows that are not whole", () => {
    expect(kindsOfChanged((payload) => (payload["schema_version"] = 2))).toContain("newer_schema");
    expect(kindsOfChanged((payload) => delete payload["value"])).toStrictEqual(["unreadable"]);
  });
});

it("judges the contract's own windows", () => {
  const long = history([...times(120, CLEAN), ...times(30, CONFLICT), ...times(40, REWORKED)]);
  expect(walk(rowsOf(record(long, CONTRACT).rows), CONTRACT).found).toStrictEqual([]);
});
