/** The rows of a rehearsal: one of each kind, as recording one merge, skipping another and writing a checkpoint make them. */
import { Analyzer, fold } from "./analyzer.ts";
import { type CheckpointRow, checkpointRow } from "./checkpoint.ts";
import { decide, termsOf } from "./decide.ts";
import { SMALLEST_ID } from "./event-id.ts";
import { type Merge, type RawFacts, readFacts } from "./merge.ts";
import type { MetricSettings } from "./metric.ts";
import { CROSSING_KIND, type EventRow, eventRows, skippedRow } from "./metric-event.ts";
import { ratioReading } from "./reading.ts";
import { NO_MEMORY } from "./scope-memory.ts";

/** The work item that a rehearsal is about; its id is null where the outbox takes none that could be named. */
export type RehearsedItem = { readonly id: string | null; readonly facts: RawFacts | null };

export type RehearsalRows = {
  /** Without them no merge is recorded: all rows of one merge at which every gate crosses, and a skip. */
  readonly needed: readonly EventRow[];
  readonly checkpoint: CheckpointRow;
};

/** An id that no transition has: keys of rows are unique, and an index may hold a table to that. */
const MERGED = String(SMALLEST_ID);

export function rehearsalRows(
  metrics: readonly MetricSettings[],
  producer: string,
  item: RehearsedItem,
): RehearsalRows {
  const analyzer = new Analyzer(metrics);
  const merge = mergeOf(item);
  const recorded = fold(analyzer, merge, producer);
  const rows = [
    ...recorded,
    ...crossings(metrics, merge, producer),
    skippedRow({ eventId: MERGED, workItemId: merge.workItemId, reason: "attempts_invalid" }, producer),
  ];
  const place = {
    row_id: MERGED,
    journal_begins: MERGED,
    floor: null,
    low_mark: MERGED,
    recorded_above: "",
    unrecorded: [],
  };
  return {
    needed: rows.map((row) => ({ ...row, workItemId: item.id })),
    checkpoint: checkpointRow(analyzer, place, producer),
  };
}

function mergeOf({ id, facts }: RehearsedItem): Merge {
  const read = readFacts(facts);
  const usable = typeof read === "string" ? { project: "rehearsal", attempts: 1, lastVerdict: null } : read;
  return { eventId: MERGED, workItemId: id ?? "0", mergedAt: "2026-01-01T00:00:00.000Z", ...usable };
}

/** The crossing rows of a merge at which every gate rises. */
function crossings(metrics: readonly MetricSettings[], merge: Merge, producer: string): EventRow[] {
  return metrics.flatMap((metric) =>
    (["global", "project"] as const).flatMap((scope) => {
      const terms = termsOf(metric, scope);
      if (terms.gate === null) return [];
      const { window: seq } = metric;
      const own = { scope, seq, reading: ratioReading(seq, seq), gate: NO_MEMORY };
      const { change } = decide(terms, merge, own, null);
      return eventRows(merge, [change], producer).filter(({ kind }) => kind === CROSSING_KIND);
    }),
  );
}
