/** The rows of the simulated log: the orchestrator's merges, and what daemons write about them. */

export type Row = {
  readonly id: number;
  readonly kind: string;
  readonly item: string | null;
  /** The work item that it was filed under before that was deleted. */
  readonly was?: string;
  readonly payload: string;
};

const MERGED = '{"target": "merged"}';

export function mergeRow(id: number, item: string | null): Row {
  return { id, kind: "phase.transition", item, payload: MERGED };
}

const times = new Map<number, string>();

/** When the row with this id was written. */
export function mergedAt(id: number): string {
  let time = times.get(id);
  if (time === undefined) {
    time = new Date(Date.UTC(2026, 10, 22) + id * 1000).toISOString();
    times.set(id, time);
  }
  return time;
}

export function isMerge(row: Row): boolean {
  return row.kind === "phase.transition" && row.payload === MERGED;
}

/** Of a kind that is ours, whoever wrote it. */
export function isOfJournal(row: Row): boolean {
  return row.kind.startsWith("metric.");
}

export function isCheckpoint(row: Row): boolean {
  return row.kind === "metric.checkpoint";
}

/** Of rows without our marker. */
export const STRANGE_KIND = "metric.unmarked";

/** A row of a merge's record. */
export function isRecord(row: Row): boolean {
  return isOfJournal(row) && row.kind !== STRANGE_KIND && !isCheckpoint(row);
}

export type JournalPayload = Readonly<Record<string, unknown>> & {
  readonly key: string;
  readonly state?: string | null;
  readonly merge: { readonly event_id: string; readonly work_item_id: string | null };
};

const parsed = new WeakMap<Row, JournalPayload>();

/** A journal row's payload. */
export function payloadOf(row: Row): JournalPayload {
  let payload = parsed.get(row);
  if (payload === undefined) {
    payload = JSON.parse(row.payload) as JournalPayload;
    parsed.set(row, payload);
  }
  return payload;
}
