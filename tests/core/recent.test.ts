import { describe, expect, test } from "vitest";
import { Analyzer, fold } from "../../src/core/analyzer.ts";
import { parseJournalRow } from "../../src/core/journal-row.ts";
import { RECENT_MERGES, Recent } from "../../src/core/recent.ts";
import {
  CONFLICT,
  CONTRACT,
  history,
  journal,
  merge,
  PRODUCER,
  REWORKED,
  record,
  SMALL,
  times,
} from "./build.ts";

const MERGES = history([...times(5, {}), ...times(6, REWORKED), ...times(6, CONFLICT), ...times(12, {})]);

/** Rows as they were appended, in batches of so many merges. */
function appended(batch: number): Recent {
  const recent = new Recent();
  const { sets } = record(MERGES, SMALL);
  let id = 1;
  for (let start = 0; start < sets.length; start += batch) {
    const rows = sets.slice(start, start + batch).flat();
    recent.appended(
      rows,
      rows.map(() => String(id++)),
    );
  }
  return recent;
}

/** Rows as they are read from the log of these settings. */
const readBack = (metrics: Parameters<typeof record>[1]) => {
  const recent = new Recent();
  for (const raw of journal(record(MERGES, metrics).rows)) recent.accept(parseJournalRow(raw));
  return recent;
};

describe("the last merges", () => {
  test("are the same whether their rows were appended or read back", () => {
    const read = readBack(SMALL);
    expect(read.history(SMALL)).toStrictEqual(appended(1).history(SMALL));
    expect(read.history(SMALL)).toStrictEqual(appended(7).history(SMALL));
  });

  test("say what the log says: values, gaps, states, crossings of every scope", () => {
    const { rows } = record(MERGES, SMALL);
    const { series, merges, crossings } = appended(3).history(SMALL);
    for (const { metric, points } of series) {
      const recorded = rows.flatMap(({ kind, payload }) =>
        kind === `metric.${metric}` && "seq" in payload && payload.scope === "global" ? [payload] : [],
      );
      expect(points).toMatchObject(
        recorded.map(({ seq, value, numerator, n, window, state }) => ({
          seq,
          value,
          numerator,
          n,
          window,
          state,
        })),
      );
    }
    const crossed = rows.flatMap(({ payload }) => ("gate" in payload ? [payload] : []));
    expect(crossings).toMatchObject(
      crossed.map(({ metric, gate, scope, project, from, to, value, upper, lower }) => ({
        metric,
        gate,
        scope,
        project,
        from,
        to,
        value,
        upper,
        lower,
      })),
    );
    expect(crossings.some(({ scope }) => scope === "project")).toBe(true);
    expect(series[0]?.points.filter(({ crossing }) => crossing !== null)).toHaveLength(
      crossings.filter(({ metric, scope }) => metric === series[0]?.metric && scope === "global").length,
    );
    expect(merges.map(({ seq, attempts }) => [seq, attempts])).toStrictEqual(
      MERGES.map(({ attempts }, index) => [index + 1, attempts]),
    );
  });

  test("are bounded, and the newest ones", () => {
    const recent = new Recent();
    const analyzer = new Analyzer(CONTRACT);
    let id = 1;
    for (let seq = 1; seq <= 3 * RECENT_MERGES; seq += 1) {
      const rows = fold(analyzer, merge(seq), PRODUCER);
      recent.appended(
        rows,
        rows.map(() => String(id++)),
      );
    }
    const { merges, series } = recent.history(CONTRACT);
    expect(merges).toHaveLength(RECENT_MERGES);
    expect(merges.at(-1)).toMatchObject({ seq: 3 * RECENT_MERGES });
    for (const { points } of series) expect(points).toHaveLength(RECENT_MERGES);
  });

  test("do not take a row twice, and pass over a set of which only the project's rows were read", () => {
    const raws = journal(record(MERGES, SMALL).rows);
    const recent = new Recent();
    for (const raw of [...raws.slice(3), ...raws.slice(0, 20)]) recent.accept(parseJournalRow(raw));
    expect(recent.history(SMALL).merges.map(({ seq }) => seq)).toStrictEqual(
      MERGES.slice(1).map((_, index) => index + 2),
    );
  });
});

describe("the last merges under other settings than they were recorded with", () => {
  test("have no points of a metric that was not recorded then", () => {
    const [first] = SMALL;
    const { series } = readBack(first === undefined ? [] : [first]).history(SMALL);
    expect(series.map(({ points }) => points.length)).toStrictEqual([MERGES.length, 0, 0]);
  });

  test("name a crossing after its metric where that has no gate any more, and judge by the usual verdicts", () => {
    const crossed = readBack(SMALL).history(CONTRACT.slice(0, 1));
    expect(new Set(crossed.crossings.map(({ gate }) => gate))).toStrictEqual(
      new Set(["trust", "rebase_conflict_rate"]),
    );
  });
});
