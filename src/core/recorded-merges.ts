/** Which merges verification has seen recorded: by their events, and by the work items under which they count once. */
import type { Facts, Identified } from "./merge.ts";

/** In place of the facts of a skipped merge. */
export const SKIPPED = 0;

/** An id: as a number where it is the text of one, because millions of texts would fill the memory. */
type Id = number | string;

const NUMBER = /^(?:0|-?[1-9][0-9]{0,14})$/;

function idOf(text: string): Id {
  return NUMBER.test(text) ? Number(text) : text;
}

export class RecordedMerges {
  /** The smallest and the largest event; null while there is none. */
  smallest: bigint | null = null;
  largest: bigint | null = null;
  /** Whether transitions have been read already: then those of merges that are added now count as met. */
  afterwards = false;
  /** The place of each event in the lists below. */
  readonly #events = new Map<Id, number>();
  /** `factsHash` of each event, or SKIPPED. */
  readonly #facts: number[] = [];
  /** When its transition was written, milliseconds since 1970; NaN where no time is recorded. */
  readonly #at: number[] = [];
  /** Whether its transition was met. */
  readonly #met: boolean[] = [];
  readonly #items = new Set<Id>();
  /** Events that name no work item. */
  readonly #alone = new Set<Id>();

  /**
   * @param facts `factsHash` of what was recorded, or SKIPPED; of an event that is there already they stay.
   * @param mergedAt when its transition was written; null where that is not recorded.
   */
  add({ eventId, workItemId }: Identified, facts: number, mergedAt: string | null): void {
    const event = idOf(eventId);
    if (!this.#events.has(event)) {
      this.#events.set(event, this.#facts.push(facts) - 1);
      this.#at.push(mergedAt === null ? Number.NaN : Date.parse(mergedAt));
      this.#met.push(this.afterwards);
    }
    if (workItemId === null) this.#alone.add(event);
    else this.#items.add(idOf(workItemId));
    const id = BigInt(eventId);
    if (this.smallest === null || id < this.smallest) this.smallest = id;
    if (this.largest === null || id > this.largest) this.largest = id;
  }

  /** Whether this event is recorded, or a merge of the same work item. */
  has(merge: Identified): boolean {
    return this.#events.has(idOf(merge.eventId)) || this.hasItemOf(merge);
  }

  /** Whether a merge of the same work item is recorded, or this event where it names none. */
  hasItemOf({ eventId, workItemId }: Identified): boolean {
    return workItemId === null ? this.#alone.has(idOf(eventId)) : this.#items.has(idOf(workItemId));
  }

  /** The transition of an event was met. @returns the facts that were recorded; null where the event is not. */
  meet(eventId: string): number | null {
    const place = this.#events.get(idOf(eventId));
    if (place === undefined) return null;
    this.#met[place] = true;
    return this.#facts[place] ?? null;
  }

  /** The events whose transitions were not met. */
  *unmet(): Generator<{ readonly eventId: string; readonly at: number }> {
    for (const [event, place] of this.#events)
      if (this.#met[place] === false) yield { eventId: String(event), at: this.#at[place] ?? Number.NaN };
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
