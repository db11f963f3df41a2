/** What `metrics verify` finds: a row, what it records, and what it should record. */
import type { MetricName } from "./metric.ts";
import type { ScopeKind } from "./scope.ts";

export const DIFFERENCE_KINDS = {
  unreadable: "rows of the daemon that are incomplete",
  newer_schema: "rows of a newer version, which this version cannot judge",
  merge_missing: "merges that are not recorded",
  merge_repeated: "merges that are recorded twice",
  merge_unknown: "rows that record an event that is not a merge",
  set_incomplete: "merges with missing rows",
  set_surplus: "merges with more rows than were written",
  set_order: "rows out of order within their merge",
  seq_gap: "gaps in seq",
  seq_repeated: "repeats in seq",
  seq: "rows whose seq is not that of the rows beside them",
  key: "keys that are not what the contract says",
  key_repeated: "keys that are repeated",
  facts: "rows whose facts differ from those beside them",
  work_item: "rows filed under a work item other than their merge's",
  number: "values, numerators or counts that the recorded facts do not give",
  state: "states that do not follow from the recorded values",
  crossing: "crossings that do not follow from the recorded values",
  effective: "effective readings that do not follow from the recorded readings",
  checkpoint: "checkpoints that are not what a full replay gives",
} as const;

export type DifferenceKind = keyof typeof DIFFERENCE_KINDS;

export type Difference = {
  readonly kind: DifferenceKind;
  /** The row of the log; null if a row is missing. */
  readonly row_id: string | null;
  /** The merge's transition row. */
  readonly event_id: string | null;
  readonly metric: MetricName | null;
  readonly scope: ScopeKind | null;
  readonly project: string | null;
  readonly seq: number | null;
  /** What the log records, in a few words. */
  readonly recorded: string;
  /** What it should record. */
  readonly expected: string;
};

/** A difference as it is found: what is left out is null. */
export type Found = Pick<Difference, "kind" | "recorded" | "expected"> & Partial<Difference>;

/** Counts differences by kind and keeps the first ones. */
export class Differences {
  readonly first: Difference[] = [];
  readonly counts = new Map<DifferenceKind, number>();
  total = 0;
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(difference: Found): void {
    this.total += 1;
    this.counts.set(difference.kind, (this.counts.get(difference.kind) ?? 0) + 1);
    if (this.first.length >= this.#limit) return;
    this.first.push({
      row_id: null,
      event_id: null,
      metric: null,
      scope: null,
      project: null,
      seq: null,
      ...difference,
    });
  }
}
