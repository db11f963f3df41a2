/** What `metrics verify` finds: a row, what it says, and what it should say. */
import type { MetricName } from "./metric.ts";
import type { ScopeKind } from "./scope.ts";

export const DIFFERENCE_KINDS = {
  unreadable: "rows of ours that are not whole",
  newer_schema: "rows of a newer version, which this one cannot judge",
  merge_missing: "merges that are not recorded",
  merge_repeated: "merges that are recorded again",
  merge_unknown: "rows that record something that is no merge",
  set_incomplete: "merges of which not every row is there",
  set_surplus: "merges with more rows than were written",
  set_order: "rows out of order within their merge",
  seq_gap: "gaps in seq",
  seq_repeated: "repeats in seq",
  seq: "rows whose seq is not that of the rows beside them",
  key: "keys that are not as promised",
  key_repeated: "keys that are repeated",
  facts: "rows whose facts differ from those beside them",
  work_item: "rows that stand under another work item than their merge's",
  number: "values, numerators or counts that the recorded facts do not give",
  state: "states that do not follow",
  crossing: "crossings that do not follow",
  effective: "effective readings that do not follow",
  checkpoint: "checkpoints that are not what a full replay gives",
} as const;

export type DifferenceKind = keyof typeof DIFFERENCE_KINDS;

export type Difference = {
  readonly kind: DifferenceKind;
  /** The row of the log; null where it is about a row that is missing. */
  readonly row_id: string | null;
  /** The merge's transition row. */
  readonly event_id: string | null;
  readonly metric: MetricName | null;
  readonly scope: ScopeKind | null;
  readonly project: string | null;
  readonly seq: number | null;
  /** What the log says, in a few words. */
  readonly recorded: string;
  /** What it should say. */
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
