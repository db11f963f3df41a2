/** A walk along the journal's order, which a restore from a checkpoint does not make: where it begins, and that it is dense. */
import { contradiction, type MetricRow, parseJournalRow } from "../core/journal-row.ts";
import { type JournalReader, PAGE_ROWS } from "../outbox-log.ts";
import { lasting } from "./lasting.ts";

/**
 * Walks the journal's order from its old end.
 * @returns the id up to which merges count as recorded because their rows went from the old end: just below the smallest
 * event that survives, if the first merge that survives is not the first one; the newest checkpoint's low mark, if none
 * survives; else 0.
 * @throws UnfitLog for a gap or a repeat in `seq`: what seems to be due may have been recorded in the rows that are gone.
 */
export function surveyJournal(log: JournalReader, upTo: bigint): Promise<bigint> {
  return lasting(() => walk(log, upTo));
}

async function walk(log: JournalReader, upTo: bigint): Promise<bigint> {
  let smallest: bigint | null = null;
  const first: MetricRow[] = [];
  let seq: number | null = null;
  for (let after = 0n; after < upTo; ) {
    const end = await log.pageEnd(after, upTo, PAGE_ROWS);
    for (const raw of await log.journal(after, end)) {
      const row = parseJournalRow(raw);
      if (row.type !== "metric" && row.type !== "skipped") continue;
      const id = BigInt(row.type === "metric" ? row.merge.eventId : row.eventId);
      if (smallest === null || id < smallest) smallest = id;
      if (row.type === "metric" && row.scope === "global") {
        if (seq !== null && row.seq !== seq && row.seq !== seq + 1)
          throw contradiction(row.id, `seq ${row.seq} follows ${seq}`);
        ({ seq } = row);
      }
      if (row.type === "metric" && (first[0] ?? row).merge.eventId === row.merge.eventId) first.push(row);
    }
    after = end;
  }
  const [oldest] = first;
  // No merge's rows are left: the newest checkpoint, if there is one, knows up to where all are recorded.
  if (oldest === undefined || smallest === null) return (await log.checkpoints(1))[0]?.lowMark ?? 0n;
  const begins = oldest.scope === "global" && oldest.seq === 1 && first.length >= oldest.setSize;
  return begins ? 0n : smallest - 1n;
}
