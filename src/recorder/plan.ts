/** What one transaction is to record: the rows, the memory to adopt, and what there will be to tell, once it is committed. */
import { type Draft, fold } from "../core/analyzer.ts";
import { CATALOGUE } from "../core/catalogue.ts";
import { type Identified, type Merge, readFacts, type SkippedMerge } from "../core/merge.ts";
import type { MetricName } from "../core/metric.ts";
import { type CrossingPayload, type EventRow, type MetricPayload, skippedRow } from "../core/metric-event.ts";
import type { DaemonEvent, Report } from "../events/daemon-event.ts";
import type { FoundMerge } from "../outbox-log.ts";

/** What a `merge.recorded` tells of the way that a merge came. */
export type Arrival = Pick<
  Extract<DaemonEvent, { event: "merge.recorded" }>,
  "commit_to_record_ms" | "late" | "found_by"
>;

type Part = {
  readonly found: FoundMerge;
  readonly merge: Merge | SkippedMerge;
  readonly rows: readonly EventRow[];
  /** Readings that this merge made defined, as `scope:metric`. */
  readonly defined: ReadonlySet<string>;
};

export class Plan {
  readonly rows: EventRow[] = [];
  readonly #draft: Draft;
  readonly #producer: string;
  readonly #parts: Part[] = [];

  constructor(draft: Draft, producer: string) {
    this.#draft = draft;
    this.#producer = producer;
  }

  /** Folds merges, in their order. @returns the rows that record them. */
  fold(merges: readonly FoundMerge[]): readonly EventRow[] {
    for (const merge of merges) {
      const part = this.#part(merge);
      this.#parts.push(part);
      this.rows.push(...part.rows);
    }
    return this.rows;
  }

  /** The merges that were folded. */
  get merges(): readonly Identified[] {
    return this.#parts.map(({ found }) => found);
  }

  #part(found: FoundMerge): Part {
    const facts = readFacts(found.facts);
    const { eventId, workItemId, mergedAt } = found;
    if (typeof facts === "string" || workItemId === null) {
      const reason = typeof facts === "string" ? facts : "work_item_missing";
      const skipped = { eventId, workItemId, reason };
      return { found, merge: skipped, rows: [skippedRow(skipped, this.#producer)], defined: new Set() };
    }
    const merge = { eventId, workItemId, mergedAt, ...facts };
    const defined = definedIn(this.#draft, merge.project);
    const rows = fold(this.#draft, merge, this.#producer);
    return { found, merge, rows, defined: definedIn(this.#draft, merge.project).difference(defined) };
  }

  adopt(): void {
    this.#draft.adopt(this.#parts.filter(({ merge }) => "reason" in merge).length);
  }

  tell(report: Report, arrival: (merge: FoundMerge) => Arrival): void {
    for (const { found, merge, rows, defined } of this.#parts) {
      if ("reason" in merge) {
        report({
          event: "merge.skipped",
          event_id: merge.eventId,
          work_item_id: merge.workItemId,
          reason: merge.reason,
        });
        continue;
      }
      const payloads = rows.map((row) => row.payload as MetricPayload | CrossingPayload);
      const global = payloads.filter((payload) => payload.scope === "global" && !("gate" in payload));
      const values: Partial<Record<MetricName, number | null>> = {};
      for (const payload of global) values[payload.metric] = payload.value;
      report({
        event: "merge.recorded",
        seq: global[0]?.seq ?? 0,
        event_id: merge.eventId,
        work_item_id: merge.workItemId,
        project: merge.project,
        attempts: merge.attempts,
        values,
        ...arrival(found),
      });
      for (const payload of payloads) tellPayload(report, payload, defined);
    }
  }
}

function tellPayload(
  report: Report,
  payload: MetricPayload | CrossingPayload,
  defined: ReadonlySet<string>,
): void {
  const { metric, scope, project, value } = payload;
  if ("gate" in payload) {
    const { gate, from, to, upper, lower } = payload;
    const permissive = to === CATALOGUE[metric].permissive;
    report({
      event: "threshold.crossed",
      metric,
      gate,
      scope,
      project,
      from,
      to,
      value,
      upper,
      lower,
      permissive,
    });
  } else if (value !== null && defined.has(`${scope}:${metric}`)) {
    report({ event: "metric.defined", metric, scope, project, value });
  }
}

/** The metrics whose newest recorded value is defined, as `scope:metric`. */
function definedIn(draft: Draft, project: string): Set<string> {
  const names = new Set<string>();
  for (const metric of draft.metrics) {
    if (draft.global.gate(metric.name).defined) names.add(`global:${metric.name}`);
    if (draft.project(project).gate(metric.name).defined) names.add(`project:${metric.name}`);
  }
  return names;
}
