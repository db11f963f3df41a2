/** Explanations from the log: the snapshot's fold, and the newest rows for what a window alone does not keep. */
import type { Config } from "../config.ts";
import { type Explanations, explain, type PlacedMerge } from "../core/explanation.ts";
import { METRIC_NAMES, type MetricName } from "../core/metric.ts";
import { metricKind } from "../core/metric-event.ts";
import { type RecordedMerge, Timeline } from "../core/timeline.ts";
import { newestRows } from "../postgres/newest-rows.ts";
import { type LogAccess, type ReadOptions, readLog } from "./read-log.ts";
import { lookAt } from "./read-snapshot.ts";

export type ExplainOptions = ReadOptions & {
  /** Null for all. */
  readonly metric: MetricName | null;
  /** Empty for the global scope. */
  readonly projects: readonly string[];
};

/** @throws Failed */
export function readExplanations(config: Config, options: ExplainOptions): Promise<Explanations> {
  const { metric, projects } = options;
  return readLog(config, "explain", options, async (access) => {
    const { snapshot, analyzer, end } = await lookAt(access, config);
    const explanations = [];
    for (const project of projects.length === 0 ? [null] : new Set(projects)) {
      const readings = snapshot.metrics.filter(
        (reading) => reading.project === project && (metric === null || reading.metric === metric),
      );
      const most = Math.max(0, ...readings.map(({ n }) => n));
      const recorded = await newestMerges(access, end, project, most);
      explanations.push(...readings.map((reading) => explain(analyzer, reading, recorded)));
    }
    return { schema_version: 1, as_of: snapshot.as_of, lag: snapshot.lag, explanations };
  });
}

/** The newest merges of a scope, newest first. */
async function newestMerges(
  access: LogAccess,
  end: bigint | null,
  project: string | null,
  most: number,
): Promise<PlacedMerge[]> {
  const found: PlacedMerge[] = [];
  if (most === 0 || end === null) return found;
  const timeline = new Timeline();
  const take = (recorded: RecordedMerge | null): void => {
    if (recorded !== null && (project === null || recorded.merge.project === project)) found.push(recorded);
  };
  const kinds = METRIC_NAMES.map(metricKind);
  for await (const raw of newestRows(access, { kinds, upTo: end })) {
    take(timeline.accept(raw));
    if (found.length >= most) return found;
  }
  take(timeline.end());
  return found;
}
