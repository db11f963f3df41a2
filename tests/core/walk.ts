/** A log as verification walks it: rows with ids and columns, one of them changed, and what is found. */
import { Differences } from "../../src/core/difference.ts";
import type { MetricSettings } from "../../src/core/metric.ts";
import type { EventRow } from "../../src/core/metric-event.ts";
import type { AuditRow } from "../../src/core/verifier.ts";
import { Verifier } from "../../src/core/verifier.ts";
import { CLEAN, CONFLICT, history, REWORKED, record, SMALL, times } from "./build.ts";

export type Payload = Record<string, unknown>;

/** Both gates cross both ways, in two projects. */
export const EVENTFUL = history(
  [
    ...times(6, CLEAN),
    ...times(4, REWORKED),
    ...times(5, CONFLICT),
    ...times(8, CLEAN),
    ...times(3, REWORKED),
  ].map((facts, index) => (index % 3 === 2 ? { ...facts, project: "zeus" } : facts)),
);
export const WRITTEN = record(EVENTFUL, SMALL);
export const ROWS = rowsOf(WRITTEN.rows);

/** Rows of a log, with ascending ids. */
export function rowsOf(rows: readonly EventRow[], firstId = 1): AuditRow[] {
  return rows.map(({ kind, workItemId, payload }, index) => ({
    id: String(firstId + index),
    kind,
    workItemId,
    payload: JSON.stringify(payload),
  }));
}

/** The index of the first row that records the merge with this seq in this scope, for this metric. */
export function indexOf(kind: string, seq: number, scope = "global"): number {
  return WRITTEN.rows.findIndex(
    (row) =>
      row.kind === `metric.${kind}` &&
      "seq" in row.payload &&
      row.payload.seq === seq &&
      row.payload.scope === scope,
  );
}

/** The same rows with one payload changed. */
export function changed(
  rows: readonly AuditRow[],
  index: number,
  change: (payload: Payload) => void,
): AuditRow[] {
  const row = rows[index] as AuditRow;
  const payload = JSON.parse(row.payload ?? "") as Payload;
  change(payload);
  return rows.with(index, { ...row, payload: JSON.stringify(payload) });
}

/** What verification finds in these rows. @param metrics today's settings. */
export function walk(rows: readonly AuditRow[], metrics: readonly MetricSettings[] = SMALL) {
  const differences = new Differences(Number.POSITIVE_INFINITY);
  const verifier = new Verifier(metrics, differences);
  for (const row of rows) verifier.accept(row);
  verifier.end();
  return {
    verifier,
    differences,
    found: differences.first,
    kinds: differences.first.map(({ kind }) => kind),
  };
}
