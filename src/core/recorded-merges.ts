/** Which merges verification has seen recorded: by their events, and by the work items under which they count once. */
import { hash32 } from "./hash.ts";
import { IdSet } from "./id-set.ts";
import type { Facts, Identified } from "./merge.ts";
import { RecordedEvents } from "./recorded-events.ts";

/** What stands for the facts of a skipped merge. */
export const SKIPPED = 0;

export class RecordedMerges {
  readonly events = new RecordedEvents();
  /** The smallest and the largest event; null while there is none. */
  smallest: bigint | null = null;
  largest: bigint | null = null;
  readonly #items = new IdSet();
  /** Events that name no work item. */
  readonly #alone = new IdSet();

  /**
   * Whether what is added needs no transition to be met: its transition was passed before it was recorded.
   */
  afterwards = false;

  /**
   * @param facts `factsHash` of what was recorded, or SKIPPED; of an event that is there already they stay.
   * @param mergedAt when its transition was written; null where that is not recorded.
   */
  add(merge: Identified, facts: number, mergedAt: string | null): void {
    if (!this.events.has(merge.eventId)) {
      this.events.add(merge.eventId, facts, mergedAt === null ? Number.NaN : Date.parse(mergedAt));
      if (this.afterwards) this.events.take(merge.eventId);
    }
    if (merge.workItemId === null) this.#alone.add(merge.eventId);
    else this.#items.add(merge.workItemId);
    const id = BigInt(merge.eventId);
    if (this.smallest === null || id < this.smallest) this.smallest = id;
    if (this.largest === null || id > this.largest) this.largest = id;
  }

  /** Whether a merge of the same work item is recorded, or this event where it names none. */
  hasItemOf({ eventId, workItemId }: Identified): boolean {
    return workItemId === null ? this.#alone.has(eventId) : this.#items.has(workItemId);
  }
}

/** What is compared with today's work items, as 32 bits other than SKIPPED. */
export function factsHash(facts: Facts & { readonly mergedAt: string | null }): number {
  return hash32(JSON.stringify([facts.project, facts.attempts, facts.lastVerdict, facts.mergedAt])) | 1;
}
