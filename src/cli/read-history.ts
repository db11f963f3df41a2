/** Histories from the log: recorded rows from the newest back, or simulated from the merges if nothing is recorded. */
import type { Config } from "../config.ts";
import {
  crossingOf,
  type History,
  type HistoryCrossing,
  type HistoryPoint,
  type HistorySeries,
  pointOf,
  seriesOf,
} from "../core/history.ts";
import { type MetricRow, readable } from "../core/journal-row.ts";
import { METRIC_NAMES, type MetricName, type MetricSettings } from "../core/metric.ts";
import { CROSSING_KIND, metricKind } from "../core/metric-event.ts";
import { Simulation } from "../core/simulation.ts";
import type { RecordedMerge } from "../core/timeline.ts";
import { newestRows } from "../postgres/newest-rows.ts";
import { foldRecorded } from "./fold-recorded.ts";
import { journalEnd, type LogAccess, now, type ReadOptions, readLog, shareOf } from "./read-log.ts";

export type HistoryOptions = ReadOptions & {
  /** Null for all. */
  readonly metric: MetricName | null;
  /** Empty for the global scope. */
  readonly projects: readonly string[];
  /** How many of the newest merges. */
  readonly last: number;
};

/** A metric of a scope. */
type Wanted = { readonly metric: MetricSettings; readonly project: string | null };

type Part = {
  readonly end: bigint | null;
  readonly last: number;
  readonly progress: (share: number) => void;
};

/** @throws Failed */
export function readHistory(config: Config, options: HistoryOptions): Promise<History> {
  const metrics = config.metrics.filter(({ name }) => options.metric === null || name === options.metric);
  const scopes = options.projects.length === 0 ? [null] : [...new Set(options.projects)];
  const wanted = scopes.flatMap((project) => metrics.map((metric) => ({ metric, project })));
  const [recorded, computed] = [wanted.filter(isRecorded), wanted.filter((one) => !isRecorded(one))];
  const readings = Math.sign(recorded.length) + Math.sign(computed.length);
  const progress = (nth: number) => (share: number) => options.progress?.((nth + share) / readings);
  return readLog(config, "history", options, async (access) => {
    const end = await journalEnd(access);
    const { last } = options;
    // Computing reads the whole journal, recorded points are at its end: at most two passes.
    const series = [
      ...(await computedSeries(access, computed, { end, last, progress: progress(0) })),
      ...(await recordedSeries(access, recorded, { end, last, progress: progress(readings - 1) })),
    ];
    return {
      schema_version: 1,
      as_of: { ...(await newestMerge(access, end)), generated_at: await now(access.query) },
      series: wanted.flatMap(({ metric, project }) =>
        series.filter((one) => one.metric === metric.name && one.project === project),
      ),
    };
  });
}

/** Whether the log has rows of it. If not, it is computed from the merges. */
function isRecorded({ metric, project }: Wanted): boolean {
  return project === null || metric.record.includes("project");
}

/** Series of projects: simulated under settings that record their metrics for projects, without a gate. */
async function computedSeries(
  access: LogAccess,
  wanted: readonly Wanted[],
  { end, last, progress }: Part,
): Promise<HistorySeries[]> {
  if (wanted.length === 0) return [];
  const projects = wanted.map(({ project }) => project ?? "");
  const metrics = [...new Set(wanted.map(({ metric }) => metric))].map(
    (metric): MetricSettings => ({ ...metric, record: ["global", "project"], gate: null }),
  );
  const simulation = await foldRecorded(access, end, progress, () => {
    const result = new Simulation(metrics, { projects, last });
    const take = (recorded: RecordedMerge): void => {
      if (projects.includes(recorded.merge.project)) result.accept(recorded);
    };
    return { result, take };
  });
  return wanted.map(({ metric, project }) => simulation.series(metric.name, project));
}

/** All series in one pass: their rows lie beside each other. */
async function recordedSeries(
  access: LogAccess,
  wanted: readonly Wanted[],
  { end, last, progress }: Part,
): Promise<HistorySeries[]> {
  if (end === null || wanted.length === 0)
    return wanted.map(({ metric, project }) => seriesOf(metric, project, "recorded", []));
  // The points newest first, and the crossing that was read before the row that it follows in the log.
  const filling = wanted.map((one) => ({
    one,
    points: [] as HistoryPoint[],
    crossed: null as MetricRow | null,
  }));
  const byName = new Map(filling.map((each) => [nameOf(each.one.metric.name, each.one.project), each]));
  const kinds = [...new Set(wanted.map(({ metric }) => metricKind(metric.name))), CROSSING_KIND];
  const oldest = (await access.reader.oldest()) ?? 0n;
  let taken = 0;
  for await (const raw of newestRows(access, { kinds, upTo: end })) {
    const row = readable(raw);
    if (row?.type !== "metric") continue;
    const series = byName.get(nameOf(row.metric, row.scope === "global" ? null : row.merge.project));
    if (series === undefined || series.points.length === last) continue;
    if (row.crossing !== null) {
      series.crossed = row;
      continue;
    }
    series.points.push(pointOf(row, row.merge, crossingAt(row, series.crossed)));
    series.crossed = null;
    taken += 1;
    progress(Math.max(taken / (last * filling.length), 1 - shareOf(BigInt(raw.id), oldest, end)));
    if (taken === last * filling.length) break;
  }
  return filling.map(({ one: { metric, project }, points }) =>
    seriesOf(metric, project, "recorded", points.toReversed()),
  );
}

function nameOf(metric: MetricName, project: string | null): string {
  return `${metric}|${project ?? ""}`;
}

function crossingAt({ merge }: MetricRow, crossed: MetricRow | null): HistoryCrossing | null {
  if (crossed?.crossing == null || crossed.merge.eventId !== merge.eventId) return null;
  return crossingOf(crossed.crossing);
}

async function newestMerge(access: LogAccess, end: bigint | null) {
  const kinds = METRIC_NAMES.map(metricKind);
  const rows = end === null ? [] : newestRows(access, { kinds, upTo: end });
  for await (const raw of rows) {
    const row = readable(raw);
    if (row?.type === "metric" && row.scope === "global")
      return { seq: row.seq, event_id: row.merge.eventId, merged_at: row.merge.mergedAt };
  }
  return { seq: 0, event_id: null, merged_at: null };
}
