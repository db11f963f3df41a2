/** The whole history, folded twice: under today's settings and under others. */
import type { Config } from "../config.ts";
import type { HistorySeries } from "../core/history.ts";
import { gateFor, type MetricSettings } from "../core/metric.ts";
import { Simulation, type SimulationDocument } from "../core/simulation.ts";
import { simulationOf } from "../core/simulation-document.ts";
import { type RecordedMerge, Timeline } from "../core/timeline.ts";
import { PAGE_ROWS } from "../outbox-log.ts";
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
  const document = simulationOf({ today, simulated: other }, options.projects, ends, await now(access.query));
  const plotted = document.lines.filter(({ scope, project }) => scope === "global" || project !== null);
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
