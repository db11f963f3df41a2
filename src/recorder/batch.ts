/** The merges of one transaction, folded onto a draft of memory before their rows are written: rows, and what to report. */
import { type Analyzer, type Draft, fold } from "../core/analyzer.ts";
import { CATALOGUE } from "../core/catalogue.ts";
import { type Merge, readFacts, type SkippedMerge } from "../core/merge.ts";
import { METRIC_NAMES, type MetricName } from "../core/metric.ts";
import { type CrossingPayload, type EventRow, type MetricPayload, skippedRow } from "../core/metric-event.ts";
import type { ScopeKind } from "../core/scope.ts";
import type { DaemonEvent } from "../events/daemon-event.ts";
import type { FoundMerge } from "../outbox/outbox-log.ts";

type Recorded = Extract<DaemonEvent, { event: "merge.recorded" }>;

export type FoundBy = Recorded["found_by"];

/** What `merge.recorded` reports of the merge's way to the journal. */
export type Arrival = Pick<Recorded, "commit_to_record_ms" | "late" | "found_by" | "batch">;

export type BatchedMerge = {
  readonly found: FoundMerge;
  readonly merge: Merge | SkippedMerge;
  readonly rows: readonly EventRow[];
  /** Readings that this merge made defined: the sum of their `bitOf`. */
  readonly defined: number;
};

export type Batch = {
  readonly merges: readonly BatchedMerge[];
  readonly rows: readonly EventRow[];
  /** Makes the draft the memory, once the rows are committed. */
  readonly adopt: () => void;
};

/** Folds merges in their order. */
export function batchOf(analyzer: Analyzer, found: readonly FoundMerge[], producer: string): Batch {
  const draft = analyzer.draft();
  const merges = found.map((merge) => foldMerge(draft, merge, producer));
  const skipped = merges.filter(({ merge }) => "reason" in merge).length;
  return { merges, rows: merges.flatMap(({ rows }) => rows), adopt: () => draft.adopt(skipped) };
}

function foldMerge(draft: Draft, found: FoundMerge, producer: string): BatchedMerge {
  const facts = readFacts(found.facts);
  const { eventId, workItemId, mergedAt } = found;
  if (typeof facts === "string" || workItemId === null) {
    const reason = typeof facts === "string" ? facts : "work_item_missing";
    const skipped = { eventId, workItemId, reason };
    return { found, merge: skipped, rows: [skippedRow(skipped, producer)], defined: 0 };
  }
  const merge = { eventId, workItemId, mergedAt, ...facts };
  const before = definedIn(draft, merge.project);
  const rows = fold(draft, merge, producer);
  return { found, merge, rows, defined: definedIn(draft, merge.project) & ~before };
}

/** The readings whose newest recorded value is defined: the sum of their `bitOf`. */
function definedIn(draft: Draft, project: string): number {
  let bits = 0;
  for (const { name } of draft.metrics) {
    if (draft.global.gate(name).defined) bits |= bitOf("global", name);
    if (draft.project(project).gate(name).defined) bits |= bitOf("project", name);
  }
  return bits;
}

function bitOf(scope: ScopeKind, metric: MetricName): number {
  return 1 << (METRIC_NAMES.indexOf(metric) * 2 + (scope === "global" ? 0 : 1));
}

/** What to report of a merge once its rows are committed. */
export function eventsOf({ merge, rows, defined }: BatchedMerge, arrival: Arrival): DaemonEvent[] {
  const { eventId: event_id } = merge;
  if ("reason" in merge)
    return [{ event: "merge.skipped", event_id, work_item_id: merge.workItemId, reason: merge.reason }];
  const payloads = rows.map((row) => row.payload as MetricPayload | CrossingPayload);
  const global = payloads.filter((payload) => payload.scope === "global" && !("gate" in payload));
  const values: Partial<Record<MetricName, number | null>> = {};
  for (const { metric, value } of global) values[metric] = value;
  const { workItemId: work_item_id, project, attempts } = merge;
  const seq = global[0]?.seq ?? 0;
  return [
    { event: "merge.recorded", seq, event_id, work_item_id, project, attempts, values, ...arrival },
    ...payloads.flatMap((payload) => changeIn(payload, defined)),
  ];
}

function changeIn(payload: MetricPayload | CrossingPayload, defined: number): DaemonEvent[] {
  const { metric, scope, project, value } = payload;
  if ("gate" in payload) {
    const { gate, from, to, upper, lower } = payload;
    const permissive = to === CATALOGUE[metric].permissive;
    const crossed = { metric, gate, scope, project, from, to, value, upper, lower, permissive };
    return [{ event: "threshold.crossed", ...crossed }];
  }
  if (value === null || (defined & bitOf(scope, metric)) === 0) return [];
  return [{ event: "metric.defined", metric, scope, project, value }];
}
