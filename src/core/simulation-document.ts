/** The simulation document: two folds of the same merges beside each other, as `metrics simulate --json` prints them. */
import { METRIC_NAMES, type MetricName } from "./metric.ts";
import type { SimulatedCrossing, SimulatedLine, Simulation, SimulationDocument } from "./simulation.ts";
import type { RecordedMerge } from "./timeline.ts";

export type SimulatedFolds = { readonly today: Simulation; readonly simulated: Simulation };

/** The ends of the history that both have folded; null where there is none. */
export type HistoryEnds = { readonly first: RecordedMerge | null; readonly newest: RecordedMerge | null };

/** @param projects whose lines are wanted beside those of the global scope and of all projects together. */
export function simulationOf(
  folds: SimulatedFolds,
  projects: readonly string[],
  { first, newest }: HistoryEnds,
  generatedAt: string,
): SimulationDocument {
  const scopes = [null, ...new Set(projects)];
  const gated = METRIC_NAMES.filter((name) => isGated(folds.today, name) || isGated(folds.simulated, name));
  const lines = gated.flatMap((metric) => [
    ...scopes.map((project) => lineOf(folds, metric, project)),
    allProjects(folds, metric),
  ]);
  return {
    schema_version: 1,
    as_of: {
      seq: newest === null ? 0 : (globalSeq(newest) ?? 0),
      event_id: newest?.merge.eventId ?? null,
      merged_at: newest?.merge.mergedAt ?? null,
      generated_at: generatedAt,
    },
    history_truncated: first !== null && globalSeq(first) !== 1,
    lines: lines.filter(({ today, simulated }) => today !== null || simulated !== null),
    crossings: (["today", "simulated"] as const).flatMap((under) =>
      gated.flatMap((metric) => scopes.flatMap((project) => crossings(folds, under, metric, project))),
    ),
  };
}

function isGated({ metrics }: Simulation, name: MetricName): boolean {
  return metrics.some((metric) => metric.name === name && metric.gate !== null && metric.record.length > 0);
}

function lineOf(
  { today, simulated }: SimulatedFolds,
  metric: MetricName,
  project: string | null,
): SimulatedLine {
  return {
    metric,
    scope: project === null ? "global" : "project",
    project,
    today: today.outcome(metric, project),
    simulated: simulated.outcome(metric, project),
  };
}

function allProjects({ today, simulated }: SimulatedFolds, metric: MetricName): SimulatedLine {
  return {
    metric,
    scope: "project",
    project: null,
    today: today.allProjects(metric),
    simulated: simulated.allProjects(metric),
  };
}

function crossings(
  folds: SimulatedFolds,
  under: keyof SimulatedFolds,
  metric: MetricName,
  project: string | null,
): SimulatedCrossing[] {
  return folds[under].crossings(metric, project).map(({ scope, seq, merge, from, to, value }) => ({
    under,
    metric,
    scope,
    project,
    seq,
    event_id: merge.event_id,
    merged_at: merge.merged_at,
    from,
    to,
    value,
  }));
}

function globalSeq({ rows }: RecordedMerge): number | null {
  return rows.find((row) => row.scope === "global")?.seq ?? null;
}
