/** Which merges verification has seen recorded: by their events, and by the work items under which they count once. */
import type { Facts, Identified } from "./merge.ts";

/** In place of the facts of a skipped merge. */
export const SKIPPED = 0;

type Recorded = {
  /** `factsHash`, or SKIPPED. */
  readonly facts: number;
  /** When its transition was written, milliseconds since 1970; NaN where no time is recorded. */
  readonly at: number;
  /** Whether its transition was met. */
  met: boolean;
};

export class RecordedMerges {
  /** The smallest and the largest event; null while there is none. */
  smallest: bigint | null = null;
  largest: bigint | null = null;
  /** Whether transitions have been read already: then those of merges that are added now count as met. */
  afterwards = false;
  readonly #events = new Map<string, Recorded>();
  readonly #items = new Set<string>();
  /** Events that name no work item. */
  readonly #alone = new Set<string>();

  /**
   * @param facts `factsHash` of what was recorded, or SKIPPED; of an event that is there already they stay.
   * @param mergedAt when its transition was written; null where that is not recorded.
   */
  add({ eventId, workItemId }: Identified, facts: number, mergedAt: string | null): void {
    if (!this.#events.has(eventId)) {
      const at = mergedAt === null ? Number.NaN : Date.parse(mergedAt);
      this.#events.set(eventId, { facts, at, met: this.afterwards });
    }
    if (workItemId === null) this.#alone.add(eventId);
    else this.#items.add(workItemId);
    const id = BigInt(eventId);
    if (this.smallest === null || id < this.smallest) this.smallest = id;
    if (this.largest === null || id > this.largest) this.largest = id;
  }

  /** Whether this event is recorded, or a merge of the same work item. */
  has(merge: Identified): boolean {
    return this.#events.has(merge.eventId) || this.hasItemOf(merge);
  }

  /** Whether a merge of the same work item is recorded, or this event where it names none. */
  hasItemOf({ eventId, workItemId }: Identified): boolean {
    return workItemId === null ? this.#alone.has(eventId) : this.#items.has(workItemId);
  }

  /** The transition of an event was met. @returns the facts that were recorded; null where the event is not. */
  meet(eventId: string): number | null {
    const recorded = this.#events.get(eventId);
    if (recorded === undefined) return null;
    recorded.met = true;
    return recorded.facts;
  }

  /** The events whose transitions were not met. */
  *unmet(): Generator<{ readonly eventId: string; readonly at: number }> {
    for (const [eventId, { at, met }] of this.#events) if (!met) yield { eventId, at };
  }
}

/** What is compared with today's work items, as 31 bits other than SKIPPED. */
export function factsHash(facts: Facts & { readonly mergedAt: string | null }): number {
  const text = JSON.stringify([facts.project, facts.attempts, facts.lastVerdict, facts.mergedAt]);
  return (hash32(text) >>> 1) | 1;
}

/** Of a text's UTF-16 units, 32 bits without sign; MurmurHash3's mixing steps. */
function hash32(text: string): number {
  let hash = text.length;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0xcc9e2d51);
    hash = ((hash << 15) | (hash >>> 17)) ^ (hash >>> 3);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
