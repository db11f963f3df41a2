/**
 * The memory of one connection: what the journal's rows have left in it, and the row that it stands on.
 *
 * Ids of journal rows ascend with `seq`, because they are drawn under the writers' lock; so "after the newest row folded"
 * is `id >`, and the newest row itself still being there, unchanged, proves that memory stands on this very log.
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
  /** The highest id of a recorded merge that is known of: to begin with, the newest one's. */
  #highest: bigint;
  readonly #news = new Set<string>();

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

  /** Every journal row up to this id has been folded. */
  get folded(): bigint {
    return this.#folded;
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
    if (this.#head === null) {
      await this.#log.beginLocked();
      await this.foldNews();
    } else {
      const since = await this.#log.beginFenced(this.#head, BigInt(this.#head.id));
      await this.foldNews({ ...since, rows: this.#notFolded(since.rows) });
    }
  }

  /**
   * Folds what others have committed since, however much it is.
   * @param first what has been read of it.
   */
  async foldNews(first?: Since): Promise<void> {
    const before = {
      seq: this.analyzer.global.seq,
      skipped: this.analyzer.skipped,
      foreign: this.#replay.foreign,
    };
    for (let [more, next] = [true, first]; more; next = undefined) {
      const since = next ?? (this.#head === null ? await this.#sinceTheBeginning() : await this.#since());
      this.checkHead(since.headFingerprint);
      this.#fold(since.rows);
      ({ more } = since);
    }
    this.#asLogDecides(() => this.#replay.end());
    const unmarked = this.#replay.foreign - before.foreign;
    if (unmarked > 0) this.#report({ event: "journal.unmarked_rows_ignored", rows: unmarked });
    const merges = this.analyzer.global.seq - before.seq;
    const skipped = this.analyzer.skipped - before.skipped;
    if (merges + skipped > 0) this.#report({ event: "journal.foreign_rows_folded", merges, skipped });
  }

  /** All journal rows up to this id are folded, as those that there are have been and no others can come. */
  settle(low: bigint): void {
    if (this.#head !== null && low > this.#folded) this.#folded = low;
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

  #since(): Promise<Since> {
    return this.#log.journalSince(this.#head, this.#folded);
  }

  /** Page by page: a log may be long and have no row of ours yet. */
  async #sinceTheBeginning(): Promise<Since> {
    const newest = await this.#log.newest();
    let rows: readonly RawJournalRow[] = [];
    let after = this.#folded;
    while (after < newest && rows.length === 0) {
      const end = await this.#log.pageEnd(after, newest, PAGE_ROWS);
      rows = await this.#log.journal(after, end);
      after = end;
    }
    return { headFingerprint: null, rows, more: rows.length > 0 };
  }

  #fold(rows: readonly RawJournalRow[]): void {
    const head = this.#asLogDecides(() =>
      acceptRows(this.#replay, rows, rows.map(parseJournalRow), (row) => {
        const merge = row.type === "metric" ? row.merge : row.type === "skipped" ? row : null;
        if (merge !== null) {
          this.#news.add(mergeIdentity(merge));
          this.isHighest(merge.eventId);
        }
        this.recent.accept(row);
      }),
    );
    this.#head = head ?? this.#head;
    this.#folded = BigInt(rows.at(-1)?.id ?? this.#folded);
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
