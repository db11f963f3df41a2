/**
 * The contract computed the slow and obvious way, sharing no code with src/core: for every merge the whole history
 * before it is filtered, sliced and counted again. Only the shapes of merges and settings are borrowed.
 */
import type { Merge } from "../../src/core/merge.ts";
import type { MetricSettings } from "../../src/core/metric.ts";

export type NaiveFigure = { n: number; numerator: number | null; value: number | null };

/** A metric over the last `window` of these merges. */
export function naiveFigure(
  name: string,
  window: number,
  verdicts: readonly string[],
  merges: readonly Merge[],
): NaiveFigure {
  const last = merges.slice(-window);
  const n = last.length;
  if (name === "p95_attempts_to_merge") {
    const sorted = last.map((one) => one.attempts).toSorted((a, b) => a - b);
    // Nearest rank: the smallest value that at least 95 of 100 merges do not exceed.
    const value = sorted.find((_, index) => (index + 1) * 100 >= 95 * n) ?? null;
    return { n, numerator: null, value: n === window ? value : null };
  }
  const matches =
    name === "first_pass_merge_rate"
      ? last.filter((one) => one.attempts === 1)
      : last.filter((one) => verdicts.some((verdict) => verdict === one.lastVerdict));
  return { n, numerator: matches.length, value: n === window ? matches.length / window : null };
}

type Standing = {
  state: string;
  defined: boolean;
  crossed: { event_id: string; since: string | null } | null;
};
type Row = { kind: string; workItemId: string | null; payload: Record<string, unknown> };

/** Who records a merge, and under which configuration. */
export type NaiveWriter = { readonly settings: readonly MetricSettings[]; readonly producer: string };

/** All rows that a history gives, set by set. @param writerOf of the merge at this place, from 0. */
export function naiveSets(merges: readonly Merge[], writerOf: (place: number) => NaiveWriter): Row[][] {
  const standings = new Map<string, Standing>();
  return merges.map((_, index) => {
    const { settings, producer } = writerOf(index);
    const upToNow = merges.slice(0, index + 1);
    const set: Row[] = [];
    for (const scope of ["global", "project"] as const) {
      for (const metric of settings.filter((one) => one.record.includes(scope))) {
        set.push(...naiveRows(upToNow, metric, scope, standings, producer));
      }
    }
    for (const row of set) row.payload["set_size"] = set.length;
    return set;
  });
}

/** @param upToNow merges, the one to record last. */
function naiveRows(
  upToNow: readonly Merge[],
  metric: MetricSettings,
  scope: "global" | "project",
  standings: Map<string, Standing>,
  producer: string,
): Row[] {
  const merge = upToNow.at(-1) as Merge;
  const verdicts = metric.verdicts ?? [];
  const mine = scope === "global" ? upToNow : upToNow.filter((one) => one.project === merge.project);
  const figure = naiveFigure(metric.name, metric.window, verdicts, mine);
  const globalFigure = naiveFigure(metric.name, metric.window, verdicts, upToNow);
  const place = scope === "global" ? "global" : `project:${merge.project}`;
  const series = `${metric.name}|${place}`;
  const before = standings.get(series) ?? { state: "unknown", defined: false, crossed: null };
  const globalState = () => standings.get(`${metric.name}|global`)?.state ?? "unknown";
  const { gate } = metric;

  let state = before.state;
  let crossing: Row | null = null;
  if (gate !== null && figure.value !== null) {
    const becameDefined = !before.defined;
    if (figure.value >= gate.upper) state = "high";
    else if (figure.value < gate.lower) state = "low";
    else if (scope === "project" && becameDefined && state === "unknown") state = globalState();
  }
  const inBand =
    gate === null || figure.value === null || (figure.value < gate.upper && figure.value >= gate.lower);
  const crosses = state !== before.state && !inBand;
  const crossed = crosses ? { event_id: merge.eventId, since: merge.mergedAt } : before.crossed;
  standings.set(series, {
    state: gate === null ? "unknown" : state,
    defined: figure.value !== null,
    crossed,
  });

  const payload: Record<string, unknown> = {
    schema_version: 1,
    key: `${series}|${merge.eventId}`,
    metric: metric.name,
    scope,
    project: scope === "global" ? null : merge.project,
    seq: mine.length,
    value: figure.value,
    numerator: figure.numerator,
    n: figure.n,
    window: metric.window,
    state: gate === null ? null : state,
    merge: {
      event_id: merge.eventId,
      work_item_id: merge.workItemId,
      project: merge.project,
      attempts: merge.attempts,
      last_verdict: merge.lastVerdict,
      merged_at: merge.mergedAt,
    },
    producer,
  };
  if (scope === "project" && gate !== null) {
    if (figure.value !== null) payload["effective"] = { scope: "project", value: figure.value, state };
    else if (globalFigure.value !== null)
      payload["effective"] = { scope: "global", value: globalFigure.value, state: globalState() };
    else payload["effective"] = { scope: null, value: null, state: "unknown" };
  }
  if (metric.verdicts !== null && [...metric.verdicts].join("\n") !== "rebase_conflict") {
    payload["verdicts"] = metric.verdicts;
  }
  const row = { kind: `metric.${metric.name}`, workItemId: merge.workItemId, payload };
  if (crosses && gate !== null) {
    crossing = {
      kind: "metric.threshold_crossed",
      workItemId: merge.workItemId,
      payload: {
        ...payload,
        key: `${series}|${merge.eventId}|crossed`,
        gate: gate.name,
        direction: state === "high" ? "up" : "down",
        from: before.state,
        to: state,
        upper: gate.upper,
        lower: gate.lower,
        previous: before.crossed,
      },
    };
  }
  return crossing === null ? [row] : [row, crossing];
}
