/**
 * The projection: one connection's memory, what the journal's rows up to the last applied row have left in it.
 *
 * # Why one row proves it
 *
 * Ids of journal rows ascend with `seq`, because they are drawn under the writers' lock. So "after the last applied row" is
 * `id >`. And as long as that row exists unchanged, memory describes this very log.
 *
 * # The applied position
 *
 * Every row of ours up to the applied position has been applied, and no other can appear there. It is the last applied row, or
 * a higher id, up to which all ids are settled. Where no row of ours exists yet, it says just that.
 *
 * Rows of kind `metric.*` without our marker (unmarked rows) bypass the lock: one of them may be visible while a row of ours
 * with a lower id is not yet committed. So they may advance the position only under the lock, or once all ids are settled.
 */
import type { Analyzer } from "../core/analyzer.ts";
import { BEFORE_ALL } from "../core/event-id.ts";
import {
  type JournalRow,
  mergeIn,
  parseJournalRow,
  type RawJournalRow,
  UnfitLog,
} from "../core/journal-row.ts";
import type { StatusHistory } from "../core/status-history.ts";
import type { Walk } from "../core/walk.ts";
import type { AppliedRow } from "../outbox/outbox-log.ts";
import { DueMerges } from "../restore/due-merges.ts";
import { applyRows } from "../restore/last-applied.ts";
import type { Restored } from "../restore/restored.ts";
import type { Batch } from "./batch.ts";
import { PeerWrites } from "./peer-writes.ts";
import type { Session } from "./session.ts";

/** The log is not the one that memory describes: its last applied row is missing or changed. */
export class HistoryReset extends Error {
  readonly rowId: string;

  constructor(rowId: string) {
    super(`events_outbox row ${rowId} is missing or changed`);
    this.name = "HistoryReset";
    this.rowId = rowId;
  }
}

export class Projection {
  readonly analyzer: Analyzer;
  /** The newest merges, for the status page alone. */
  readonly recent: StatusHistory;
  readonly dueMerges: DueMerges;
  readonly peerWrites = new PeerWrites();
  /** Whether enough rows were checked to write on this basis. */
  readonly isProven: boolean;
  readonly #session: Session;
  readonly #walk: Walk;
  #lastApplied: AppliedRow | null;
  #appliedPosition: bigint;
  #newestRow: bigint;
  /** Up to which id the newest checkpoint knows all to be settled; where a peer wrote it: its own id, which is no less. */
  #checkpointedLow: bigint;
  /** The highest id of a recorded merge; at first the newest one's. */
  #highestMerge: bigint;
  /** The highest unmarked row that was reported. */
  #reportedUnmarked = BEFORE_ALL;

  /** @param appliedPosition every row of ours up to this id is in what was restored. */
  constructor(
    session: Session,
    { walk, lastApplied, recent, known, isProven }: Restored,
    appliedPosition: bigint,
  ) {
    this.#session = session;
    this.#walk = walk;
    this.analyzer = walk.analyzer;
    this.recent = recent;
    this.isProven = isProven;
    this.dueMerges = new DueMerges(session.log, known);
    this.#lastApplied = lastApplied;
    this.#appliedPosition = appliedPosition;
    this.#newestRow = BigInt(lastApplied?.id ?? BEFORE_ALL);
    this.#checkpointedLow = known.coverage.low;
    this.#highestMerge = BigInt(this.analyzer.newest?.event_id ?? BEFORE_ALL);
  }

  /** Null while no row of ours exists. */
  get lastApplied(): AppliedRow | null {
    return this.#lastApplied;
  }

  get appliedPosition(): bigint {
    return this.#appliedPosition;
  }

  /** The newest row of ours, checkpoints included. */
  get newestRow(): bigint {
    return this.#newestRow;
  }

  /** Merges that no checkpoint covers yet. */
  get uncovered(): number {
    return this.analyzer.global.seq - this.#walk.checkpointSeq;
  }

  /** Ids that have been settled since the newest checkpoint; below 0 where it may know of more. */
  get uncoveredIds(): bigint {
    return this.dueMerges.coverage.low - this.#checkpointedLow;
  }

  /** @throws HistoryReset when the last applied row is missing or changed. */
  checkLastApplied(fingerprint: string | null): void {
    const { lastApplied } = this;
    if (lastApplied !== null && fingerprint !== lastApplied.fingerprint)
      throw new HistoryReset(lastApplied.id);
  }

  /**
   * Applies rows that follow the last applied one.
   * @param pages of rows in id order; a page may end within a set.
   * @throws HistoryReset when they contradict memory.
   */
  async apply(
    pages: AsyncIterable<readonly RawJournalRow[]> | Iterable<readonly RawJournalRow[]>,
  ): Promise<void> {
    const { report } = this.#session;
    const before = { seq: this.analyzer.global.seq, skipped: this.analyzer.skipped };
    let unmarked = 0;
    for await (const rows of pages) unmarked += this.#applyPage(rows);
    this.#asLogDecides(() => this.#walk.end());
    if (unmarked > 0) report({ event: "journal.unmarked_rows_ignored", rows: unmarked });
    const merges = this.analyzer.global.seq - before.seq;
    const skipped = this.analyzer.skipped - before.skipped;
    if (merges + skipped > 0) report({ event: "journal.peer_rows_applied", merges, skipped });
  }

  /** A committed batch. */
  adopt(batch: Batch, ids: readonly bigint[], lastApplied: AppliedRow): void {
    if (this.#isEmpty && ids[0] !== undefined) this.dueMerges.began(ids[0]);
    batch.adopt();
    for (const { found } of batch.merges) this.dueMerges.coverage.add(BigInt(found.eventId));
    this.#advance(lastApplied);
    this.recent.appended(batch.rows, this.#appliedPosition);
  }

  /** A committed checkpoint of this memory. */
  covered(checkpointId: bigint): void {
    this.#appliedPosition = checkpointId;
    this.#newestRow = checkpointId;
    this.#checkpointedLow = this.dueMerges.coverage.low;
    this.#walk.checkpointSeq = this.analyzer.global.seq;
  }

  /**
   * Every row of ours with an id up to here is committed and applied, or will never be.
   * @param drawnLow of the low-water mark. Not its `low`, which an id given by hand may raise above ids still to come.
   */
  settle(drawnLow: bigint): void {
    if (drawnLow > this.#appliedPosition) this.#appliedPosition = drawnLow;
  }

  /** Whether no merge with a higher id has been recorded so far, by any daemon. To be called once for each merge. */
  isHighest(eventId: string): boolean {
    const id = BigInt(eventId);
    if (id < this.#highestMerge) return false;
    this.#highestMerge = id;
    return true;
  }

  /** Whether no merge has ever been recorded or skipped, as far as is known. */
  get #isEmpty(): boolean {
    const { global, skipped, truncated } = this.analyzer;
    return global.seq === 0 && skipped === 0 && !truncated && this.dueMerges.firstRow === null;
  }

  /** @returns how many of the rows are unmarked and were not seen before. */
  #applyPage(raws: readonly RawJournalRow[]): number {
    let unmarked = 0;
    const rows = raws.map(parseJournalRow);
    const first = this.#isEmpty ? rows.find((row) => mergeIn(row) !== null) : undefined;
    if (first !== undefined && (first.type !== "metric" || first.seq === 1))
      this.dueMerges.began(BigInt(first.id));
    const lastApplied = this.#asLogDecides(() =>
      applyRows(this.#walk, raws, rows, (row) => {
        this.recent.accept(row);
        this.#noteMerge(row);
        const id = BigInt(row.id);
        if (row.type === "checkpoint" && id > this.#newestRow) {
          this.#newestRow = id;
          this.#checkpointedLow = id;
        }
        if (row.type === "unmarked" && id > this.#reportedUnmarked) {
          this.#reportedUnmarked = id;
          unmarked += 1;
        }
      }),
    );
    if (lastApplied !== null) this.#advance(lastApplied);
    return unmarked;
  }

  #noteMerge(row: JournalRow): void {
    const merge = mergeIn(row);
    if (merge === null) return;
    this.peerWrites.add(merge);
    this.dueMerges.coverage.add(BigInt(merge.eventId));
    this.isHighest(merge.eventId);
  }

  #advance(lastApplied: AppliedRow): void {
    this.#lastApplied = lastApplied;
    this.#appliedPosition = BigInt(lastApplied.id);
    if (this.#appliedPosition > this.#newestRow) this.#newestRow = this.#appliedPosition;
  }

  /**
   * What contradicts memory need not contradict the log: after rows were deleted from its old end, a daemon that restored since
   * knows less than this one. The log decides; if it contradicts itself, the restore shows it.
   */
  #asLogDecides<T>(applying: () => T): T {
    try {
      return applying();
    } catch (error) {
      throw error instanceof UnfitLog && error.reason === "contradiction"
        ? new HistoryReset(error.rowId)
        : error;
    }
  }
}
