/** The whole history, folded twice: under today's settings and under others. */
import type { Config } from "../config.ts";
import type { HistorySeries } from "../core/history.ts";
import { gateFor, type MetricSettings } from "../core/metric.ts";
import { Simulation, type SimulationDocument } from "../core/simulation.ts";
import { simulationOf } from "../core/simulation-document.ts";
import type { RecordedMerge } from "../core/timeline.ts";
import { foldRecorded } from "./fold-recorded.ts";
import { journalEnd, type LogAccess, now, type ReadOptions, readLog } from "./read-log.ts";

export type SimulateOptions = ReadOptions & {
  readonly metrics: readonly MetricSettings[];
  /** Lines beside those of the global scope and of all projects together. */
  readonly projects: readonly string[];
  /** Points of each plot. */
  readonly last: number;
  /** How far it has come, 0–1. */
  readonly progress: (share: number) => void;
};

export type Simulated = {
  readonly document: SimulationDocument;
  /** Today's and the simulated series of each line that is plotted. */
  readonly plots: readonly (readonly [today: HistorySeries, simulated: HistorySeries])[];
};

/** @throws Unreadable */
export function readSimulation(config: Config, options: SimulateOptions): Promise<Simulated> {
  return readLog(config, "simulate", options, (access) => simulate(access, config, options));
}

async function simulate(access: LogAccess, config: Config, options: SimulateOptions): Promise<Simulated> {
  const end = await journalEnd(access);
  const { today, other, ends } = await foldRecorded(access, end, options.progress, () =>
    begin(config, options),
  );
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

/** Both simulations at once. */
function begin(config: Config, options: SimulateOptions) {
  const today = new Simulation(config.metrics, options);
  const other = new Simulation(options.metrics, options);
  const ends: { first: RecordedMerge | null; newest: RecordedMerge | null } = { first: null, newest: null };
  const take = (recorded: RecordedMerge): void => {
    ends.first ??= recorded;
    ends.newest = recorded;
    today.accept(recorded);
    other.accept(recorded);
  };
  return { take, result: { today, other, ends } };
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
