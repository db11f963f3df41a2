/** Histories from the log: recorded rows from the newest back, or computed from the merges where nothing is recorded. */
import type { Config } from "../config.ts";
import { ComputedSeries } from "../core/computed-series.ts";
import {
  type History,
  type HistoryCrossing,
  type HistoryPoint,
  type HistorySeries,
  pointOf,
} from "../core/history.ts";
import { parseObject } from "../core/json.ts";
import { gateFor, METRIC_NAMES, type MetricName, type MetricSettings } from "../core/metric.ts";
import { CROSSING_KIND, metricKind } from "../core/metric-event.ts";
import { readable } from "../core/timeline.ts";
import { newestRows } from "../postgres/newest-rows.ts";
import { type LogAccess, now, readLog } from "./read-log.ts";
import { eachRecorded } from "./recorded-merges.ts";

export type HistoryOptions = {
  readonly timeoutMs: number;
  /** Null for all. */
  readonly metric: MetricName | null;
  /** Empty for the global scope. */
  readonly projects: readonly string[];
  /** How many of the newest merges. */
  readonly last: number;
  /** How far it has come, 0–1. */
  readonly progress: (share: number) => void;
};

/** @throws Unreadable */
export function readHistory(config: Config, options: HistoryOptions): Promise<History> {
  return readLog(config, "history", options.timeoutMs, (access) => read(access, config, options));
}

async function read(access: LogAccess, config: Config, options: HistoryOptions): Promise<History> {
  const { reader } = access;
  const newest = await reader.newest();
  const metrics = config.metrics.filter(({ name }) => options.metric === null || name === options.metric);
  const scopes = options.projects.length === 0 ? [null] : [...new Set(options.projects)];
  const wanted = scopes.flatMap((project) =>
    metrics.map((metric) => ({ metric, project, computed: computedSeries(metric, project, options.last) })),
  );
  const computed = wanted.flatMap((one) => one.computed ?? []);
  const readings = wanted.length - computed.length + Math.sign(computed.length);
  let begun = 0;
  const reading = () => {
    const before = begun;
    begun += 1;
    return (share: number) => options.progress((before + share) / readings);
  };
  // All that is computed takes one reading of the whole journal.
  if (computed.length > 0) {
    await eachRecorded(reader, newest, reading(), ({ merge }) => {
      for (const one of computed) one.accept(merge);
    });
  }
  const series: HistorySeries[] = [];
  for (const { metric, project, computed: own } of wanted) {
    const scope = project === null ? "global" : "project";
    const points =
      own?.points() ??
      (await recordedPoints(access, metric.name, project, newest, { ...options, progress: reading() }));
    const source = own === null ? "recorded" : "computed";
    series.push({ metric: metric.name, scope, project, source, gate: gateFor(metric, scope), points });
  }
  return {
    schema_version: 1,
    as_of: { ...(await newestMerge(access, newest)), generated_at: await now(access.query) },
    series,
  };
}

/** What computes a series of a project for which the metric is not recorded; null where its rows are to be read. */
function computedSeries(metric: MetricSettings, project: string | null, last: number): ComputedSeries | null {
  return project === null || metric.record.includes("project")
    ? null
    : new ComputedSeries(metric, project, last);
}

async function newestMerge({ query, names }: LogAccess, newest: bigint) {
  for await (const raw of newestRows(query, names, METRIC_NAMES.map(metricKind), newest)) {
    const row = readable(raw);
    if (row?.type === "metric" && row.scope === "global")
      return { seq: row.seq, event_id: row.merge.eventId, merged_at: row.merge.mergedAt };
  }
  return { seq: 0, event_id: null, merged_at: null };
}

async function recordedPoints(
  { query, names }: LogAccess,
  metric: MetricName,
  project: string | null,
  newest: bigint,
  { last, progress }: HistoryOptions,
): Promise<HistoryPoint[]> {
  const points: HistoryPoint[] = [];
  let crossed: { readonly event: string; readonly crossing: HistoryCrossing } | null = null;
  for await (const raw of newestRows(query, names, [metricKind(metric), CROSSING_KIND], newest)) {
    const row = readable(raw);
    if (row?.type !== "metric" || row.metric !== metric) continue;
    if (project === null ? row.scope !== "global" : row.scope !== "project" || row.merge.project !== project)
      continue;
    if (row.crossing !== null) {
      const gate = parseObject(raw.payload)?.["gate"];
      const { from, to, upper, lower } = row.crossing;
      crossed = {
        event: row.merge.eventId,
        crossing: { gate: typeof gate === "string" ? gate : "", from, to, upper, lower },
      };
      continue;
    }
    points.push(pointOf(row, row.merge, crossed?.event === row.merge.eventId ? crossed.crossing : null));
    crossed = null;
    if (points.length === last) break;
    progress(Math.max(points.length / last, 1 - Number(raw.id) / Number(newest)));
  }
  return points.toReversed();
}
