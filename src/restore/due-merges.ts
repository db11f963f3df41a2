/**
 * Which merges are due: found in the log, and recorded by no row of ours that there is or was.
 *
 * A merge is recorded when a row of ours names its work item or its event. Rows may be gone, and columns may have become
 * null; the coverage (`core/coverage.ts`) says what is recorded all the same. What is left to decide here:
 *
 *   - A merge at or below the low-water mark whose work item no row names. Rows that name its event may follow, its rows may
 *     be gone, or it came where no lock announced it, after the mark had passed (a sequence with a cache, an id given by hand,
 *     a transaction that was waited for in vain). Rows have higher ids than the merges they record, and go from the old end:
 *     so, unless a row that follows names its event, it is due where the journal still has its first row, or where the oldest
 *     row that is left is older than the merge itself.
 *   - The same without any checkpoint: merges below the smallest recorded event that is left are taken as recorded.
 *   - A work item that merged again after the rows of its first merge went: its other transition is covered.
 */
import type { Coverage } from "../core/coverage.ts";
import { BEFORE_ALL } from "../core/event-id.ts";
import { mergeIn, parseJournalRow } from "../core/journal-row.ts";
import { mergeIdentity } from "../core/merge.ts";
import type { FoundMerge, JournalReader } from "../outbox-log.ts";
import { pagesAfter } from "../pages.ts";
import type { Known } from "./restored.ts";

export type ClassifiedMerges = {
  readonly due: FoundMerge[];
  /** Of work items that are recorded, or due, by another merge. */
  readonly duplicates: FoundMerge[];
  /** Taken as recorded, as nothing tells. */
  readonly presumed: FoundMerge[];
  /** At or below the low-water mark, and no row names their work item: see `dueOfDoubtful`. */
  readonly doubtful: FoundMerge[];
};

export class DueMerges {
  readonly coverage: Coverage;
  readonly floor: bigint | null;
  readonly #log: JournalReader;
  #exact: boolean;
  #begins: bigint | null;
  /** Whether rows are known to be gone from the journal's old end. */
  #pruned: boolean;
  /** Where the coverage is not exact: the events that rows record, read when they are first asked for. */
  #events: ReadonlySet<string> | null = null;
  /** The oldest row of the journal, when it was last asked for. */
  #oldest: bigint | null = null;

  constructor(log: JournalReader, { coverage, exact, floor, begins, pruned }: Known) {
    this.#log = log;
    this.coverage = coverage;
    this.floor = floor;
    this.#exact = exact;
    this.#begins = begins;
    this.#pruned = pruned;
  }

  /** The journal's first row, as long as it is known to be there. */
  get begins(): bigint | null {
    return this.#begins;
  }

  /** Whether the coverage lists every merge that is recorded. */
  get exact(): boolean {
    return this.#exact;
  }

  /** Every merge in the log has been looked at, and those that are recorded are in the coverage. */
  allSeen(): void {
    this.#exact = true;
    this.#events = null;
  }

  /** The first row of a journal that had none. */
  began(rowId: bigint): void {
    this.#begins = rowId;
    this.#pruned = false;
  }

  /**
   * Classifies merges that were found, in the order of their ids.
   * @param beginsThere whether the journal's first row was there after they had been read; asked for where it is left out.
   */
  async classify(found: readonly FoundMerge[], beginsThere?: boolean): Promise<ClassifiedMerges> {
    const duplicates: FoundMerge[] = [];
    const presumed: FoundMerge[] = [];
    const doubtful: FoundMerge[] = [];
    const open: FoundMerge[] = [];
    for (const merge of found) {
      if (merge.recordedAs === merge.eventId) this.coverage.add(BigInt(merge.eventId));
      else if (merge.recordedAs !== null) duplicates.push(merge);
      else if (this.floor !== null && BigInt(merge.eventId) <= this.floor) presumed.push(merge);
      else if (BigInt(merge.eventId) > this.coverage.low) {
        if (!(await this.#recordsEvent(merge.eventId))) open.push(merge);
      } else if (this.coverage.covers(BigInt(merge.eventId))) doubtful.push(merge);
      else open.push(merge);
    }
    const { due, again } = await this.#withoutDuplicates(open, beginsThere);
    return { due, duplicates: [...duplicates, ...again], presumed, doubtful };
  }

  /**
   * The doubtful merges that are due.
   * @param doubtful merges whose events no row names that follows them.
   */
  async dueOfDoubtful(doubtful: readonly FoundMerge[]): Promise<FoundMerge[]> {
    if (doubtful.length === 0) return [];
    const oldest = (await this.#isPruned()) ? await this.#oldestRow() : BEFORE_ALL;
    const due = doubtful.filter(({ eventId }) => oldest !== null && BigInt(eventId) > oldest);
    return (await this.#withoutDuplicates(due)).due;
  }

  /** The first merge of each work item, without those of work items whose earlier merge is recorded. */
  async #withoutDuplicates(
    open: readonly FoundMerge[],
    beginsThere?: boolean,
  ): Promise<{ due: FoundMerge[]; again: FoundMerge[] }> {
    const due: FoundMerge[] = [];
    const again: FoundMerge[] = [];
    const identities = new Set<string>();
    const pruned = open.length > 0 && (await this.#isPruned(beginsThere));
    const others = pruned ? await this.#log.otherMerges(open) : null;
    for (const merge of open) {
      const identity = mergeIdentity(merge);
      const before = others?.get(merge.eventId)?.some((other) => this.coverage.covers(other)) ?? false;
      (before || identities.has(identity) ? again : due).push(merge);
      identities.add(identity);
    }
    return { due, again };
  }

  /** Whether rows are gone from the journal's old end by now, of which its first row is the first to go. */
  async #isPruned(beginsThere?: boolean): Promise<boolean> {
    const begins = this.#begins;
    if (this.#pruned || begins === null) return this.#pruned;
    this.#pruned = !(beginsThere ?? (await this.#log.journal(begins - 1n, begins)).length > 0);
    return this.#pruned;
  }

  /** Whether a merge above the low-water mark is recorded by its event. */
  async #recordsEvent(eventId: string): Promise<boolean> {
    if (this.coverage.covers(BigInt(eventId))) return true;
    if (this.#exact || !(await this.#recordedEvents()).has(eventId)) return false;
    this.coverage.add(BigInt(eventId));
    return true;
  }

  async #recordedEvents(): Promise<ReadonlySet<string>> {
    if (this.#events !== null) return this.#events;
    const events = new Set<string>();
    for await (const { after, end } of pagesAfter(this.#log, BEFORE_ALL, await this.#log.newest()))
      for (const event of await this.#log.recordedEvents(after, end)) events.add(event);
    this.#events = events;
    return events;
  }

  /** The oldest row that records a merge; null where there is none. */
  async #oldestRow(): Promise<bigint | null> {
    const known = this.#oldest;
    if (known !== null && (await this.#log.journal(known - 1n, known)).length > 0) return known;
    const newest = await this.#log.newest();
    for await (const { after, end } of pagesAfter(this.#log, known ?? BEFORE_ALL, newest)) {
      const row = (await this.#log.journal(after, end)).find((raw) => mergeIn(parseJournalRow(raw)) !== null);
      if (row === undefined) continue;
      this.#oldest = BigInt(row.id);
      return this.#oldest;
    }
    return null;
  }
}
