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
 * What memory stands on, and why "after the newest row folded" is a comparison of ids, stands in `journal-memory.ts`.
 *
 * Every failure ends the recorder: its connection is destroyed and a new one restores from the log. An unknown COMMIT,
 * a failover that reuses ids, a killed backend and a bug in the network are all the same case then.
 */
import type { Clock } from "../clock.ts";
import type { Analyzer } from "../core/analyzer.ts";
import { checkpointRow } from "../core/checkpoint.ts";
import { LowMark } from "../core/low-mark.ts";
import { mergeIdentity } from "../core/merge.ts";
import type { MetricSettings } from "../core/metric.ts";
import type { Recent } from "../core/recent.ts";
import type { Report } from "../daemon-event.ts";
import { CommitUnknown, type FoundMerge, type Head, type OutboxLog, PAGE_ROWS } from "../outbox-log.ts";
import { Progress } from "../progress.ts";
import type { Restored } from "../restore/restored.ts";
import { BatchSize } from "./batch-size.ts";
import { Comparison } from "./comparison.ts";
import { HolderWatch } from "./holder-watch.ts";
import { HistoryReset, type JournalMemory } from "./journal-memory.ts";
import { surveyJournal } from "./journal-survey.ts";
import { type Arrival, Plan } from "./plan.ts";
import { restoreMemory } from "./restore-memory.ts";

export type RecorderSettings = {
  readonly metrics: readonly MetricSettings[];
  /** Written into every row, e.g. `damascus-metrics/1.0.0`. */
  readonly producer: string;
};

/** Merges after which a checkpoint is written: a restart folds about as many rows again. */
const CHECKPOINT_EVERY = 100;
/** In a backlog it waits for so many. */
const MOST_UNCOVERED = 1000;
/** A large checkpoint is written less often: at most this many of its bytes for each merge. */
const CHECKPOINT_BYTES_PER_MERGE = 500;

export class Recorder {
  readonly analyzer: Analyzer;
  /** The last row of the transaction whose COMMIT went unanswered; null as long as every one was answered. */
  unanswered: Head | null = null;
  /** Merges known to be due and not recorded yet. */
  due = 0;
  readonly #log: OutboxLog;
  readonly #settings: RecorderSettings;
  readonly #report: Report;
  readonly #clock: Clock;
  readonly #memory: JournalMemory;
  readonly #lowMark: LowMark;
  /** Merges up to this id count as recorded: their rows went from the old end of the journal. */
  #floor: bigint;
  /** The journal's row up to which memory was taken from a checkpoint; 0 where every row was folded. */
  readonly #checkpointRow: bigint;
  readonly #comparison: Comparison;
  readonly #batch = new BatchSize();
  #checkpointEvery = CHECKPOINT_EVERY;
  readonly #repeats = new Set<string>();
  readonly #holderWatch: HolderWatch;

  private constructor(
    log: OutboxLog,
    settings: RecorderSettings,
    report: Report,
    clock: Clock,
    memory: JournalMemory,
    restored: Restored,
  ) {
    this.#log = log;
    this.#settings = settings;
    this.#report = report;
    this.#clock = clock;
    this.#memory = memory;
    this.analyzer = memory.analyzer;
    this.#floor = restored.floor;
    this.#checkpointRow = restored.fromCheckpoint?.rowId ?? 0n;
    this.#lowMark = new LowMark(restored.lowMark);
    this.#holderWatch = new HolderWatch(log, report, clock);
    this.#comparison = new Comparison(log, report, clock);
  }

  /** Restores memory from the log. @throws UnfitLog when the journal contradicts itself or is a newer version's. */
  static async restore(
    log: OutboxLog,
    settings: RecorderSettings,
    report: Report,
    clock: Clock,
  ): Promise<Recorder> {
    const { memory, restored } = await restoreMemory(log, settings.metrics, report, clock);
    return new Recorder(log, settings, report, clock, memory, restored);
  }

  /** The last merges, for the status page alone. */
  get recent(): Recent {
    return this.#memory.recent;
  }

  /**
   * One look at the log, and everything recorded that is due then.
   * @param shouldStop asked between transactions.
   * @returns how many merges this recorder recorded or skipped.
   */
  async scan(shouldStop: () => boolean): Promise<number> {
    this.#batch.beginAnew();
    const { top } = this.#lowMark;
    this.#memory.forgetNews();
    const look = await this.#log.look(this.#memory.head, top, this.#memory.newsAfter);
    this.#memory.checkHead(look.headFingerprint);
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
    if (recorded === 0) {
      // A page was read after the question for news: what it showed as recorded may be news.
      if (look.news || after < look.newest) await this.#memory.foldNews();
      // The next statement that asks for news need not pass again what is settled.
      this.#memory.settle(this.#lowMark.low);
    }
    // A backlog's last checkpoint is older than its settling, and who begins from it would read all of the backlog again.
    const enough = recorded >= MOST_UNCOVERED ? 1 : this.#checkpointEvery;
    if (this.#memory.uncovered >= enough) await this.checkpoint();
    await this.#holderWatch.look(this.#lowMark);
    return recorded;
  }

  /** One page of the comparison of the whole log with the journal. @returns whether it has reached its end. */
  comparePage(shouldStop: () => boolean): Promise<boolean> {
    return this.#comparison.page(this.#floor, this.#lowMark, (after, upTo, foundBy) =>
      this.#recordPage(after, upTo, foundBy, shouldStop),
    );
  }

  /** What became of a transaction, by its own last row: another daemon may have recorded its merges meanwhile. */
  async outcomeOf(last: Head): Promise<"committed" | "aborted"> {
    const { headFingerprint } = await this.#log.look(last, this.#memory.folded, this.#memory.folded);
    return headFingerprint === last.fingerprint ? "committed" : "aborted";
  }

  /** Writes a checkpoint of what no checkpoint covers yet. */
  async checkpoint(): Promise<void> {
    if (this.#memory.head === null || this.#memory.uncovered === 0) return;
    await this.#memory.beginFenced();
    // Another daemon may have written this very checkpoint meanwhile, as where all are stopped at once.
    if (this.#memory.uncovered === 0) return this.#log.rollback();
    const place = {
      row_id: this.#memory.head.id,
      low_mark: String(this.#lowMark.low),
      floor: String(this.#floor),
    };
    const row = checkpointRow(this.analyzer, place, this.#settings.producer);
    const rowId = this.#memory.ascending(await this.#log.append([row], this.#memory.folded));
    await this.#log.commit();
    this.#memory.covered(rowId);
    const bytes = JSON.stringify(row.payload).length;
    this.#checkpointEvery = Math.max(CHECKPOINT_EVERY, Math.ceil(bytes / CHECKPOINT_BYTES_PER_MERGE));
    this.#report({ event: "checkpoint.written", seq: this.analyzer.global.seq, bytes });
  }

  async #recordRange(after: bigint, upTo: bigint, shouldStop: () => boolean): Promise<number> {
    const elapsed = this.#stopwatch();
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
        took_ms: Math.round(elapsed()),
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
    this.#memory.forgetNews();
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
      const batch = due.slice(start, start + this.#batch.merges);
      start += batch.length;
      // Before it, so that something is left to cover when all is settled.
      const most = Math.max(MOST_UNCOVERED, this.#checkpointEvery);
      if (this.#memory.uncovered + batch.length > most) await this.checkpoint();
      recorded += await this.#record(batch, foundBy);
      this.due = due.length - start;
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
    this.#floor = await surveyJournal(this.#log, this.#memory.folded);
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
    const elapsed = this.#stopwatch();
    const standsOnNothing = this.#memory.head === null;
    await this.#memory.beginFenced();
    const fencedMs = elapsed();
    const there = standsOnNothing ? await this.#stillThere(batch) : batch;
    const due = there.filter((merge) => !this.#memory.isNews(mergeIdentity(merge)));
    if (due.length === 0) {
      await this.#log.rollback();
      this.#report({ event: "writer.fenced", merges: batch.length });
      return 0;
    }
    const plan = new Plan(this.analyzer.draft(), this.#settings.producer);
    const appending = this.#stopwatch();
    const appended = await this.#log.append(plan.fold(due), this.#memory.folded);
    const appendedMs = appending();
    const head = { id: String(this.#memory.ascending(appended)), fingerprint: appended.fingerprint };
    const committing = this.#stopwatch();
    try {
      await this.#log.commit();
    } catch (error) {
      if (error instanceof CommitUnknown) {
        this.unanswered = head;
        this.#report({ event: "commit.unknown", merges: due.length, failure: error.failure });
      }
      throw error;
    }
    this.#batch.took(batch.length, { fenced: fencedMs, appended: appendedMs, committed: committing() });
    this.#memory.adopt(plan, head);
    const tookMs = elapsed();
    plan.tell(this.#report, (merge) => this.#arrival(merge, foundBy, tookMs));
    return due.length;
  }

  #arrival(merge: FoundMerge, foundBy: Arrival["found_by"], tookMs: number): Arrival {
    const late = !this.#memory.isHighest(merge.eventId) || foundBy === "comparison";
    return {
      commit_to_record_ms: merge.ageMs === null ? null : Math.round((merge.ageMs + tookMs) * 10) / 10,
      late,
      found_by: foundBy,
    };
  }

  /** The merges of a batch that the log still has as they were found: for want of a row that would show a reset. */
  async #stillThere(batch: readonly FoundMerge[]): Promise<readonly FoundMerge[]> {
    const ids = batch.map((merge) => BigInt(merge.eventId));
    const found = await this.#log.merges((ids[0] ?? 0n) - 1n, ids.at(-1) ?? 0n);
    const items = new Map(found.map((merge) => [merge.eventId, merge.workItemId]));
    return batch.filter((merge) => items.get(merge.eventId) === merge.workItemId);
  }

  /** @returns how many milliseconds have passed since now. */
  #stopwatch(): () => number {
    const startedAt = this.#clock.monotonic();
    return () => this.#clock.monotonic() - startedAt;
  }
}
