/** The rows that the daemon appends to the outbox, as data: contract version 1. */
import { DEFAULT_VERDICTS } from "./catalogue.ts";
import type { Change } from "./decide.ts";
import { direction, type Gate, type GateState } from "./gate.ts";
import type { Merge, SkippedMerge, SkipReason } from "./merge.ts";
import type { MetricName } from "./metric.ts";
import { valueOf } from "./reading.ts";
import type { Effective, ScopeKind } from "./scope.ts";
import type { Crossing } from "./scope-memory.ts";

export const SCHEMA_VERSION = 1;
export const CROSSING_KIND = "metric.threshold_crossed";
export const SKIPPED_KIND = "metric.merge_skipped";
export const CHECKPOINT_KIND = "metric.checkpoint";

export function metricKind(name: MetricName): string {
  return `metric.${name}`;
}

type Payload = MetricPayload | CrossingPayload | SkippedPayload;

/** A row to append: `payload` is the event's JSON. */
export type EventRow = {
  readonly kind: string;
  readonly workItemId: string | null;
  readonly payload: Payload;
};

export type MetricPayload = {
  readonly schema_version: typeof SCHEMA_VERSION;
  /** Unique among the rows of a log. */
  readonly key: string;
  readonly metric: MetricName;
  readonly scope: ScopeKind;
  readonly project: string | null;
  /** The merge's place in the order of this scope, from 1. */
  readonly seq: number;
  /** A ratio 0–1 or a number of attempts; null until the window is full. */
  readonly value: number | null;
  readonly numerator: number | null;
  readonly n: number;
  readonly window: number;
  /** Null where the scope has no gate for this metric. */
  readonly state: GateState | null;
  readonly effective?: Effective | undefined;
  /** The verdicts that counted, where they are not the usual `["rebase_conflict"]`. */
  readonly verdicts?: readonly string[] | undefined;
  readonly merge: {
    readonly event_id: string;
    readonly work_item_id: string;
    readonly project: string;
    readonly attempts: number;
    readonly last_verdict: string | null;
    readonly merged_at: string | null;
  };
  /** How many rows record this merge, this one included: a reader can recognise a cut set. */
  readonly set_size: number;
  readonly producer: string;
};

export type CrossingPayload = MetricPayload & {
  readonly gate: string;
  readonly direction: "up" | "down";
  readonly from: GateState;
  readonly to: GateState;
  readonly upper: number;
  readonly lower: number;
  readonly previous: Crossing | null;
};

export type SkippedPayload = {
  readonly schema_version: typeof SCHEMA_VERSION;
  readonly key: string;
  readonly reason: SkipReason;
  readonly merge: { readonly event_id: string; readonly work_item_id: string | null };
  readonly producer: string;
};

/** The rows of one merge: a metric row for each change, a crossing directly after the row that crossed. */
export function eventRows(merge: Merge, changes: readonly Change[], producer: string): EventRow[] {
  const size = changes.length + changes.filter((change) => change.crossing !== null).length;
  const rows: EventRow[] = [];
  for (const change of changes) {
    const payload = metricPayload(merge, change, size, producer);
    rows.push({ kind: metricKind(change.metric.name), workItemId: merge.workItemId, payload });
    const { gate } = change.metric;
    if (change.crossing !== null && gate !== null) {
      rows.push({
        kind: CROSSING_KIND,
        workItemId: merge.workItemId,
        payload: crossingPayload(payload, gate, change.crossing),
      });
    }
  }
  return rows;
}

/** The only row of a merge whose facts are unusable. */
export function skippedRow(skipped: SkippedMerge, producer: string): EventRow {
  return {
    kind: SKIPPED_KIND,
    workItemId: skipped.workItemId,
    payload: {
      key: skippedKey(skipped.eventId),
      merge: { event_id: skipped.eventId, work_item_id: skipped.workItemId },
      reason: skipped.reason,
      producer,
      schema_version: SCHEMA_VERSION,
    },
  };
}

/** Keys are in jsonb's own order, by length and then by bytes: the server has nothing to sort. */
function metricPayload(merge: Merge, change: Change, size: number, producer: string): MetricPayload {
  const { metric, scope, reading } = change;
  return {
    n: reading.n,
    key: metricKey(metric.name, scope, merge),
    seq: change.seq,
    merge: {
      project: merge.project,
      attempts: merge.attempts,
      event_id: merge.eventId,
      merged_at: merge.mergedAt,
      last_verdict: merge.lastVerdict,
      work_item_id: merge.workItemId,
    },
    scope,
    state: change.state,
    value: valueOf(reading),
    metric: metric.name,
    window: reading.window,
    project: scope === "global" ? null : merge.project,
    producer,
    set_size: size,
    // What is undefined is not written.
    verdicts: unusualVerdicts(metric),
    effective: change.effective ?? undefined,
    numerator: reading.numerator,
    schema_version: SCHEMA_VERSION,
  };
}

/** The key of a metric row: unique among the rows of a log. */
export function metricKey(metric: MetricName, scope: ScopeKind, { project, eventId }: Merge): string {
  return `${metric}|${scope === "global" ? "global" : `project:${project}`}|${eventId}`;
}

/** @param key of the metric row that crossed. */
export function crossingKey(key: string): string {
  return `${key}|crossed`;
}

export function skippedKey(eventId: string): string {
  return `merge_skipped|${eventId}`;
}

function unusualVerdicts({ verdicts }: Change["metric"]): readonly string[] | undefined {
  return verdicts === null || sameVerdicts(verdicts, DEFAULT_VERDICTS) ? undefined : verdicts;
}

function crossingPayload(
  payload: MetricPayload,
  gate: Gate,
  { from, previous }: NonNullable<Change["crossing"]>,
): CrossingPayload {
  const { name, lower, upper } = gate;
  const to = payload.state ?? "unknown";
  const key = crossingKey(payload.key);
  const turn = { gate: name, direction: direction(to), from, to, upper, lower, previous };
  return inJsonbOrder({ ...payload, key, ...turn });
}

function inJsonbOrder<T extends object>(payload: T): T {
  const fields = Object.entries(payload);
  fields.sort(([a], [b]) => a.length - b.length || (a < b ? -1 : 1));
  return Object.fromEntries(fields) as T;
}

/** Whether two sets of verdicts are the same, whatever their order. */
export function sameVerdicts(a: readonly string[], b: readonly string[]): boolean {
  if (a.length === 1 && b.length === 1) return a[0] === b[0];
  return a.every((verdict) => b.includes(verdict)) && b.every((verdict) => a.includes(verdict));
}
