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
import { parseJournalRow, type RawJournalRow, UnfitLog } from "../core/journal-row.ts";
import { mergeIdentity } from "../core/merge.ts";
import type { Recent } from "../core/recent.ts";
import type { Replay } from "../core/replay.ts";
import type { Report } from "../daemon-event.ts";
import {
  type Appended,
  type Head,
  type OutboxLog,
  PAGE_ROWS,
  type Since,
  UnfitDatabase,
} from "../outbox-log.ts";
import { acceptRows } from "../restore/journal-head.ts";
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

export class JournalMemory {
  readonly analyzer: Analyzer;
  /** The last merges, for the status page alone. */
  readonly recent: Recent;
  readonly #log: OutboxLog;
  readonly #report: Report;
  readonly #replay: Replay;
  #head: Head | null;
  #folded: bigint;
  /** As long as there is no row to stand on: up to here none of ours has been seen, and none can come. */
  #empty = 0n;
  /** The highest id of a recorded merge that is known of: to begin with, the newest one's. */
  #highest: bigint;
  readonly #news = new Set<string>();
  /** The highest row of somebody else's that was told. */
  #told = 0n;

  /** @param folded every journal row up to this id is in what was restored. */
  constructor(log: OutboxLog, report: Report, { replay, head, recent }: Restored, folded: bigint) {
    this.#log = log;
    this.#report = report;
    this.#replay = replay;
    this.analyzer = replay.analyzer;
    this.#head = head;
    // Memory without a row to stand on would not notice that the log was reset, with ids that begin again.
    this.#folded = head === null ? 0n : folded;
    this.#highest = BigInt(this.analyzer.newest?.eventId ?? 0);
    this.recent = recent;
  }

  /** The newest row that memory stands on; null while there is none. */
  get head(): Head | null {
    return this.#head;
  }

  /** Every row of ours up to this id has been folded, and no other can come. */
  get folded(): bigint {
    return this.#folded;
  }

  /** The id after which others' rows are looked for without the lock. */
  get newsAfter(): bigint {
    return this.#head === null ? this.#empty : this.#folded;
  }

  /** Merges that no checkpoint covers yet. */
  get uncovered(): number {
    return this.analyzer.global.seq - this.#replay.checkpointSeq;
  }

  /** Whether others have recorded this merge since `forgetNews` was called. */
  isNews(identity: string): boolean {
    return this.#news.has(identity);
  }

  forgetNews(): void {
    this.#news.clear();
  }

  /** @throws HistoryReset when the row that memory stands on is gone or another one. */
  checkHead(fingerprint: string | null): void {
    if (this.#head !== null && fingerprint !== this.#head.fingerprint) throw new HistoryReset(this.#head.id);
  }

  /** Begins the writers' transaction, and folds what others have committed until then. */
  async beginFenced(): Promise<void> {
    let first: Since | undefined;
    if (this.#head === null) await this.#log.beginLocked();
    else {
      const since = await this.#log.beginFenced(this.#head, this.#fencedAfter(BigInt(this.#head.id)));
      first = { ...since, rows: this.#notFolded(since.rows) };
    }
    const readUpTo = await this.#foldSince(this.#folded, first);
    if (this.#head !== null && readUpTo > this.#folded) this.#folded = readUpTo;
  }

  /** Folds what others have committed since, however much it is. */
  async foldNews(): Promise<void> {
    await this.#foldSince(this.newsAfter);
  }

  /**
   * @param after the id after which rows are read.
   * @param first what has been read of them.
   * @returns the id up to which they were.
   */
  async #foldSince(after: bigint, first?: Since): Promise<bigint> {
    const before = { seq: this.analyzer.global.seq, skipped: this.analyzer.skipped };
    let readUpTo = after;
    let unmarked = 0;
    for (let [more, next] = [true, first]; more; next = undefined) {
      const since = next ?? (await this.#since(readUpTo));
      this.checkHead(since.headFingerprint);
      unmarked += this.#fold(since.rows);
      ({ more } = since);
      readUpTo = BigInt(since.rows.at(-1)?.id ?? readUpTo);
    }
    this.#asLogDecides(() => this.#replay.end());
    if (unmarked > 0) this.#report({ event: "journal.unmarked_rows_ignored", rows: unmarked });
    const merges = this.analyzer.global.seq - before.seq;
    const skipped = this.analyzer.skipped - before.skipped;
    if (merges + skipped > 0) this.#report({ event: "journal.foreign_rows_folded", merges, skipped });
    return readUpTo;
  }

  /** All journal rows up to this id are folded, as those that there are have been and no others can come. */
  settle(low: bigint): void {
    if (this.#head === null) this.#empty = low;
    else if (low > this.#folded) this.#folded = low;
  }

  /** Ids of journal rows ascend with seq: the fence relies on it. @returns the last one's. @throws UnfitDatabase */
  ascending({ first, last }: Appended): bigint {
    if (first !== null && last !== null && first > this.#folded && first <= last) return last;
    throw new UnfitDatabase("sequence_went_back", [
      `the sequence of events_outbox.id gave an id that is not above ${this.#folded}: set it above the largest id ` +
        "(SELECT setval(pg_get_serial_sequence('events_outbox', 'id'), max(id)) FROM events_outbox)",
    ]);
  }

  /** What a committed transaction has recorded. */
  adopt(plan: Plan, head: Head): void {
    plan.adopt();
    this.#head = head;
    this.#folded = BigInt(head.id);
    this.recent.appended(plan.rows, this.#folded);
  }

  /** A committed checkpoint of this memory. @param rowId its own row's. */
  covered(rowId: bigint): void {
    this.#folded = rowId;
    this.#replay.checkpointSeq = this.analyzer.global.seq;
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

  /** Without a row to stand on, page by page: a log may be long and have no row of ours yet. */
  async #since(after: bigint): Promise<Since> {
    if (this.#head !== null) return this.#log.journalSince(this.#head, after);
    const newest = await this.#log.newest();
    let rows: readonly RawJournalRow[] = [];
    for (let end = after; end < newest && rows.length === 0; ) {
      const begin = end;
      end = await this.#log.pageEnd(begin, newest, PAGE_ROWS);
      rows = await this.#log.journal(begin, end);
    }
    return { headFingerprint: null, rows, more: rows.length > 0 };
  }

  /** @returns how many of them are somebody else's and were not seen before. */
  #fold(rows: readonly RawJournalRow[]): number {
    let unmarked = 0;
    const head = this.#asLogDecides(() =>
      acceptRows(this.#replay, rows, rows.map(parseJournalRow), (row) => {
        const merge = row.type === "metric" ? row.merge : row.type === "skipped" ? row : null;
        if (merge !== null) {
          this.#news.add(mergeIdentity(merge));
          this.isHighest(merge.eventId);
        }
        if (row.type === "foreign" && BigInt(row.id) > this.#told) {
          this.#told = BigInt(row.id);
          unmarked += 1;
        }
        this.recent.accept(row);
      }),
    );
    if (head !== null) {
      this.#head = head;
      this.#folded = BigInt(head.id);
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
