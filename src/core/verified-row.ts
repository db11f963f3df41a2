/** A row as verification holds it, and the words in which differences speak of it. */
import type { Difference, DifferenceKind, Differences } from "./difference.ts";
import type { MetricRow, RawJournalRow } from "./journal-row.ts";
import { type Json, parseObject } from "./json.ts";

/** A row of the journal with the column that says which work item it is about. */
export type AuditRow = RawJournalRow & {
  readonly workItemId: string | null;
  /** Why the server cannot read its payload, which is null then. */
  readonly unreadable?: string;
};

/**
 * Whether the column and the payload of a row agree on its work item. A column may have become null since, as by a foreign
 * key with ON DELETE SET NULL: the payload decides then.
 */
export function sameItem(column: string | null, payload: string | null): boolean {
  return column === null || column === payload;
}

export type VerifiedRow = MetricRow & {
  readonly column: string | null;
  /** What is not in the parsed row is read from here when it is asked for. */
  readonly text: string;
};

/** What the parts of verification have in common: where they tell, and what they count. */
export type Findings = { readonly differences: Differences; readonly counts: VerifiedCounts };

export type VerifiedCounts = {
  /** Rows of kind `metric.*`. */
  rows: number;
  /** Merges of which rows were found. */
  merges: number;
  metric_rows: number;
  crossings: number;
  skipped: number;
  checkpoints: number;
  /** Rows without our marker. */
  foreign: number;
  /** Values whose merges are not all there any more, so that nothing can be said of them. */
  not_judged: number;
  /** Rows whose state today's bounds would not give: written under other bounds. */
  other_bounds: number;
};

export function noCounts(): VerifiedCounts {
  return {
    rows: 0,
    merges: 0,
    metric_rows: 0,
    crossings: 0,
    skipped: 0,
    checkpoints: 0,
    foreign: 0,
    not_judged: 0,
    other_bounds: 0,
  };
}

/** A difference at a row. */
export function tell(
  { differences }: Findings,
  kind: DifferenceKind,
  row: MetricRow,
  recorded: string,
  expected: string,
): void {
  differences.add({ ...about(row), kind, recorded, expected });
}

/** A row whose column names another work item than its payload does. */
export function tellWrongItem(
  { differences }: Findings,
  row: Partial<Difference>,
  column: string | null,
  due: string | null,
): void {
  differences.add({
    ...row,
    kind: "work_item",
    recorded: `work_item_id ${column ?? "null"}`,
    expected: `work_item_id ${due ?? "null"}`,
  });
}

export function tellKeyRepeated({ differences }: Findings, rowId: string, key: string): void {
  differences.add({
    kind: "key_repeated",
    row_id: rowId,
    recorded: key,
    expected: "a key of its own",
  });
}

/** Where a difference is. */
export function about(
  row: MetricRow,
): Pick<Difference, "row_id" | "event_id" | "metric" | "scope" | "project" | "seq"> {
  return {
    row_id: row.id,
    event_id: row.merge.eventId,
    metric: row.metric,
    scope: row.scope,
    project: row.scope === "global" ? null : row.merge.project,
    seq: row.seq,
  };
}

export function payloadOf(row: VerifiedRow): Json {
  return parseObject(row.text) ?? {};
}

/** A metric of a scope, for a person; the same for a row and its crossing. */
export function lineOf({ metric, scope }: MetricRow): string {
  return `${metric} (${scope})`;
}

/** What a row or a reading says, for a person. */
export function numbers({
  value,
  numerator,
  n,
  window,
}: Pick<MetricRow, "value" | "numerator" | "n" | "window">): string {
  const counted = numerator === null ? "" : `, numerator ${numerator}`;
  return `value ${value ?? "undefined"}${counted}, n=${n}/${window}`;
}

/** The global row of the same metric in a set; the project's row is decided by both. */
export function globalBeside(row: MetricRow, set: readonly VerifiedRow[]): VerifiedRow | undefined {
  return set.find((one) => one.scope === "global" && one.metric === row.metric && one.crossing === null);
}
