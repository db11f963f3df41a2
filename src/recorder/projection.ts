/**
 * The memory of one connection: what the journal's rows have left in it, and the row that it stands on.
 *
 * Ids of journal rows ascend with `seq`, because they are drawn under the writers' lock; so "after the newest row folded"
 * is `id >`, and the newest row itself still being there, unchanged, proves that memory stands on this very log.
 *
 * That holds for rows of ours alone. A row of kind `metric.*` that is somebody else's is written without the lock, and may
 * be seen while a row of ours with a lower id is still on its way: past it is only gone under the lock, or where all ids
 * are settled.
 */
import type { Analyzer } from "../core/analyzer.ts";
import { BEFORE_ALL } from "../core/event-id.ts";
import { mergeIn, parseJournalRow, type RawJournalRow, UnfitLog } from "../core/journal-row.ts";
import { type Identified, mergeIdentity } from "../core/merge.ts";
import type { StatusHistory } from "../core/status-history.ts";
import type { Walk } from "../core/walk.ts";
import type { Report } from "../events/daemon-event.ts";
import {
  type Head,
  type OutboxLog,
  PAGE_ROWS,
  type Since,
  sequenceWentBack,
  UnfitDatabase,
} from "../outbox-log.ts";
import { pagesAfter } from "../pages.ts";
import { DueMerges } from "../restore/due-merges.ts";
import { acceptRows } from "../restore/last-applied.ts";
import type { Restored } from "../restore/restored.ts";
import type { Plan } from "./plan.ts";

/** Ids that the fence passes again, at most: a tenth of a second. */
const FENCED_IDS = 500_000n;

/** The newest row that memory stands on is gone or another one. */
export class HistoryReset extends Error {
  readonly rowId: string;

  constructor(rowId: string) {
    super(`events_outbox row ${rowId} is gone or different`);
    this.name = "HistoryReset";
    this.rowId = rowId;
  }
}

/** A merge by its event alone: its work item may be gone by now. */
function eventIdentity({ eventId }: Identified): string {
  return mergeIdentity({ eventId, workItemId: null });
}

export class Projection {
  readonly analyzer: Analyzer;
  /** The last merges, for the status page alone. */
  readonly recent: StatusHistory;
  /** Which merges are recorded. */
  readonly recorded: DueMerges;
  readonly #log: OutboxLog;
  readonly #report: Report;
  readonly #walk: Walk;
  #head: Head | null;
  /** The newest row of ours, of whatever sort. */
  #newest: bigint;
  #folded: bigint;
  /** What the newest checkpoint knows to be settled: its low-water mark, or its own row where another daemon wrote it. */
  #coveredLow: bigint;
  /** The highest id of a recorded merge that is known of: to begin with, the newest one's. */
  #highest: bigint;
  readonly #news = new Set<string>();
  /** The highest unmarked row that was reported. */
  #told = BEFORE_ALL;

  /** @param folded every journal row up to this id is in what was restored. */
  constructor(log: OutboxLog, report: Report, { walk, head, recent, known }: Restored, folded: bigint) {
    this.#log = log;
    this.#report = report;
    this.#walk = walk;
    this.analyzer = walk.analyzer;
    this.recorded = new DueMerges(log, known);
    this.#head = head;
    this.#newest = head === null ? BEFORE_ALL : BigInt(head.id);
    this.#folded = folded;
    this.#coveredLow = known.coverage.low;
    this.#highest = BigInt(this.analyzer.newest?.eventId ?? BEFORE_ALL);
    this.recent = recent;
  }

  /** The newest row that memory stands on; null while there is none. */
  get head(): Head | null {
    return this.#head;
  }

  /** Every row of ours up to this id has been folded, and no other can come; where there is no row to stand on, there is none. */
  get folded(): bigint {
    return this.#folded;
  }

  /** Merges that no checkpoint covers yet. */
  get uncovered(): number {
    return this.analyzer.global.seq - this.#walk.checkpointSeq;
  }

  /** Ids that have been settled since the newest checkpoint; below 0 where it may know of more. */
  get uncoveredIds(): bigint {
    return this.recorded.coverage.low - this.#coveredLow;
  }

  /** Whether others have recorded this merge since `forgetPeerWrites` was called. */
  isPeerWrite(merge: Identified): boolean {
    return this.#news.has(mergeIdentity(merge)) || this.#news.has(eventIdentity(merge));
  }

  forgetPeerWrites(): void {
    this.#news.clear();
  }

  /** @throws HistoryReset when the row that memory stands on is gone or another one. */
  checkLastApplied(fingerprint: string | null): void {
    if (this.#head !== null && fingerprint !== this.#head.fingerprint) throw new HistoryReset(this.#head.id);
  }

  /**
   * Begins the writers' transaction, and folds what others have committed until then. While the lock is held only a little is
   * read: where there is more, it is read without the lock first.
   */
  async beginFenced(): Promise<void> {
    for (;;) {
      const since = await this.#lock();
      this.checkLastApplied(since.appliedFingerprint);
      if (!since.more) {
        const end = this.#beginFolding();
        return end(this.#fold(since.rows));
      }
      await this.#log.rollback();
      await this.applyPeerWrites();
    }
  }

  /** Folds what others have committed since, however much it is. */
  async applyPeerWrites(): Promise<void> {
    const end = this.#beginFolding();
    let unmarked = 0;
    for (let [more, readUpTo] = [true, this.#folded]; more; ) {
      const since = await this.#since(readUpTo);
      this.checkLastApplied(since.appliedFingerprint);
      unmarked += this.#fold(since.rows);
      ({ more } = since);
      readUpTo = BigInt(since.rows.at(-1)?.id ?? readUpTo);
    }
    end(unmarked);
  }

  /** The lock, and what follows the row that memory stands on. */
  async #lock(): Promise<Since> {
    if (this.#head !== null) {
      const since = await this.#log.beginFenced(this.#head, this.#fencedAfter(BigInt(this.#head.id)));
      return { ...since, rows: this.#notFolded(since.rows) };
    }
    await this.#log.beginLocked();
    const newest = await this.#log.newest();
    // Memory without a row to stand on would not notice that a short log was reset, with ids that begin again.
    const beforeAll = ((await this.#log.oldest()) ?? newest) - 1n;
    const isShort = (await this.#log.pageEnd(beforeAll, newest, PAGE_ROWS)) === newest;
    const rows: RawJournalRow[] = [];
    for await (const { after, end } of pagesAfter(this.#log, isShort ? beforeAll : this.#folded, newest))
      rows.push(...(await this.#log.journal(after, end)));
    return { appliedFingerprint: null, rows, more: false };
  }

  /** @returns what to call when whole sets have been folded, as a page may end within one, with how many rows were unmarked. */
  #beginFolding(): (unmarked: number) => void {
    const before = { seq: this.analyzer.global.seq, skipped: this.analyzer.skipped };
    return (unmarked) => {
      this.#asLogDecides(() => this.#walk.end());
      if (unmarked > 0) this.#report({ event: "journal.unmarked_rows_ignored", rows: unmarked });
      const merges = this.analyzer.global.seq - before.seq;
      const skipped = this.analyzer.skipped - before.skipped;
      if (merges + skipped > 0) this.#report({ event: "journal.peer_rows_applied", merges, skipped });
    };
  }

  /**
   * All journal rows up to this id are folded, as those that exist have been and no others can come.
   * @param drawn the id that the sequence gave last: rows of ours come after it, whatever ids others give by hand. Null where
   * that is not known.
   */
  settle(low: bigint, drawn: bigint | null): void {
    const settled = drawn === null || low < drawn ? low : drawn;
    if (drawn !== null && settled > this.#folded) this.#folded = settled;
  }

  /**
   * Ids of journal rows ascend with seq: the fence relies on it.
   * @param ids of the rows that were appended. @param expected how many were sent.
   * @returns the last one's. @throws UnfitDatabase
   */
  ascending(ids: readonly bigint[], expected: number): bigint {
    if (ids.length !== expected)
      throw new UnfitDatabase("append_changed", [
        `events_outbox took ${ids.length} of ${expected} rows of ours without an error: a trigger or a rule on it drops or moves ` +
          "them; let rows of kind metric.* pass",
      ]);
    let before = this.#newest;
    for (const id of ids) {
      if (id <= before) throw sequenceWentBack(this.#log.place, [id], before);
      before = id;
    }
    return before;
  }

  /** What a committed transaction has recorded. */
  adopt(plan: Plan, ids: readonly bigint[], head: Head): void {
    if (this.#holdsNothing && ids[0] !== undefined) this.recorded.began(ids[0]);
    plan.adopt();
    for (const { eventId } of plan.merges) this.recorded.coverage.add(BigInt(eventId));
    this.#head = head;
    this.#folded = BigInt(head.id);
    this.#newest = this.#folded;
    this.recent.appended(plan.rows, this.#folded);
  }

  /** A committed checkpoint of this memory. @param rowId its own row's. */
  covered(rowId: bigint): void {
    this.#folded = rowId;
    this.#newest = rowId;
    this.#coveredLow = this.recorded.coverage.low;
    this.#walk.checkpointSeq = this.analyzer.global.seq;
  }

  /** Whether no merge with a higher id has been recorded, by anybody; asked once for each. */
  isHighest(eventId: string): boolean {
    const id = BigInt(eventId);
    if (id < this.#highest) return false;
    this.#highest = id;
    return true;
  }

  /** From the head on; after a long stretch without a merge it would take too long to pass all of it under the lock. */
  #fencedAfter(head: bigint): bigint {
    return this.#folded - head > FENCED_IDS ? this.#folded : head;
  }

  /**
   * The rows above what is folded. Behind a pooler a connection outlives a failover or a restore that loses rows after the
   * head, and their ids are given again: then a merge's row is there that none could be.
   */
  #notFolded(rows: readonly RawJournalRow[]): readonly RawJournalRow[] {
    return rows.filter((raw) => {
      if (BigInt(raw.id) > this.#folded) return true;
      const { type } = parseJournalRow(raw);
      if (type === "metric" || type === "skipped") throw new HistoryReset(raw.id);
      return false;
    });
  }

  /** Whether no merge has ever been recorded or skipped, as far as is known. */
  get #holdsNothing(): boolean {
    const { global, skipped, truncated } = this.analyzer;
    return global.seq === 0 && skipped === 0 && !truncated && this.recorded.begins === null;
  }

  /** Without a row to stand on, page by page: a log may be long and have no row of ours yet. */
  async #since(after: bigint): Promise<Since> {
    if (this.#head !== null) return this.#log.journalSince(this.#head, after);
    const newest = await this.#log.newest();
    for await (const page of pagesAfter(this.#log, after, newest)) {
      const rows = await this.#log.journal(page.after, page.end);
      if (rows.length > 0) return { appliedFingerprint: null, rows, more: true };
    }
    return { appliedFingerprint: null, rows: [], more: false };
  }

  /** @returns how many of them are somebody else's and were not seen before. */
  #fold(rows: readonly RawJournalRow[]): number {
    let unmarked = 0;
    const parsed = rows.map(parseJournalRow);
    const first = this.#holdsNothing ? parsed.find((row) => mergeIn(row) !== null) : undefined;
    if (first !== undefined && (first.type !== "metric" || first.seq === 1))
      this.recorded.began(BigInt(first.id));
    const head = this.#asLogDecides(() =>
      acceptRows(this.#walk, rows, parsed, (row) => {
        const merge = mergeIn(row);
        if (merge !== null) {
          this.#news.add(mergeIdentity(merge)).add(eventIdentity(merge));
          this.recorded.coverage.add(BigInt(merge.eventId));
          this.isHighest(merge.eventId);
        }
        if (row.type === "checkpoint" && BigInt(row.id) > this.#newest) {
          this.#newest = BigInt(row.id);
          // Which ids were settled then it says itself; up to its own row at most.
          this.#coveredLow = this.#newest;
        }
        if (row.type === "unmarked" && BigInt(row.id) > this.#told) {
          this.#told = BigInt(row.id);
          unmarked += 1;
        }
        this.recent.accept(row);
      }),
    );
    if (head !== null) {
      this.#head = head;
      this.#folded = BigInt(head.id);
      if (this.#folded > this.#newest) this.#newest = this.#folded;
    }
    return unmarked;
  }

  /**
   * What contradicts memory need not contradict the log: after rows went from its old end, somebody who restored since
   * knows less than we do. The log decides; if it contradicts itself, restoring shows it.
   */
  #asLogDecides<T>(folding: () => T): T {
    try {
      return folding();
    } catch (error) {
      throw error instanceof UnfitLog && error.reason === "contradiction"
        ? new HistoryReset(error.rowId)
        : error;
    }
  }
}
