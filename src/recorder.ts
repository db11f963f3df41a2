/**
 * The recorder: one connection's memory, and the protocol that keeps it equal to the log.
 *
 * Any number of recorders may run against one log. There is no leader; there is a lock that lasts for one transaction
 * and a fence inside it:
 *
 *   BEGIN (READ COMMITTED) · lock, alone in its statement · in a later statement, the journal's rows after the newest
 *   one folded · record what is still due · COMMIT
 *
 * A statement's snapshot is taken before it runs. So the lock must be granted by a statement of its own: read in the
 * same one, or under REPEATABLE READ, the journal would be seen as it was before the other recorder's commit, and the
 * merge would be recorded twice. The lock ends with the transaction, whoever dies; no lease, no clock.
 *
 * Ids of journal rows ascend with `seq`, because they are drawn under that lock; so "after the newest row folded" is
 * `id >`, and the newest row itself still being there, unchanged, proves that memory stands on this very log.
 *
 * Every failure ends the recorder: its connection is destroyed and a new one restores from the log. An unknown COMMIT,
 * a failover that reuses ids, a killed backend and a bug in the network are all the same case then.
 */
import type { Clock } from "./clock.ts";
import type { Analyzer } from "./core/analyzer.ts";
import { checkpointRow } from "./core/checkpoint.ts";
import { parseJournalRow, type RawJournalRow, UnfitLog } from "./core/journal-row.ts";
import { LowMark } from "./core/low-mark.ts";
import { mergeIdentity } from "./core/merge.ts";
import type { MetricSettings } from "./core/metric.ts";
import type { Recent } from "./core/recent.ts";
import type { Replay } from "./core/replay.ts";
import type { Report } from "./daemon-event.ts";
import { HolderWatch } from "./holder-watch.ts";
import {
  type Appended,
  CommitUnknown,
  type FoundMerge,
  type Head,
  type OutboxLog,
  type Since,
  UnfitDatabase,
} from "./outbox-log.ts";
import { type Arrival, Plan } from "./plan.ts";
import { Progress } from "./progress.ts";
import { acceptRows, PAGE_ROWS, type Restored, restore, surveyJournal } from "./restore.ts";

export type RecorderSettings = {
  readonly metrics: readonly MetricSettings[];
  /** Written into every row, e.g. `damascus-metrics/1.0.0`. */
  readonly producer: string;
};

/** The newest row that memory stands on is gone or another one. */
export class HistoryReset extends Error {
  readonly rowId: string;

  constructor(rowId: string) {
    super(`events_outbox row ${rowId} is gone or different`);
    this.name = "HistoryReset";
    this.rowId = rowId;
  }
}

/** Merges after which a checkpoint is written: a restart folds about as many rows again. */
const CHECKPOINT_EVERY = 100;
/** In a backlog it waits for so many. */
const MOST_UNCOVERED = 1000;
/** A large checkpoint is written less often: at most this many of its bytes for each merge. */
const CHECKPOINT_BYTES_PER_MERGE = 500;
const FIRST_BATCH = 100;
const LARGEST_BATCH = 1000;
const FAST_MS = 100;
const SLOW_MS = 250;

export class Recorder {
  readonly analyzer: Analyzer;
  /** The last row of the transaction whose COMMIT went unanswered; null as long as every one was answered. */
  unanswered: Head | null = null;
  /** Merges known to be due and not recorded yet. */
  due = 0;
  /** The last merges, for the status page alone. */
  readonly recent: Recent;
  readonly #log: OutboxLog;
  readonly #settings: RecorderSettings;
  readonly #report: Report;
  readonly #clock: Clock;
  readonly #replay: Replay;
  #head: Head | null;
  /** Every journal row up to this id has been folded. */
  #folded: bigint;
  readonly #lowMark: LowMark;
  /** Merges up to this id count as recorded: their rows went from the old end of the journal. */
  #floor: bigint;
  /** The journal's row up to which memory was taken from a checkpoint; 0 where every row was folded. */
  readonly #checkpointRow: bigint;
  /** Where the comparison of the whole log goes on; null while none is under way. */
  #compared: bigint | null = null;
  #comparison = { found: 0, startedAt: 0 };
  #batch = FIRST_BATCH;
  #checkpointEvery = CHECKPOINT_EVERY;
  /** The highest id of a merge that is recorded. */
  #highest: bigint;
  readonly #repeats = new Set<string>();
  /** The merges that others have recorded since the page at hand was found: some of them may be on it. */
  readonly #foldedSinceFound = new Set<string>();
  readonly #holderWatch: HolderWatch;

  private constructor(
    log: OutboxLog,
    settings: RecorderSettings,
    report: Report,
    clock: Clock,
    restored: Restored,
    folded: bigint,
  ) {
    this.#log = log;
    this.#settings = settings;
    this.#report = report;
    this.#clock = clock;
    this.#replay = restored.replay;
    this.analyzer = restored.replay.analyzer;
    this.#head = restored.head;
    // Memory without a row to stand on would not notice that the log was reset, with ids that begin again.
    this.#folded = restored.head === null ? 0n : folded;
    this.#floor = restored.floor;
    this.#checkpointRow = restored.fromCheckpoint?.rowId ?? 0n;
    this.#lowMark = new LowMark(restored.lowMark);
    this.#holderWatch = new HolderWatch(log, report, clock);
    this.#highest = BigInt(this.analyzer.newest?.eventId ?? 0);
    this.recent = restored.recent;
  }

  /**
   * Reads the journal into memory.
   *
   * The lock is taken for a moment first: once it is granted no row of ours is on its way, so every journal row there
   * is has an id up to the newest visible one, and every later one will have a higher id.
   *
   * Pages are read one after another, so rows that retention deletes meanwhile leave what looks like a contradiction. A
   * real one stays where it is: it is one when it is found in the same row again.
   * @throws UnfitLog when the journal contradicts itself or is a newer version's.
   */
  static async restore(
    log: OutboxLog,
    settings: RecorderSettings,
    report: Report,
    clock: Clock,
  ): Promise<Recorder> {
    for (let found: UnfitLog | null = null; ; ) {
      try {
        return await Recorder.#read(log, settings, report, clock);
      } catch (error) {
        if (!(error instanceof UnfitLog) || error.rowId === found?.rowId) throw error;
        found = error;
      }
    }
  }

  static async #read(
    log: OutboxLog,
    settings: RecorderSettings,
    report: Report,
    clock: Clock,
  ): Promise<Recorder> {
    const startedAt = clock.monotonic();
    report({ event: "restore.started" });
    await log.beginLocked();
    const newest = await log.newest();
    await log.rollback();
    const progress = new Progress(clock.monotonic, 0n, newest, (figures) =>
      report({ event: "restore.progress", ...figures }),
    );
    const restored = await restore(log, settings.metrics, newest, {
      passed: (id) => progress.at(id),
      passedOver: (row_id, reason) => report({ event: "checkpoint.passed_over", row_id, reason }),
    });
    const { replay } = restored;
    const { analyzer } = replay;
    if (analyzer.truncated)
      report({
        event: "history.truncated",
        first_seq: analyzer.global.seq - analyzer.global.ring.length + 1,
      });
    if (replay.foreign > 0) report({ event: "journal.unmarked_rows_ignored", rows: replay.foreign });
    report({
      event: "restore.completed",
      seq: analyzer.global.seq,
      merges: replay.merges,
      from_checkpoint: restored.fromCheckpoint?.seq ?? null,
      projects: analyzer.projects.size,
      skipped: analyzer.skipped,
      took_ms: Math.round(clock.monotonic() - startedAt),
    });
    return new Recorder(log, settings, report, clock, restored, newest);
  }

  /**
   * One look at the log, and everything recorded that is due then.
   * @param shouldStop asked between transactions.
   * @returns how many merges this recorder recorded or skipped.
   */
  async scan(shouldStop: () => boolean): Promise<number> {
    // What is new is recorded at once; only a backlog earns larger transactions.
    this.#batch = Math.min(this.#batch, FIRST_BATCH);
    const { top } = this.#lowMark;
    this.#foldedSinceFound.clear();
    const look = await this.#log.look(this.#head, top, this.#folded);
    this.#checkHead(look.headFingerprint);
    // Only a log that was reset or cut at its newest end goes back.
    if (look.newest < top) throw new HistoryReset(String(top));
    const readAfter = this.#lowMark.look(look.newest, look.holders);
    let recorded = 0;
    let after = readAfter;
    // Where somebody who was waited for has ended, older rows come first.
    if (readAfter === top) {
      recorded = await this.#recordFound(look.found, "scan", shouldStop);
      after = look.readUpTo;
    }
    recorded += await this.#recordRange(after, look.newest, shouldStop);
    if (shouldStop()) return recorded;
    this.#lowMark.settle();
    for (const repeat of this.#repeats) if (BigInt(repeat) <= this.#lowMark.low) this.#repeats.delete(repeat);
    if (recorded === 0) await this.#foldSettled(look.news);
    if (this.#uncovered >= this.#checkpointEvery) await this.checkpoint();
    await this.#holderWatch.look(this.#lowMark);
    return recorded;
  }

  /**
   * Compares a page of what has been scanned with the journal: for what no lock shows (a sequence with a cache, ids given
   * explicitly, a holder that was passed over). All of it, as a transaction that keeps the low mark where it is must not
   * keep others' rows from being found. Begins anew after the last page.
   * @returns whether the comparison has reached its end.
   */
  async comparePage(shouldStop: () => boolean): Promise<boolean> {
    if (this.#compared === null) {
      this.#compared = this.#floor;
      this.#comparison = { found: 0, startedAt: this.#clock.monotonic() };
    }
    const { low, top } = this.#lowMark;
    if (this.#compared < top) {
      // Above the low mark the next scan would find it too: then it came late, and nothing went past the scan.
      const passed = this.#compared < low;
      const end = await this.#log.pageEnd(this.#compared, passed ? low : top, PAGE_ROWS);
      const found = await this.#recordPage(this.#compared, end, passed ? "comparison" : "scan", shouldStop);
      if (passed) this.#comparison.found += found;
      this.#compared = end;
    }
    if (this.#compared < top) return false;
    this.#compared = null;
    const { found, startedAt } = this.#comparison;
    this.#report({
      event: "comparison.completed",
      found,
      took_ms: Math.round(this.#clock.monotonic() - startedAt),
    });
    return true;
  }

  /**
   * Walks the whole journal's order, which a restore from a checkpoint does not.
   * @throws UnfitLog for a gap or a repeat.
   */
  async survey(): Promise<void> {
    await surveyJournal(this.#log, this.#folded);
  }

  /** What became of a transaction, by its own last row: another daemon may have recorded its merges meanwhile. */
  async outcomeOf(last: Head): Promise<"committed" | "aborted"> {
    const { headFingerprint } = await this.#log.look(last, this.#folded, this.#folded);
    return headFingerprint === last.fingerprint ? "committed" : "aborted";
  }

  /** Writes a checkpoint of what no checkpoint covers yet. */
  async checkpoint(): Promise<void> {
    if (this.#head === null || this.#uncovered === 0) return;
    await this.#beginFenced();
    const place = {
      row_id: this.#head.id,
      low_mark: String(this.#lowMark.low),
      floor: String(this.#floor),
    };
    const row = checkpointRow(this.analyzer, place, this.#settings.producer);
    const newest = this.#checkAscending(await this.#log.append([row], this.#folded));
    await this.#log.commit();
    this.#folded = newest;
    this.#replay.checkpointSeq = this.analyzer.global.seq;
    const bytes = JSON.stringify(row.payload).length;
    this.#checkpointEvery = Math.max(CHECKPOINT_EVERY, Math.ceil(bytes / CHECKPOINT_BYTES_PER_MERGE));
    this.#report({ event: "checkpoint.written", seq: this.analyzer.global.seq, bytes });
  }

  get #uncovered(): number {
    return this.analyzer.global.seq - this.#replay.checkpointSeq;
  }

  async #recordRange(after: bigint, upTo: bigint, shouldStop: () => boolean): Promise<number> {
    const startedAt = this.#clock.monotonic();
    let recorded = 0;
    let backlog = false;
    const progress = new Progress(this.#clock.monotonic, after, upTo, (figures) =>
      this.#report({ event: "backlog.progress", ...figures, recorded }),
    );
    while (after < upTo && !shouldStop()) {
      const end = await this.#log.pageEnd(after, upTo, PAGE_ROWS);
      if (end < upTo && !backlog) {
        backlog = true;
        this.#report({ event: "backlog.started" });
      }
      recorded += await this.#recordPage(after, end, "scan", shouldStop);
      after = end;
      progress.at(after);
    }
    if (backlog && !shouldStop()) {
      this.#report({
        event: "backlog.completed",
        recorded,
        took_ms: Math.round(this.#clock.monotonic() - startedAt),
      });
    }
    return recorded;
  }

  async #recordPage(
    after: bigint,
    upTo: bigint,
    foundBy: Arrival["found_by"],
    shouldStop: () => boolean,
  ): Promise<number> {
    this.#foldedSinceFound.clear();
    return this.#recordFound(await this.#log.merges(after, upTo), foundBy, shouldStop);
  }

  async #recordFound(
    found: FoundMerge[],
    foundBy: Arrival["found_by"],
    shouldStop: () => boolean,
  ): Promise<number> {
    const due = await this.#surviving(this.#due(found, foundBy), foundBy);
    if (due.length === 0) return 0;
    let recorded = 0;
    this.due = due.length;
    for (let start = 0; start < due.length && !shouldStop(); ) {
      const batch = due.slice(start, start + this.#batch);
      start += batch.length;
      recorded += await this.#record(batch, foundBy);
      this.due = due.length - start;
      if (this.#uncovered >= Math.max(MOST_UNCOVERED, this.#checkpointEvery)) await this.checkpoint();
    }
    return recorded;
  }

  /**
   * What the comparison finds among rows that were scanned, or a scan below the checkpoint that memory began with, may be
   * due, or its rows went from the journal's old end: then it is older than everything that survives there, and counts
   * as recorded.
   */
  async #surviving(due: FoundMerge[], foundBy: Arrival["found_by"]): Promise<FoundMerge[]> {
    const seen = foundBy === "comparison" ? null : this.#checkpointRow;
    if (!due.some((merge) => seen === null || BigInt(merge.eventId) < seen)) return due;
    this.#floor = await surveyJournal(this.#log, this.#folded);
    return due.filter((merge) => BigInt(merge.eventId) > this.#floor);
  }

  /** The first merge of each work item that is not recorded; the others are repeats, told when they are first scanned. */
  #due(found: readonly FoundMerge[], foundBy: Arrival["found_by"]): FoundMerge[] {
    const first = new Map<string, FoundMerge>();
    for (const merge of found) {
      if (merge.recordedAs === merge.eventId) continue;
      const identity = mergeIdentity(merge);
      if (merge.recordedAs === null && !first.has(identity)) first.set(identity, merge);
      else if (foundBy === "scan" && !this.#repeats.has(merge.eventId)) {
        this.#repeats.add(merge.eventId);
        this.#report({
          event: "merge.repeat_ignored",
          event_id: merge.eventId,
          work_item_id: merge.workItemId,
        });
      }
    }
    return [...first.values()];
  }

  /** Records one batch in one transaction, without what others have recorded since it was found. */
  async #record(batch: readonly FoundMerge[], foundBy: Arrival["found_by"]): Promise<number> {
    const startedAt = this.#clock.monotonic();
    const standsOnNothing = this.#head === null;
    await this.#beginFenced();
    const there = standsOnNothing ? await this.#stillThere(batch) : batch;
    const due = there.filter((merge) => !this.#foldedSinceFound.has(mergeIdentity(merge)));
    if (due.length === 0) {
      await this.#log.rollback();
      this.#report({ event: "writer.fenced", merges: batch.length });
      return 0;
    }
    const plan = new Plan(this.analyzer.draft(), this.#settings.producer);
    for (const merge of due) plan.add(merge);
    const appended = await this.#log.append(plan.rows, this.#folded);
    const newest = this.#checkAscending(appended);
    try {
      await this.#log.commit();
    } catch (error) {
      if (error instanceof CommitUnknown) {
        this.unanswered = { id: String(newest), fingerprint: appended.fingerprint };
        this.#report({ event: "commit.unknown", merges: due.length, failure: error.failure });
      }
      throw error;
    }
    plan.adopt();
    this.recent.appended(plan.rows, newest);
    this.#head = { id: String(newest), fingerprint: appended.fingerprint };
    this.#folded = newest;
    const tookMs = this.#clock.monotonic() - startedAt;
    this.#adaptBatch(batch.length, tookMs);
    plan.tell(this.#report, (merge) => this.#arrival(merge, foundBy, tookMs));
    return due.length;
  }

  #arrival(merge: FoundMerge, foundBy: Arrival["found_by"], tookMs: number): Arrival {
    const late = !this.#isHighest(merge.eventId) || foundBy === "comparison";
    return {
      commit_to_record_ms: merge.ageMs === null ? null : Math.round((merge.ageMs + tookMs) * 10) / 10,
      late,
      found_by: foundBy,
    };
  }

  /** Whether no merge with a higher id has been recorded, by anybody. */
  #isHighest(eventId: string): boolean {
    const id = BigInt(eventId);
    if (id < this.#highest) return false;
    this.#highest = id;
    return true;
  }

  /** The merges of a batch that the log still has as they were found: for want of a row that would show a reset. */
  async #stillThere(batch: readonly FoundMerge[]): Promise<readonly FoundMerge[]> {
    const ids = batch.map((merge) => BigInt(merge.eventId));
    const found = await this.#log.merges((ids[0] ?? 0n) - 1n, ids.at(-1) ?? 0n);
    const items = new Map(found.map((merge) => [merge.eventId, merge.workItemId]));
    return batch.filter((merge) => items.get(merge.eventId) === merge.workItemId);
  }

  /**
   * Folds what others have recorded, and notes that everything settled is folded, so that the next statement that asks for
   * news need not pass it again.
   */
  async #foldSettled(news: boolean): Promise<void> {
    if (news) await this.#foldNews();
    if (this.#head !== null && this.#lowMark.low > this.#folded) this.#folded = this.#lowMark.low;
  }

  /** Begins the writers' transaction, and folds what others have committed until then. */
  async #beginFenced(): Promise<void> {
    if (this.#head === null) {
      await this.#log.beginLocked();
      await this.#foldNews();
    } else await this.#foldNews(await this.#log.beginFenced(this.#head, this.#folded));
  }

  /**
   * Folds what others have committed since, however much it is.
   * @param first what has been read of it.
   */
  async #foldNews(first?: Since): Promise<void> {
    const before = {
      seq: this.analyzer.global.seq,
      skipped: this.analyzer.skipped,
      foreign: this.#replay.foreign,
    };
    for (let [more, next] = [true, first]; more; next = undefined) {
      const since = next ?? (this.#head === null ? await this.#sinceTheBeginning() : await this.#since());
      this.#checkHead(since.headFingerprint);
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
          this.#foldedSinceFound.add(mergeIdentity(merge));
          this.#isHighest(merge.eventId);
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

  #checkHead(fingerprint: string | null): void {
    if (this.#head !== null && fingerprint !== this.#head.fingerprint) throw new HistoryReset(this.#head.id);
  }

  /** Ids of journal rows ascend with seq: the fence relies on it. @returns the last one's. */
  #checkAscending({ first, last }: Appended): bigint {
    if (first !== null && last !== null && first > this.#folded && first <= last) return last;
    throw new UnfitDatabase("sequence_went_back", [
      `the sequence of events_outbox.id gave an id that is not above ${this.#folded}: set it above the largest id ` +
        "(SELECT setval(pg_get_serial_sequence('events_outbox', 'id'), max(id)) FROM events_outbox)",
    ]);
  }

  /** Keeps a backlog's transactions short: nobody should wait long for the lock. */
  #adaptBatch(size: number, tookMs: number): void {
    if (tookMs > SLOW_MS) this.#batch = Math.max(1, Math.floor(this.#batch / 2));
    else if (tookMs < FAST_MS && size === this.#batch) this.#batch = Math.min(LARGEST_BATCH, this.#batch * 2);
  }
}
