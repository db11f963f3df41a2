import { describe, expect, test } from "vitest";
import { Analyzer, fold } from "../../src/core/analyzer.ts";
import { parseJournalRow } from "../../src/core/journal-row.ts";
import {
  PROJECT_MERGES,
  PROJECTS_KEPT,
  RECENT_MERGES,
  RECENT_PROJECTS,
  StatusHistory,
} from "../../src/core/status-history.ts";
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
function appended(batch: number): StatusHistory {
  const recent = new StatusHistory();
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
  const recent = new StatusHistory();
  for (const raw of journal(record(MERGES, metrics).rows)) recent.accept(parseJournalRow(raw));
  return recent;
};

/** So many merges, of each project in turn. */
function story(projects: readonly string[], merges: number): StatusHistory {
  const recent = new StatusHistory();
  const analyzer = new Analyzer(CONTRACT);
  let id = 0;
  for (let seq = 1; seq <= merges; seq += 1) {
    const rows = fold(analyzer, merge(seq, { project: projects[seq % projects.length] ?? "" }), PRODUCER);
    id += rows.length;
    recent.appended(rows, BigInt(id));
  }
  return recent;
}

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
    const { merges, series } = story(["atlas"], 3 * RECENT_MERGES).history(CONTRACT);
    expect(merges).toHaveLength(RECENT_MERGES);
    expect(merges.at(-1)).toMatchObject({ seq: 3 * RECENT_MERGES });
    for (const { scope, points } of series)
      expect(points).toHaveLength(scope === "global" ? RECENT_MERGES : PROJECT_MERGES);
  });

  test("do not take a row twice, and skip a set of which only the project's rows were read", () => {
    const raws = journal(record(MERGES, SMALL).rows);
    const recent = new StatusHistory();
    for (const raw of [...raws.slice(3), ...raws.slice(0, 20)]) recent.accept(parseJournalRow(raw));
    expect(recent.history(SMALL).merges.map(({ seq }) => seq)).toStrictEqual(
      MERGES.slice(1).map((_, index) => index + 2),
    );
  });
});

const ofProjects = (recent: StatusHistory) =>
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

  test("are those of projects with a rate of their own, then of the most active; more would fill no page", () => {
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

  test("begin anew after merges whose rows were not read", () => {
    const recent = new StatusHistory();
    const raws = journal(record(MERGES, SMALL).rows);
    const [before, after] = [raws.slice(0, 20), raws.slice(-20)];
    for (const raw of [...before, ...after]) recent.accept(parseJournalRow(raw));
    const lines = recent.history(SMALL).series.map(({ points }) => points.map(({ seq }) => seq));
    for (const seqs of lines) {
      expect(seqs.length).toBeGreaterThan(0);
      expect(seqs).toStrictEqual(seqs.map((_, index) => MERGES.length - seqs.length + index + 1));
    }
  });
});

describe("the last merges under other settings than they were recorded with", () => {
  test("have no points of a metric that was not recorded then", () => {
    const [first] = SMALL;
    const { series } = readBack(first === undefined ? [] : [first]).history(SMALL);
    expect(series.map(({ points }) => points.length)).toStrictEqual([MERGES.length, 0, 0]);
  });

  test("show a crossing with its gate's name and bounds at its time, and judge by the usual verdicts", () => {
    const renamed = SMALL.map((metric) => ({
      ...metric,
      gate: metric.gate === null ? null : { name: `new_${metric.gate.name}`, upper: 1, lower: 0 },
    }));
    const [then, now, without] = [SMALL, renamed, CONTRACT.slice(0, 1)].map(
      (metrics) => readBack(SMALL).history(metrics).crossings,
    );
    expect(new Set(then?.map(({ gate }) => gate))).toStrictEqual(new Set(["trust", "scope_overlap"]));
    expect(now).toStrictEqual(then);
    expect(without).toStrictEqual(then);
    const { series } = readBack(SMALL).history(renamed);
    expect(series.flatMap(({ points }) => points.flatMap(({ crossing }) => crossing ?? []))).toHaveLength(
      then?.length ?? 0,
    );
    expect(series[0]?.gate).toMatchObject({ name: "new_trust", upper: 1 });
  });
});
