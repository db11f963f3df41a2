/** The whole history, folded twice: under today's settings and under others. */
import type { Config } from "../config.ts";
import type { HistorySeries } from "../core/history.ts";
import { gateFor, METRIC_NAMES, type MetricSettings } from "../core/metric.ts";
import { type SimulatedLine, Simulation, type SimulationDocument } from "../core/simulation.ts";
import { type RecordedMerge, Timeline } from "../core/timeline.ts";
import { PAGE_ROWS } from "../restore.ts";
import { type LogAccess, now, readLog } from "./read-log.ts";

export type SimulateOptions = {
  readonly timeoutMs: number;
  readonly metrics: readonly MetricSettings[];
  /** Lines beside those of the global scope and of all projects together. */
  readonly projects: readonly string[];
  /** Points of each plot. */
  readonly last: number;
  readonly progress: (share: number) => void;
};

export type Simulated = {
  readonly document: SimulationDocument;
  /** Today's and the simulated series of each line that is plotted. */
  readonly plots: readonly (readonly [today: HistorySeries, simulated: HistorySeries])[];
};

/** @throws Unreadable */
export function readSimulation(config: Config, options: SimulateOptions): Promise<Simulated> {
  return readLog(config, "simulate", options.timeoutMs, (access) => simulate(access, config, options));
}

async function simulate(access: LogAccess, config: Config, options: SimulateOptions): Promise<Simulated> {
  const today = new Simulation(config.metrics, options.last);
  const other = new Simulation(options.metrics, options.last);
  const ends: { first: RecordedMerge | null; newest: RecordedMerge | null } = { first: null, newest: null };
  await walk(access, options.progress, (recorded) => {
    ends.first ??= recorded;
    ends.newest = recorded;
    today.accept(recorded);
    other.accept(recorded);
  });
  const scopes = [null, ...new Set(options.projects)];
  const gated = METRIC_NAMES.filter((name) =>
    [config.metrics, options.metrics].some((metrics) => gateOf(metrics, name)),
  );
  const lines = gated.flatMap((metric): SimulatedLine[] => [
    ...scopes.map((project) => ({
      metric,
      scope: project === null ? ("global" as const) : ("project" as const),
      project,
      today: today.outcome(metric, project),
      simulated: other.outcome(metric, project),
    })),
    {
      metric,
      scope: "project",
      project: null,
      today: today.allProjects(metric),
      simulated: other.allProjects(metric),
    },
  ]);
  const present = lines.filter((line) => line.today !== null || line.simulated !== null);
  const document: SimulationDocument = {
    schema_version: 1,
    as_of: { ...placeOf(ends.newest), generated_at: await now(access.query) },
    history_truncated: ends.first !== null && globalSeq(ends.first) !== 1,
    lines: present,
    crossings: (["today", "simulated"] as const).flatMap((under) =>
      gated.flatMap((metric) =>
        scopes.flatMap((project) =>
          (under === "today" ? today : other).crossings(metric, project).map((crossing) => ({
            under,
            metric,
            scope: crossing.scope,
            project,
            seq: crossing.seq,
            event_id: crossing.merge.event_id,
            merged_at: crossing.merge.merged_at,
            from: crossing.from,
            to: crossing.to,
            value: crossing.value,
          })),
        ),
      ),
    ),
  };
  const plotted = present.filter(({ scope, project }) => scope === "global" || project !== null);
  return {
    document,
    plots: plotted.map(({ metric, scope, project }) => [
      seriesOf(today, metric, scope, project),
      seriesOf(other, metric, scope, project),
    ]),
  };
}

async function walk(
  { reader }: LogAccess,
  progress: (share: number) => void,
  take: (recorded: RecordedMerge) => void,
): Promise<void> {
  const newest = await reader.newest();
  const timeline = new Timeline();
  for (let after = 0n; after < newest; ) {
    const end = await reader.pageEnd(after, newest, PAGE_ROWS);
    for (const raw of await reader.journal(after, end)) {
      const complete = timeline.accept(raw);
      if (complete !== null) take(complete);
    }
    after = end;
    progress(Number(after) / Number(newest));
  }
  const last = timeline.end();
  if (last !== null) take(last);
}

function gateOf(metrics: readonly MetricSettings[], name: string): boolean {
  return metrics.some((metric) => metric.name === name && metric.gate !== null && metric.record.length > 0);
}

function globalSeq({ rows }: RecordedMerge): number | null {
  return rows.find((row) => row.scope === "global")?.seq ?? null;
}

function placeOf(newest: RecordedMerge | null): {
  seq: number;
  event_id: string | null;
  merged_at: string | null;
} {
  if (newest === null) return { seq: 0, event_id: null, merged_at: null };
  return {
    seq: globalSeq(newest) ?? 0,
    event_id: newest.merge.eventId,
    merged_at: newest.merge.mergedAt,
  };
}

function seriesOf(
  simulation: Simulation,
  metric: HistorySeries["metric"],
  scope: HistorySeries["scope"],
  project: string | null,
): HistorySeries {
  const settings = simulation.metrics.find(({ name }) => name === metric);
  return {
    metric,
    scope,
    project,
    source: "computed",
    gate: settings === undefined ? null : gateFor(settings, scope),
    points: simulation.points(metric, project),
  };
}
