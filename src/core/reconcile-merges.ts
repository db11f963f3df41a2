/**
 * The other half of verification: compares every committed merge with what the journal records of it.
 *
 * A merge without a record may have committed a moment ago, its rows may be gone from the old end, or no daemon has processed it so
 * far: the next reconciliation records it, so it waits. It is missing only where its record was deleted: the sequence of recorded
 * merges has a gap, and no running daemon is about to record it.
 *
 * A record without a transition is invented, or retention has deleted the transition. Retention goes by id or by age: it
 * explains what is older, in either order, than every row of the orchestrator's that is left.
 */
import type { Coverage } from "./coverage.ts";
import type { Differences } from "./difference.ts";
import { type Identified, type RawFacts, readFacts } from "./merge.ts";
import { factsHash, SKIPPED } from "./recorded-merges.ts";
import type { Verifier } from "./verifier.ts";

export type CommittedMerge = Identified & {
  readonly mergedAt: string | null;
  /** Milliseconds since the transition was written; null where it has no date. */
  readonly ageMs: number | null;
  /** Today's, which may be others than those that were recorded. */
  readonly facts: RawFacts | null;
};

export type MergeCounts = {
  /** Transitions to merged. */
  committed: number;
  /** Later arrivals of work items that are recorded: they do not count. */
  duplicates: number;
  /** Due, and not recorded so far. */
  waiting: number;
  /** Recorded by rows that are gone, according to a checkpoint or the oldest surviving row. */
  pruned: number;
  /** Recorded with facts that the work item no longer has. The record is right. */
  drifted: number;
  /** Recorded merges whose transition has gone from the log's old end. */
  without_transition: number;
};

/** The oldest of the rows beside ours: by id, and by `created_at` in milliseconds since 1970. Null where there is none. */
export type Survivors = { readonly id: bigint | null; readonly at: number | null };

/** A merge that committed late is recorded within this time. */
const ON_ITS_WAY_MS = 60_000;
const DRIFTED_KEPT = 10;

export class MergeReconciliation {
  readonly counts: MergeCounts = {
    committed: 0,
    duplicates: 0,
    waiting: 0,
    pruned: 0,
    drifted: 0,
    without_transition: 0,
  };
  /** The first merges whose facts have changed since. */
  readonly drifted: CommittedMerge[] = [];
  readonly #verifier: Verifier;
  readonly #differences: Differences;
  readonly #coverage: Pick<Coverage, "covers"> | null;
  /** Merges without a record among merges that are recorded. */
  #suspects: Identified[] = [];

  /**
   * @param verifier that has seen the whole journal.
   * @param coverage what the newest checkpoint says is recorded; null where there is none.
   */
  constructor(verifier: Verifier, differences: Differences, coverage: Pick<Coverage, "covers"> | null) {
    this.#verifier = verifier;
    this.#differences = differences;
    this.#coverage = coverage;
  }

  /** A committed merge, in any order. */
  accept(merge: CommittedMerge): void {
    this.counts.committed += 1;
    const { recorded } = this.#verifier;
    const hash = recorded.meet(merge.eventId);
    const known = recorded.hasItemOf(merge);
    if (hash === null) {
      if (known) this.counts.duplicates += 1;
      else this.#due(merge);
      return;
    }
    // A transition whose work item has become null is still the event that was recorded.
    if (!known && merge.workItemId !== null) {
      this.#differences.add({
        kind: "work_item",
        event_id: merge.eventId,
        recorded: "a merge of another work item",
        expected: `work item ${merge.workItemId}, as the transition says`,
      });
    }
    if (hash === SKIPPED) return;
    const facts = readFacts(merge.facts);
    if (typeof facts !== "string" && factsHash({ ...facts, mergedAt: merge.mergedAt }) === hash) return;
    this.counts.drifted += 1;
    if (this.drifted.length < DRIFTED_KEPT) this.drifted.push(merge);
  }

  /** A row of the outbox that the server cannot read, which may be the transition of a recorded merge. */
  unreadable(eventId: string): void {
    this.#verifier.recorded.meet(eventId);
  }

  /** The merges that are to be looked for again: without those that the verifier has seen recorded meanwhile. */
  get suspects(): readonly Identified[] {
    const { recorded } = this.#verifier;
    this.#suspects = this.#suspects.filter((merge) => !recorded.has(merge));
    return this.#suspects;
  }

  /** Decides about the suspects that are left. @param running how many daemons are. */
  conclude(running: number): void {
    const { itemsBecameNull } = this.#verifier;
    const gaps = (this.#differences.counts.get("seq_gap") ?? 0) > 0;
    for (const { eventId, workItemId } of this.suspects) {
      // Its work item is no longer known, so it may be a later arrival of a recorded one.
      if (workItemId === null && itemsBecameNull) this.counts.duplicates += 1;
      else if (running > 0 || !gaps) this.counts.waiting += 1;
      else
        this.#differences.add({
          kind: "merge_missing",
          event_id: eventId,
          recorded: "nothing",
          expected: `a record of ${workItemId === null ? "this event" : `work item ${workItemId}`}; later merges are recorded`,
        });
    }
    this.#suspects = [];
  }

  /** Whether there are recorded merges whose transitions were not met. */
  get someUnmet(): boolean {
    return this.#verifier.recorded.unmet().next().done === false;
  }

  /** Whether retention explains that transitions of recorded merges were not met. */
  explainedBy(survivors: Survivors): boolean {
    for (const { eventId, at } of this.#verifier.recorded.unmet()) {
      if (!isOlder(eventId, at, survivors)) return false;
    }
    return true;
  }

  /** @param survivors as they are after every transition was read. */
  end(survivors: Survivors): void {
    const unsure: string[] = [];
    for (const { eventId, at } of this.#verifier.recorded.unmet()) {
      if (isOlder(eventId, at, survivors)) this.counts.without_transition += 1;
      else if (Number.isNaN(at) || at === survivors.at) unsure.push(eventId);
      else this.#unknown(eventId);
    }
    // Of the same millisecond as the oldest that is left, or of no known time: only where others have gone, too.
    const pruned = this.#verifier.truncated || this.counts.without_transition > 0;
    for (const eventId of unsure) {
      if (pruned) this.counts.without_transition += 1;
      else this.#unknown(eventId);
    }
  }

  #unknown(eventId: string): void {
    this.#differences.add({
      kind: "merge_unknown",
      event_id: eventId,
      recorded: `event ${eventId} as a merge`,
      expected: "a transition to merged with this id; there is none",
    });
  }

  #due(merge: CommittedMerge): void {
    const { smallest, largest } = this.#verifier.recorded;
    const id = BigInt(merge.eventId);
    const { eventId, workItemId } = merge;
    // A checkpoint alone is left of the journal.
    const truncated = this.#verifier.truncated || (largest === null && this.#coverage !== null);
    if (truncated && ((smallest !== null && id < smallest) || this.#coverage?.covers(id) === true)) {
      this.counts.pruned += 1;
    } else if (largest === null || id > largest || (merge.ageMs ?? 0) < ON_ITS_WAY_MS) {
      this.counts.waiting += 1;
    } else {
      this.#suspects.push({ eventId, workItemId });
    }
  }
}

/** Whether retention, by id or by age, would have deleted this before the oldest row that is left. */
function isOlder(eventId: string, at: number, survivors: Survivors): boolean {
  if (survivors.id === null) return true;
  return BigInt(eventId) < survivors.id || (survivors.at !== null && at < survivors.at);
}
