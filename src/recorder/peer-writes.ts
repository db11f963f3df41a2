/** What peers have recorded since merges were read: what was recorded earlier, the reading itself shows. */
import { type Identified, mergeIdentity } from "../core/merge.ts";

export class PeerWrites {
  readonly #identities = new Set<string>();

  add(merge: Identified): void {
    this.#identities.add(mergeIdentity(merge)).add(eventIdentity(merge));
  }

  /** By its event too: its work item may be gone by now. */
  has(merge: Identified): boolean {
    return this.#identities.has(mergeIdentity(merge)) || this.#identities.has(eventIdentity(merge));
  }

  /** To be called before merges are read. */
  forget(): void {
    this.#identities.clear();
  }
}

function eventIdentity({ eventId }: Identified): string {
  return mergeIdentity({ eventId, workItemId: null });
}
