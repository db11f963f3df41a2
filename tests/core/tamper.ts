/** A log in which something was changed by hand, and whether a replay refuses it. */
import fc from "fast-check";
import { type RawJournalRow, UnfitLog } from "../../src/core/journal-row.ts";
import type { MetricSettings } from "../../src/core/metric.ts";
import type { EventRow } from "../../src/core/metric-event.ts";
import { outcomes } from "./arbitraries.ts";
import { history, isCrossing, journal, record, replay, SMALL } from "./build.ts";

export type Payload = Record<string, unknown>;
export const FACTS = [
  "event_id",
  "work_item_id",
  "project",
  "attempts",
  "last_verdict",
  "merged_at",
] as const;

/** Whether the log is refused; any other failure is a failure of the test. */
export function refused(
  raws: readonly RawJournalRow[],
  settings: readonly MetricSettings[] = SMALL,
): boolean {
  try {
    replay(raws, settings);
    return false;
  } catch (error) {
    if (error instanceof UnfitLog) return true;
    throw error;
  }
}

export function parsed(raw: RawJournalRow): Payload {
  return JSON.parse(raw.payload ?? "") as Payload;
}

export function edit(raws: readonly RawJournalRow[], index: number, change: (payload: Payload) => void) {
  const raw = raws[index] as RawJournalRow;
  const payload = parsed(raw);
  change(payload);
  return raws.with(index, { ...raw, payload: JSON.stringify(payload) });
}

/** A log of at least two sets under SMALL, and a row of it that does not belong to the first set. */
export const logAndRow = fc
  .tuple(outcomes, fc.nat())
  .filter(([all]) => all.length >= 2)
  .map(([all, pick]) => {
    const { sets, rows } = record(history(all), SMALL);
    const start = sets[0]?.length ?? 0;
    return { sets, rows, raws: journal(rows), index: start + (pick % (rows.length - start)) };
  });

function event(raw: RawJournalRow): unknown {
  return (parsed(raw)["merge"] as Payload)["event_id"];
}

/** The same rows, all stating one row less for the set of the row at `index`. */
export function shrunk(raws: readonly RawJournalRow[], index: number): RawJournalRow[] {
  const set = event(raws[index] as RawJournalRow);
  return raws.map((raw) => {
    if (event(raw) !== set) return raw;
    const payload = parsed(raw);
    return { ...raw, payload: JSON.stringify({ ...payload, set_size: Number(payload["set_size"]) - 1 }) };
  });
}

export const anything = fc.oneof(
  fc.integer({ min: -1, max: 60 }),
  fc.constantFrom(null, "x", "1", 1.5, 2 ** 53, true, [], {}, 0.5, 1 / 3, 0.25, 0.75, 1e308),
);
export const ANY_STATE = fc.constantFrom("unknown", "high", "low", null, "medium", "");

/** Which series a metric row belongs to; null for other rows. */
function line(row: EventRow | undefined): string | null {
  return row !== undefined && "seq" in row.payload && !isCrossing(row)
    ? `${row.payload.metric}|${row.payload.project}`
    : null;
}

/** The rows of the same metric and scope before and after this one. */
export function neighbours(rows: readonly EventRow[], index: number) {
  const mine = line(rows[index]);
  const same = (row: EventRow) => mine !== null && line(row) === mine;
  return { before: rows.slice(0, index).findLast(same), after: rows.slice(index + 1).find(same) };
}

/** Whether the row is a crossing or the row that one follows. */
export function crosses(rows: readonly EventRow[], index: number): boolean {
  return [rows[index], rows[index + 1]].some((row) => row !== undefined && isCrossing(row));
}

/** Whether the row is a project's that goes on with the global state, its own having been unknown. */
export function takesOver(rows: readonly EventRow[], index: number): boolean {
  const { before } = neighbours(rows, index);
  const state = stateOf(rows[index]);
  return (
    !crosses(rows, index) &&
    state !== null &&
    state !== "unknown" &&
    (stateOf(before) ?? "unknown") === "unknown"
  );
}

function stateOf(row: EventRow | undefined): string | null {
  return row !== undefined && "state" in row.payload ? row.payload.state : null;
}

/** Where the set of a global row has the same metric's row of the project; -1 for a row of a project. */
export function projectRowBeside(rows: readonly EventRow[], index: number): number {
  const row = rows[index] as EventRow;
  if (!("scope" in row.payload) || row.payload.scope !== "global") return -1;
  const { merge } = row.payload;
  return rows.findIndex(
    (other) =>
      other.kind === row.kind &&
      "scope" in other.payload &&
      other.payload.scope === "project" &&
      other.payload.merge.event_id === merge.event_id,
  );
}
