/** The short way through a journal gives what folding every row gives, or nothing. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FastReplay, factsSource } from "../../src/core/fast-replay.ts";
import {
  type JournalRow,
  type MetricRow,
  parseJournalRow,
  type RawJournalRow,
} from "../../src/core/journal-row.ts";
import type { MetricSettings } from "../../src/core/metric.ts";
import { CROSSING_KIND, skippedRow } from "../../src/core/metric-event.ts";
import { capacityFor, type Walk } from "../../src/core/walk.ts";
import { tellFacts } from "../support/facts.ts";
import { merges, outcomes, settings } from "./arbitraries.ts";
import {
  CLEAN,
  CONFLICT,
  CONTRACT,
  foldAll,
  history,
  journal,
  memory,
  PRODUCER,
  REWORKED,
  record,
  replay,
  SMALL,
  snapshotText,
  times,
} from "./build.ts";
import { Life } from "./life.ts";

/** Folds the facts up to merge `cut`, and the rows after its set one by one. */
function short(
  raws: readonly RawJournalRow[],
  metrics: readonly MetricSettings[],
  cut: number,
  checkpointRow = 0,
): Walk | null {
  const source = factsSource(metrics);
  const rows = raws.map(readable);
  const set = rows.filter((row): row is MetricRow => row.type === "metric" && isOf(row, cut, rows));
  const last = set.at(-1);
  if (source === null || last === undefined) return null;
  const known = raws.filter(({ id }) => Number(id) <= Number(last.id));
  const facts = new FastReplay(metrics, capacityFor(rows), checkpointRow);
  tellFacts(
    known,
    source,
    (row) => facts.accept(row),
    (row) => facts.acceptOther(row),
  );
  if (facts.analyzer.global.seq !== cut) return null;
  facts.checkFirst(setsOf(known, facts.firstRow === null ? [] : [facts.firstRow]));
  facts.settleProjects(setsOf(known, facts.newestRows));
  const going = facts.handOver(set);
  if (going === null) return null;
  for (const row of rows.slice(rows.findIndex(({ id }) => id === last.id) + 1)) going.accept(row);
  going.end();
  return going;
}

/** The rows of the sets that these rows belong to. */
function setsOf(raws: readonly RawJournalRow[], rowIds: readonly number[]): RawJournalRow[] {
  const rows = raws.map((raw) => ({ raw, row: readable(raw) }));
  const eventOf = ({ row }: (typeof rows)[number]) => (row.type === "metric" ? row.merge.eventId : null);
  const events = new Set(rows.filter(({ raw }) => rowIds.includes(Number(raw.id))).map(eventOf));
  return rows.filter((one) => one.row.type === "metric" && events.has(eventOf(one))).map(({ raw }) => raw);
}

/** As a search for the newest rows finds an older one that is unfit. */
function readable(raw: RawJournalRow): JournalRow {
  try {
    return parseJournalRow(raw);
  } catch {
    return { type: "unmarked", id: raw.id };
  }
}

function isOf(row: MetricRow, seq: number, rows: readonly JournalRow[]): boolean {
  return rows.some(
    (one) =>
      one.type === "metric" &&
      one.scope === "global" &&
      one.seq === seq &&
      one.merge.eventId === row.merge.eventId,
  );
}

describe("the facts of a journal and its newest rows", () => {
  it("give the memory that all of its rows give, and the same future, wherever they meet", () => {
    fc.assert(
      fc.property(
        settings,
        merges,
        outcomes,
        fc.nat(),
        fc.nat(5),
        (metrics, all, later, somewhere, skips) => {
          fc.pre(all.length > 0);
          const skipped = skippedRow(
            { eventId: "7", workItemId: null, reason: "work_item_missing" },
            PRODUCER,
          );
          const rows = record(all, metrics).sets.flatMap((set, index) =>
            index < skips ? [skipped, ...set] : set,
          );
          const raws = journal(rows);
          const whole = replay(raws, metrics);
          const quick = short(raws, metrics, 1 + (somewhere % all.length));
          if (quick === null) throw new Error("nothing stood in the way");
          expect(memory(quick.analyzer)).toEqual(memory(whole.analyzer));
          expect(snapshotText(quick.analyzer)).toBe(snapshotText(whole.analyzer));
          expect(quick.merges).toBe(whole.merges);
          const next = history(later, all.length + 1);
          expect(foldAll(quick.analyzer, next)).toEqual(foldAll(whole.analyzer, next));
        },
      ),
    );
  });

  it("give the same memory or none at all when settings changed on the way and rows went from the old end", () => {
    let given = 0;
    /** Null: as before. */
    const change = fc.option(settings, { freq: 1 });
    const step = fc.record({ merges: outcomes, change, prune: fc.constantFrom(0, 0, 0, 3, 40) });
    fc.assert(
      fc.property(
        fc.array(step, { minLength: 1, maxLength: 4 }),
        change,
        fc.nat(),
        (steps, lastChange, somewhere) => {
          let metrics: readonly MetricSettings[] = SMALL;
          const life = new Life(metrics);
          for (const { merges: some, change: changed, prune } of steps) {
            metrics = changed ?? metrics;
            life.restart(metrics);
            life.merge(some);
            life.prune(prune);
          }
          const { raws } = life;
          const seq = life.analyzer.global.seq;
          fc.pre(seq > 0);
          const last = lastChange ?? metrics;
          const whole = replay(raws, last);
          let quick: Walk | null = null;
          try {
            quick = short(raws, last, 1 + (somewhere % seq));
          } catch {
            // What the facts alone gave contradicts the rows after them: the whole journal decides.
          }
          if (quick === null) return;
          given += 1;
          expect(memory(quick.analyzer)).toEqual(memory(whole.analyzer));
        },
      ),
      { numRuns: 150 },
    );
    expect(given).toBeGreaterThan(0);
  });

  it("know up to where a checkpoint covers them", () => {
    const { rows } = record(history(times(9, CLEAN)), SMALL);
    const raws = journal(rows);
    const third = rows.findIndex(({ payload }) => "seq" in payload && payload.seq === 4);
    expect(short(raws, SMALL, 7, third + 0.5)?.checkpointSeq).toBe(3);
    expect(short(raws, SMALL, 7)?.checkpointSeq).toBe(0);
  });
});

describe("the facts of a journal", () => {
  const RAWS = journal(record(history([...times(9, CONFLICT), ...times(9, REWORKED)]), SMALL).rows);
  const edited = (at: number, edit: (text: string) => string): RawJournalRow[] =>
    RAWS.map((raw, index) => (index === at ? { ...raw, payload: edit(raw.payload ?? "") } : raw));
  /** The row that tells the order at the fifth merge: the first row of its set. */
  const FIFTH = RAWS.findIndex((raw) => /"seq":5,.*"scope":"global"/.test(raw.payload ?? ""));

  it.each<[string, RawJournalRow[]]>([
    ["a gap in seq", RAWS.filter((_, index) => index !== FIFTH)],
    ["a repeat in seq", RAWS.flatMap((raw, index) => (index === FIFTH ? [raw, raw] : [raw]))],
    ["an old end that is gone", RAWS.slice(5)],
    ["a seq that is no number", edited(FIFTH, (text) => text.replace('"seq":5', '"seq":"05"'))],
    [
      "a newer schema_version",
      edited(FIFTH, (text) => text.replace('"schema_version":1', '"schema_version":2')),
    ],
    ["no project", edited(FIFTH, (text) => text.replaceAll('"project":"atlas"', '"project":""'))],
    ["attempts that are none", edited(FIFTH, (text) => text.replace(/"attempts":\d+/, '"attempts":0'))],
  ])("do not serve with %s", (_, raws) => {
    expect(short(raws, SMALL, 16)).toBeNull();
  });

  it("are unusable with an old end deleted within the first set, before the row that shows the order", () => {
    const [first, second, third] = SMALL as [MetricSettings, MetricSettings, MetricSettings];
    const reordered: MetricSettings[] = [
      { ...first, record: ["global", "project"] },
      { ...second, record: ["global"] },
      third,
    ];
    const raws = journal(record(history(times(9, CLEAN)), reordered).rows);
    expect(short(raws, reordered, 7)).not.toBeNull();
    expect(short(raws.slice(1), reordered, 7)).toBeNull();
  });

  it.each([
    ["a project's row", "metric.rebase_conflict_rate"],
    ["a project's crossing", CROSSING_KIND],
  ])("are unusable after a set of which only %s is left: the order begins again with 1", (_, kind) => {
    const life = new Life(SMALL);
    life.merge(times(9, CONFLICT));
    const left = life.written.findLast(
      ({ row }) => row.kind === kind && /"scope":"project"/.test(JSON.stringify(row.payload)),
    );
    life.written = left === undefined ? [] : [left];
    life.restart();
    life.merge(times(9, CLEAN));
    expect(life.analyzer.global.seq).toBe(9);
    expect(replay(life.raws, SMALL).analyzer.truncated).toBe(true);
    expect(short(life.raws, SMALL, 7)).toBeNull();
  });

  it("skip an unmarked row of such a kind", () => {
    const foreign = { id: "2.5", kind: "metric.first_pass_merge_rate", payload: '{"value":1}' };
    const raws = [...RAWS.slice(0, 2), foreign, ...RAWS.slice(2)];
    expect(memory(short(raws, SMALL, 16)?.analyzer ?? record([], SMALL).analyzer)).toEqual(
      memory(replay(raws, SMALL).analyzer),
    );
    expect(short(raws, SMALL, 16)?.unmarked).toBe(1);
  });

  it("are found through a metric without rows of projects where there is one, and through none where nothing is recorded", () => {
    expect(factsSource(CONTRACT)).toEqual({
      order: "first_pass_merge_rate",
      inProjects: false,
      globalOnly: ["p95_attempts_to_merge"],
      unrecorded: [],
    });
    expect(factsSource([{ ...(CONTRACT[1] as MetricSettings) }])?.inProjects).toBe(true);
    expect(factsSource([{ ...(CONTRACT[1] as MetricSettings), record: [] }])).toBeNull();
  });
});
