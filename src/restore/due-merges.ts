/**
 * Which merges are due: those that no row of ours records or ever recorded, by their work item or their event.
 *
 * Rows may be deleted and columns may become null; the coverage (`core/coverage.ts`) knows what is recorded all the same. Three
 * cases are left to decide here:
 *
 *   - A merge at or below the low-water mark whose work item no row names. A later row may name its event, its rows may be gone, or it
 *     appeared without a lock after the mark had passed. Rows have higher ids than the merges they record, and retention deletes
 *     from the old end. So, unless a later row names its event, it is due where the journal still has its first row, or where the
 *     oldest row that is left is older than the merge.
 *   - The same without any checkpoint: merges below the smallest recorded event that is left are taken as recorded.
 *   - A work item that merged again after the rows of its first merge were deleted: its other transition is covered.
 */
import type { Coverage } from "../core/coverage.ts";
import { BEFORE_ALL } from "../core/event-id.ts";
import { mergeIn, parseJournalRow } from "../core/journal-row.ts";
import { mergeIdentity } from "../core/merge.ts";
import type { FoundMerge, JournalReader } from "../outbox/outbox-log.ts";
import { pagesAfter } from "../outbox/pages.ts";
import { recordedNow } from "./known-merges.ts";
import type { Known } from "./restored.ts";

export type ClassifiedMerges = {
  readonly due: FoundMerge[];
  /** Of work items that are recorded, or due, by another merge. */
  readonly duplicates: FoundMerge[];
  /** Taken as recorded: nothing that is left shows whether they are. */
  readonly presumed: FoundMerge[];
  /** At or below the low-water mark, and no row names their work item: see `dueWithoutRow`. */
  readonly withoutRow: FoundMerge[];
};

export class DueMerges {
  readonly #log: JournalReader;
  /** As the restore found it, kept up to date. */
  readonly #known: { -readonly [Fact in keyof Known]: Known[Fact] };
  /** Where the coverage is not exact: what else is recorded, read when it is first needed. */
  #isRecordedNow: ((eventId: bigint) => boolean) | null = null;
  /** The oldest row that records a merge, as of the last query; null where none was found. */
  #oldest: bigint | null = null;
  /** Where none was found: up to here no row records a merge. */
  #searchedUpTo = BEFORE_ALL;

  constructor(log: JournalReader, known: Known) {
    this.#log = log;
    this.#known = { ...known };
  }

  get coverage(): Coverage {
    return this.#known.coverage;
  }

  get truncationPoint(): bigint | null {
    return this.#known.truncationPoint;
  }

  /** The journal's first row, as long as it is known to exist. */
  get firstRow(): bigint | null {
    return this.#known.firstRow;
  }

  /** Whether the coverage lists every merge that is recorded. */
  get exact(): boolean {
    return this.#known.exact;
  }

  /** Every merge in the log has been examined, and those that are recorded are in the coverage. */
  allSeen(): void {
    this.#known.exact = true;
    this.#isRecordedNow = null;
  }

  /** An empty journal got its first row. */
  began(rowId: bigint): void {
    this.#known.firstRow = rowId;
    this.#known.pruned = false;
  }

  /**
   * Classifies merges that were found, in the order of their ids.
   * @param hasFirstRow whether the journal's first row existed after they had been read; queried where it is left out.
   */
  async classify(found: readonly FoundMerge[], hasFirstRow?: boolean): Promise<ClassifiedMerges> {
    const duplicates: FoundMerge[] = [];
    const presumed: FoundMerge[] = [];
    const withoutRow: FoundMerge[] = [];
    const open: FoundMerge[] = [];
    for (const merge of found) {
      const id = BigInt(merge.eventId);
      if (merge.recordedAs === merge.eventId) this.coverage.add(id);
      else if (merge.recordedAs !== null) duplicates.push(merge);
      else if (this.truncationPoint !== null && id <= this.truncationPoint) presumed.push(merge);
      else if (id <= this.coverage.low) (this.coverage.covers(id) ? withoutRow : open).push(merge);
      else if (!(await this.#isRecorded(id))) open.push(merge);
    }
    const { due, again } = await this.#withoutDuplicates(open, hasFirstRow);
    return { due, duplicates: [...duplicates, ...again], presumed, withoutRow };
  }

  /**
   * Which of these merges are due.
   * @param withoutRow merges whose work items no row names, and whose events no later row names.
   */
  async dueWithoutRow(withoutRow: readonly FoundMerge[]): Promise<FoundMerge[]> {
    return (await this.#withoutDuplicates(await this.afterOldestRow(withoutRow))).due;
  }

  /**
   * The merges whose rows retention cannot have deleted: where the journal is pruned, those after the oldest row that is left. As that
   * row only becomes newer, the others are not due later either.
   * @param merges at or below the low-water mark, in the order of their ids.
   */
  async afterOldestRow(merges: readonly FoundMerge[]): Promise<readonly FoundMerge[]> {
    const last = merges.at(-1);
    if (last === undefined || !(await this.#isPruned())) return merges;
    const oldest = await this.#oldestRow(BigInt(last.eventId));
    return merges.filter(({ eventId }) => oldest !== null && BigInt(eventId) > oldest);
  }

  /** The first merge of each work item, without those of work items whose earlier merge is recorded. */
  async #withoutDuplicates(
    open: readonly FoundMerge[],
    hasFirstRow?: boolean,
  ): Promise<{ due: FoundMerge[]; again: FoundMerge[] }> {
    const due: FoundMerge[] = [];
    const again: FoundMerge[] = [];
    const identities = new Set<string>();
    const pruned = open.length > 0 && (await this.#isPruned(hasFirstRow));
    const others = pruned ? await this.#log.otherMerges(open) : null;
    for (const merge of open) {
      const identity = mergeIdentity(merge);
      (this.#mergedBefore(merge, others) || identities.has(identity) ? again : due).push(merge);
      identities.add(identity);
    }
    return { due, again };
  }

  /**
   * Whether the work item is recorded by another merge whose rows are gone. Not where this merge is known as unrecorded: when the
   * table refused it, no other one was recorded, and the coverage includes the duplicates that it has.
   */
  #mergedBefore(
    { eventId }: FoundMerge,
    others: Awaited<ReturnType<JournalReader["otherMerges"]>> | null,
  ): boolean {
    if (this.coverage.unrecorded.has(BigInt(eventId))) return false;
    return others?.get(eventId)?.some((other) => this.coverage.covers(other)) ?? false;
  }

  /** Whether rows are gone from the journal's old end by now; its first row is the first to go. */
  async #isPruned(hasFirstRow?: boolean): Promise<boolean> {
    const first = this.#known.firstRow;
    if (this.#known.pruned || first === null) return this.#known.pruned;
    this.#known.pruned = !(hasFirstRow ?? (await this.#log.journal(first - 1n, first)).length > 0);
    return this.#known.pruned;
  }

  /** Whether a merge above the low-water mark is recorded by its event. */
  async #isRecorded(eventId: bigint): Promise<boolean> {
    if (this.coverage.covers(eventId)) return true;
    if (this.#known.exact) return false;
    this.#isRecordedNow ??= await recordedNow(this.#log, this.#known.readUpTo);
    if (!this.#isRecordedNow(eventId)) return false;
    this.coverage.add(eventId);
    return true;
  }

  /**
   * The oldest row that records a merge, null where there is none up to an id. No row is searched twice: below the low-water mark
   * none appears that was not there.
   */
  async #oldestRow(upTo: bigint): Promise<bigint | null> {
    const known = this.#oldest;
    if (known !== null) {
      if ((await this.#log.journal(known - 1n, known)).length > 0) return known;
      this.#oldest = null;
      this.#searchedUpTo = known;
    }
    for await (const { after, end } of pagesAfter(this.#log, this.#searchedUpTo, upTo)) {
      const row = (await this.#log.journal(after, end)).find((raw) => mergeIn(parseJournalRow(raw)) !== null);
      if (row !== undefined) {
        this.#oldest = BigInt(row.id);
        return this.#oldest;
      }
      this.#searchedUpTo = end;
    }
    return null;
  }
}
