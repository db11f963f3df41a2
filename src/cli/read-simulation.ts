/** Reads the whole history, and simulates today's settings and others. */
import type { Config } from "../config.ts";
import type { HistorySeries } from "../core/history.ts";
import type { MetricSettings } from "../core/metric.ts";
import { Simulation, type SimulationDocument, simulationOf } from "../core/simulation.ts";
import type { RecordedMerge } from "../core/timeline.ts";
import { foldRecorded } from "./fold-recorded.ts";
import { journalEnd, now, type ReadOptions, readLog } from "./read-log.ts";

export type SimulateOptions = ReadOptions & {
  readonly metrics: readonly MetricSettings[];
  /** Lines beside those of the global scope and of all projects together. */
  readonly projects: readonly string[];
  /** Points of each plot. */
  readonly last: number;
};

export type Simulated = {
  readonly document: SimulationDocument;
  /** Today's and the simulated series of each line that is plotted. */
  readonly plots: readonly (readonly [today: HistorySeries, simulated: HistorySeries])[];
};

/** @throws Failed */
export function readSimulation(config: Config, options: SimulateOptions): Promise<Simulated> {
  return readLog(config, "simulate", options, async (access) => {
    const both = await foldRecorded(access, await journalEnd(access), options.progress, () => {
      const today = new Simulation(config.metrics, options);
      const simulated = new Simulation(options.metrics, options);
      const take = (recorded: RecordedMerge): void => {
        today.accept(recorded);
        simulated.accept(recorded);
      };
      return { take, result: { today, simulated } };
    });
    const document = simulationOf(both, await now(access.query));
    const plotted = document.lines.filter(({ scope, project }) => scope === "global" || project !== null);
    return {
      document,
      plots: plotted.map(({ metric, project }) => [
        both.today.series(metric, project),
        both.simulated.series(metric, project),
      ]),
    };
  });
}
