/** The other half of verification: every committed merge is held against what the journal records of it. */
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
  repeats: number;
  /** Due, and the daemon may still be on its way. */
  waiting: number;
  /** Older than the oldest surviving row of ours: taken as recorded. */
  pruned: number;
  /** Recorded with facts that the work item does not have any more. The record stands. */
  drifted: number;
  /** Recorded merges whose transition has gone from the log's old end. */
  without_transition: number;
};

/** A merge that committed late is recorded within this time. */
const ON_ITS_WAY_MS = 60_000;
const DRIFTED_KEPT = 10;

export class MergeAudit {
  readonly counts: MergeCounts = {
    committed: 0,
    repeats: 0,
    waiting: 0,
    pruned: 0,
    drifted: 0,
    without_transition: 0,
  };
  /** The first merges whose facts have changed since. */
  readonly drifted: CommittedMerge[] = [];
  readonly #verifier: Verifier;
  readonly #differences: Differences;

  /** @param verifier that has seen the whole journal. */
  constructor(verifier: Verifier, differences: Differences) {
    this.#verifier = verifier;
    this.#differences = differences;
  }

  /** A committed merge, in any order. */
  accept(merge: CommittedMerge): void {
    this.counts.committed += 1;
    const { recorded } = this.#verifier;
    const hash = recorded.events.take(merge.eventId);
    const known = recorded.hasItemOf(merge);
    if (hash === null) {
      if (known) this.counts.repeats += 1;
      else this.#due(merge);
      return;
    }
    if (!known) {
      this.#differences.add({
        kind: "work_item",
        event_id: merge.eventId,
        recorded: "a merge of another work item",
        expected: `work item ${merge.workItemId ?? "null"}, as the transition says`,
      });
    }
    if (hash === SKIPPED) return;
    const facts = readFacts(merge.facts);
    if (typeof facts !== "string" && factsHash({ ...facts, mergedAt: merge.mergedAt }) === hash) return;
    this.counts.drifted += 1;
    if (this.drifted.length < DRIFTED_KEPT) this.drifted.push(merge);
  }

  /** @param oldest the smallest id that is left in the log. */
  end(oldest: bigint): void {
    for (const eventId of this.#verifier.recorded.events.untaken()) {
      if (BigInt(eventId) < oldest) this.counts.without_transition += 1;
      else
        this.#differences.add({
          kind: "merge_unknown",
          event_id: eventId,
          recorded: `event ${eventId} as a merge`,
          expected: "a transition to merged with this id; there is none",
        });
    }
  }

  #due(merge: CommittedMerge): void {
    const { truncated, recorded } = this.#verifier;
    const { smallest, largest } = recorded;
    const id = BigInt(merge.eventId);
    if (truncated && smallest !== null && id < smallest) {
      this.counts.pruned += 1;
    } else if (largest === null || id > largest || (merge.ageMs ?? 0) < ON_ITS_WAY_MS) {
      this.counts.waiting += 1;
    } else {
      this.#differences.add({
        kind: "merge_missing",
        event_id: merge.eventId,
        recorded: "nothing",
        expected: `a record of ${merge.workItemId === null ? "this event" : `work item ${merge.workItemId}`}; later merges are recorded`,
      });
    }
  }
}
