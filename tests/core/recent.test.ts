import { describe, expect, test } from "vitest";
import { Analyzer, fold } from "../../src/core/analyzer.ts";
import { parseJournalRow } from "../../src/core/journal-row.ts";
import { RECENT_MERGES, RECENT_PROJECTS, Recent } from "../../src/core/recent.ts";
import { PROJECT_MERGES, PROJECTS_KEPT } from "../../src/core/recent-projects.ts";
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
  let id = 0;
  for (let start = 0; start < sets.length; start += batch) {
    const rows = sets.slice(start, start + batch).flat();
    id += rows.length;
    recent.appended(rows, BigInt(id));
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
    expect(series.map(({ metric, project }) => [metric, project])).toStrictEqual([
      ["first_pass_merge_rate", null],
      ["rebase_conflict_rate", null],
      ["p95_attempts_to_merge", null],
      ["rebase_conflict_rate", "atlas"],
    ]);
    for (const { metric, scope, points } of series) {
      const recorded = rows.flatMap(({ kind, payload }) =>
        kind === `metric.${metric}` && "seq" in payload && payload.scope === scope ? [payload] : [],
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
    let id = 0;
    for (let seq = 1; seq <= 3 * RECENT_MERGES; seq += 1) {
      const rows = fold(analyzer, merge(seq), PRODUCER);
      id += rows.length;
      recent.appended(rows, BigInt(id));
    }
    const { merges, series } = recent.history(CONTRACT);
    expect(merges).toHaveLength(RECENT_MERGES);
    expect(merges.at(-1)).toMatchObject({ seq: 3 * RECENT_MERGES });
    for (const { scope, points } of series)
      expect(points).toHaveLength(scope === "global" ? RECENT_MERGES : PROJECT_MERGES);
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

/** So many merges of each project in turn, recorded one by one or in one batch. */
function story(projects: readonly string[], merges: number, batch = 1): Recent {
  const recent = new Recent();
  const analyzer = new Analyzer(CONTRACT);
  let id = 0;
  for (let seq = 0; seq < merges; seq += batch) {
    const rows = Array.from({ length: batch }, (_, index) =>
      fold(
        analyzer,
        merge(seq + index + 1, { project: projects[(seq + index) % projects.length] ?? "" }),
        PRODUCER,
      ),
    ).flat();
    id += rows.length;
    recent.appended(rows, BigInt(id));
  }
  return recent;
}

const ofProjects = (recent: Recent) =>
  recent.history(CONTRACT).series.filter(({ project }) => project !== null);

describe("the last merges of projects", () => {
  test("reach farther back than the last merges of all, without a gap, and are bounded", () => {
    const projects = ["atlas", "borealis", "cassini", "__proto__"];
    const series = ofProjects(story(projects, 4 * 400));
    expect(new Set(series.map(({ project }) => project))).toStrictEqual(new Set(projects));
    for (const { metric, source, points } of series) {
      expect([metric, source]).toStrictEqual(["rebase_conflict_rate", "recorded"]);
      expect(points.map(({ seq }) => seq)).toStrictEqual(
        Array.from({ length: PROJECT_MERGES }, (_, index) => 400 - PROJECT_MERGES + index + 1),
      );
    }
  });

  test("are those of projects with a rate of their own, then of the busiest; more would fill no page", () => {
    const busy = Array.from({ length: 8 }, (_, index) => `busy-${index}`);
    const young = Array.from({ length: 40 }, (_, index) => `young-${index}`);
    const recent = story([...busy, ...busy, ...busy, ...young], 40 * 64);
    const series = ofProjects(recent);
    expect(series).toHaveLength(RECENT_PROJECTS);
    expect(series.slice(0, 8).every(({ points }) => points.at(-1)?.value !== null)).toBe(true);
    expect(new Set(series.slice(0, 8).map(({ project }) => project))).toStrictEqual(new Set(busy));
    expect(series.slice(8).every(({ project }) => project?.startsWith("young-"))).toBe(true);
  });

  test("of projects that have not merged for long are forgotten", () => {
    const many = Array.from({ length: PROJECTS_KEPT + 50 }, (_, index) => `project-${index}`);
    const series = ofProjects(story(many, 2 * many.length));
    // Each was forgotten before its second merge.
    for (const { points } of series) expect(points.map(({ seq }) => seq)).toStrictEqual([2]);
  });

  test("begin after what a large batch was too large to remember", () => {
    const batch = RECENT_MERGES * 12;
    const series = ofProjects(story(["atlas", "borealis"], 2 * batch, batch));
    for (const { points } of series) {
      expect(points.length).toBeGreaterThanOrEqual(PROJECT_MERGES);
      const first = points[0]?.seq ?? 0;
      expect(points.map(({ seq }) => seq)).toStrictEqual(points.map((_, index) => first + index));
    }
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
