/** Checks the order of the whole journal, which a restore from a checkpoint does not do. */
import { BEFORE_ALL } from "../core/event-id.ts";
import { contradiction, parseJournalRow } from "../core/journal-row.ts";
import type { JournalReader } from "../outbox/outbox-log.ts";
import { pagesAfter } from "../outbox/pages.ts";
import { lasting } from "../restore/lasting.ts";

/** @throws UnfitLog for a gap or a repeat in `seq`, a row that is not whole, or a newer version's. */
export function checkOrder(log: JournalReader): Promise<void> {
  return lasting(() => walkOrder(log));
}

async function walkOrder(log: JournalReader): Promise<void> {
  let seq: number | null = null;
  for await (const { after, end } of pagesAfter(log, BEFORE_ALL, await log.newest())) {
    for (const raw of await log.journal(after, end)) {
      const row = parseJournalRow(raw);
      if (row.type !== "metric" || row.scope !== "global") continue;
      if (seq !== null && row.seq !== seq && row.seq !== seq + 1)
        throw contradiction(row.id, `seq ${row.seq} follows ${seq}`);
      ({ seq } = row);
    }
  }
}
