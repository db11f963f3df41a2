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
import type { MetricRow } from "../core/journal-row.ts";
import { parseObject } from "../core/json.ts";
import { gateFor, METRIC_NAMES, type MetricName, type MetricSettings } from "../core/metric.ts";
import { CROSSING_KIND, metricKind } from "../core/metric-event.ts";
import { readable } from "../core/timeline.ts";
import { newestRows } from "../postgres/newest-rows.ts";
import { foldRecorded, shareOf } from "./fold-recorded.ts";
import { journalEnd, type LogAccess, now, type ReadOptions, readLog } from "./read-log.ts";

export type HistoryOptions = ReadOptions & {
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
  return readLog(config, "history", options, (access) => read(access, config, options));
}

/** A metric of a scope. */
type Wanted = { readonly metric: MetricSettings; readonly project: string | null };

async function read(access: LogAccess, config: Config, options: HistoryOptions): Promise<History> {
  const end = await journalEnd(access);
  const metrics = config.metrics.filter(({ name }) => options.metric === null || name === options.metric);
  const scopes = options.projects.length === 0 ? [null] : [...new Set(options.projects)];
  const wanted = scopes.flatMap((project) => metrics.map((metric) => ({ metric, project })));
  const recorded = wanted.filter(isRecorded);
  const computed = wanted.filter((one) => !isRecorded(one));
  // What is computed takes one reading of the whole journal, what is recorded one of its end.
  const readings = Math.sign(recorded.length) + Math.sign(computed.length);
  const part = (nth: number) => (share: number) => options.progress((nth + share) / readings);
  const points = new Map<Wanted, readonly HistoryPoint[]>([
    ...(await computedPoints(access, end, computed, { ...options, progress: part(0) })),
    ...(await recordedPoints(access, end, recorded, { ...options, progress: part(readings - 1) })),
  ]);
  const series = wanted.map((one): HistorySeries => {
    const { metric, project } = one;
    const scope = project === null ? "global" : "project";
    const source = isRecorded(one) ? "recorded" : "computed";
    const gate = gateFor(metric, scope);
    return { metric: metric.name, scope, project, source, gate, points: points.get(one) ?? [] };
  });
  return {
    schema_version: 1,
    as_of: { ...(await newestMerge(access, end)), generated_at: await now(access.query) },
    series,
  };
}

/** Whether there are rows of it; otherwise it is computed from the merges. */
function isRecorded({ metric, project }: Wanted): boolean {
  return project === null || metric.record.includes("project");
}

async function computedPoints(
  access: LogAccess,
  end: bigint | null,
  wanted: readonly Wanted[],
  { last, progress }: HistoryOptions,
): Promise<Iterable<readonly [Wanted, readonly HistoryPoint[]]>> {
  if (wanted.length === 0) return [];
  const series = await foldRecorded(access, end, progress, () => {
    const result = wanted.map(
      (one) => [one, new ComputedSeries(one.metric, one.project ?? "", last)] as const,
    );
    return { result, take: ({ merge }) => result.forEach(([, computed]) => computed.accept(merge)) };
  });
  return series.map(([one, computed]) => [one, computed.points()] as const);
}

async function newestMerge({ query, names, unreadable }: LogAccess, end: bigint | null) {
  const kinds = METRIC_NAMES.map(metricKind);
  const rows = end === null ? [] : newestRows(query, names, { kinds, upTo: end }, unreadable);
  for await (const raw of rows) {
    const row = readable(raw);
    if (row?.type === "metric" && row.scope === "global")
      return { seq: row.seq, event_id: row.merge.eventId, merged_at: row.merge.mergedAt };
  }
  return { seq: 0, event_id: null, merged_at: null };
}

/** Points of one series as rows are read from the newest back. */
type Filling = {
  /** Newest first. */
  readonly points: HistoryPoint[];
  crossed: { readonly event: string; readonly crossing: HistoryCrossing } | null;
};

/** All series at once: most rows that one of them needs lie beside those of the others. */
async function recordedPoints(
  { reader, query, names, unreadable }: LogAccess,
  end: bigint | null,
  wanted: readonly Wanted[],
  { last, progress }: HistoryOptions,
): Promise<Iterable<readonly [Wanted, readonly HistoryPoint[]]>> {
  const filling = new Map<string, Filling>();
  for (const { metric, project } of wanted)
    filling.set(lineOf(metric.name, project), { points: [], crossed: null });
  const kinds = [...new Set(wanted.map(({ metric }) => metricKind(metric.name))), CROSSING_KIND];
  const oldest = (await reader.oldest()) ?? 0n;
  let unfilled = filling.size;
  let taken = 0;
  const rows =
    end === null || wanted.length === 0 ? [] : newestRows(query, names, { kinds, upTo: end }, unreadable);
  for await (const raw of rows) {
    const row = readable(raw);
    if (row?.type !== "metric") continue;
    const line = filling.get(lineOf(row.metric, row.scope === "global" ? null : row.merge.project));
    if (line === undefined || line.points.length === last) continue;
    accept(line, row, raw.payload);
    if (row.crossing !== null) continue;
    taken += 1;
    progress(Math.max(taken / (last * filling.size), 1 - shareOf(BigInt(raw.id), oldest, end ?? oldest)));
    if (line.points.length < last) continue;
    unfilled -= 1;
    if (unfilled === 0) break;
  }
  return wanted.map((one) => {
    const line = filling.get(lineOf(one.metric.name, one.project));
    return [one, line?.points.toReversed() ?? []] as const;
  });
}

function lineOf(metric: MetricName, project: string | null): string {
  return project === null ? metric : `${metric}|${project}`;
}

/** A crossing comes before the row that it follows in the log. */
function accept(line: Filling, row: MetricRow, payload: string | null): void {
  const { eventId } = row.merge;
  if (row.crossing === null) {
    line.points.push(pointOf(row, row.merge, line.crossed?.event === eventId ? line.crossed.crossing : null));
    line.crossed = null;
    return;
  }
  const gate = parseObject(payload)?.["gate"];
  const { from, to, upper, lower } = row.crossing;
  line.crossed = {
    event: eventId,
    crossing: { gate: typeof gate === "string" ? gate : "", from, to, upper, lower },
  };
}
