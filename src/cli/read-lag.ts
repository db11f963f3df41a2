/** The lag: merges that are due and not recorded, read page by page. */
import { mergeIdentity } from "../core/merge.ts";
import type { Snapshot } from "../core/snapshot.ts";
import type { FoundMerge } from "../outbox-log.ts";
import { pagesAfter } from "../pages.ts";
import { DueMerges } from "../restore/due-merges.ts";
import type { Known } from "../restore/restored.ts";
import { type LogAccess, READ_ROWS } from "./read-log.ts";

/** Merges that are due, and how many of them the table did not take when the newest checkpoint was written. */
type Lag = { readonly lag: Snapshot["lag"]; readonly refused: number };

/** @param known what is known of the merges that are recorded. */
export async function readLag({ reader }: LogAccess, known: Known): Promise<Lag> {
  const recorded = new DueMerges(reader, known);
  const identities = new Set<string>();
  let oldestMs: number | null = null;
  const count = async (found: readonly FoundMerge[]): Promise<void> => {
    for (const merge of (await recorded.classify(found)).due) {
      identities.add(mergeIdentity(merge));
      if (merge.ageMs !== null) oldestMs = Math.max(oldestMs ?? 0, merge.ageMs);
    }
  };
  const newest = await reader.newest();
  const { low, unrecorded } = recorded.coverage;
  for await (const { after, end } of pagesAfter(reader, low, newest, READ_ROWS))
    await count(await reader.merges(after, end));
  let refused = 0;
  for (const event of unrecorded) {
    const found = await reader.merges(event - 1n, event);
    refused += (await recorded.classify(found)).due.length;
    await count(found);
  }
  return {
    lag: { merges: identities.size, seconds: oldestMs === null ? null : Math.round(oldestMs / 100) / 10 },
    refused,
  };
}
