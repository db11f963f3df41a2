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
 * What memory stands on, and why "after the newest row folded" is a comparison of ids, is said in `projection.ts`.
 *
 * Every failure ends the recorder: its connection is destroyed and a new one restores from the log. An unknown COMMIT,
 * a failover that reuses ids, a killed backend and a bug in the network are all the same case then.
 */
import { isDeepStrictEqual } from "node:util";
import type { Clock } from "../clock.ts";
import type { Analyzer } from "../core/analyzer.ts";
import { parseObject } from "../core/json.ts";
import { LowWaterMark } from "../core/low-water-mark.ts";
import type { MetricSettings } from "../core/metric.ts";
import { type RehearsalRows, type RehearsedItem, rehearsalRows } from "../core/rehearsal-rows.ts";
import type { StatusHistory } from "../core/status-history.ts";
import type { Report } from "../events/daemon-event.ts";
import {
  AppendRefused,
  CommitUnknown,
  type FoundMerge,
  type Head,
  type OutboxLog,
  PAGE_ROWS,
  UnfitDatabase,
} from "../outbox-log.ts";
import { isLocked } from "../postgres/meaning.ts";
import { Progress } from "../progress.ts";
import type { DueMerges } from "../restore/due-merges.ts";
import { BatchSize } from "./batch-size.ts";
import { CheckpointWriter } from "./checkpoint-writer.ts";
import { Doubts } from "./doubts.ts";
import { LongTransactions } from "./long-transactions.ts";
import { type Arrival, Plan } from "./plan.ts";
import { HistoryReset, type Projection } from "./projection.ts";
import { Reconciliation } from "./reconciliation.ts";
import type { Reported } from "./reported.ts";
import { restoreMemory } from "./restore-memory.ts";
import { SetAside } from "./set-aside.ts";

/** The last row of a transaction whose COMMIT was not answered, as it was sent. */
export type Unanswered = { readonly id: bigint; readonly payload: unknown };

export type RecorderPorts = {
  readonly report: Report;
  /** What this process has reported already, over whichever connection. */
  readonly reported: Reported;
  readonly clock: Clock;
};

export type RecorderSettings = {
  readonly metrics: readonly MetricSettings[];
  /** Written into every row, e.g. `damascus-metrics/1.0.0`. */
  readonly producer: string;
};

/** How often a refusal makes the recorder ask whether the table refuses everything. */
const REHEARSE_EVERY_MS = 1_000;

export class Recorder {
  readonly analyzer: Analyzer;
  /** The transaction whose COMMIT was not answered; null as long as every one was. */
  unanswered: Unanswered | null = null;
  /** Merges known to be due and not recorded yet. */
  due = 0;
  readonly #log: OutboxLog;
  readonly #settings: RecorderSettings;
  readonly #report: Report;
  readonly #reported: Reported;
  readonly #clock: Clock;
  readonly #projection: Projection;
  readonly #recorded: DueMerges;
  readonly #lowWaterMark: LowWaterMark;
  readonly #setAside: SetAside;
  readonly #reconciliation: Reconciliation;
  readonly #doubts: Doubts;
  readonly #batch = new BatchSize();
  readonly #checkpoints: CheckpointWriter;
  #rehearsedAt = Number.NEGATIVE_INFINITY;
  readonly #longTransactions: LongTransactions;

  private constructor(
    log: OutboxLog,
    settings: RecorderSettings,
    ports: RecorderPorts,
    projection: Projection,
  ) {
    const { report, reported, clock } = ports;
    this.#log = log;
    this.#settings = settings;
    this.#report = report;
    this.#reported = reported;
    this.#clock = clock;
    this.#projection = projection;
    this.#recorded = projection.recorded;
    this.analyzer = projection.analyzer;
    this.#lowWaterMark = new LowWaterMark(this.#recorded.coverage.low);
    this.#setAside = new SetAside(clock);
    for (const eventId of this.#recorded.coverage.unrecorded) this.#setAside.restore(eventId);
    this.#longTransactions = new LongTransactions(log, report, clock);
    this.#reconciliation = new Reconciliation(log, report, clock);
    this.#doubts = new Doubts(log, this.#recorded);
    this.#checkpoints = new CheckpointWriter(log, projection, settings.producer, ports);
  }

  /**
   * Restores memory from the log, after a rehearsal of writing to it.
   * @throws UnfitDatabase when the table does not take our rows. @throws UnfitLog when the journal contradicts itself or is a newer version's.
   */
  static async restore(log: OutboxLog, settings: RecorderSettings, ports: RecorderPorts): Promise<Recorder> {
    const { checkpoint } = await log.rehearse(rowsToRehearse(settings));
    const recorder = new Recorder(log, settings, ports, await restoreMemory(log, settings.metrics, ports));
    if (checkpoint !== null) recorder.#checkpoints.refused(checkpoint);
    return recorder;
  }

  /** The newest row that memory stands on; null while there is none. */
  get head(): Head | null {
    return this.#projection.head;
  }

  /** The last merges, for the status page alone. */
  get recent(): StatusHistory {
    return this.#projection.recent;
  }

  /** Merges that the table did not take so far. */
  get refused(): number {
    return this.#setAside.size;
  }

  /** Milliseconds until a merge that was refused is tried again; null where there is none. */
  get retryInMs(): number | null {
    return this.#setAside.nextInMs;
  }

  /**
   * One look at the log, and everything recorded that is due then.
   * @param shouldStop asked between transactions.
   * @returns how many merges this recorder recorded or skipped.
   */
  async poll(shouldStop: () => boolean): Promise<number> {
    this.#batch.beginAnew();
    const { top } = this.#lowWaterMark;
    this.#projection.forgetPeerWrites();
    const { head, folded } = this.#projection;
    const polled = await this.#log.poll({ head, after: top, folded, begins: this.#recorded.begins });
    this.#projection.checkLastApplied(polled.appliedFingerprint);
    // Only a log that was reset or cut at its newest end goes back. Without a row to stand on, what has been folded shows it.
    const newest = polled.newest < this.#log.leastId ? this.#log.leastId - 1n : polled.newest;
    const least = head === null && folded > top ? folded : top;
    if (newest < least) throw new HistoryReset(String(least));
    const readAfter = this.#lowWaterMark.observe(newest, polled.holders);
    let recorded = 0;
    let after = readAfter;
    // Where a transaction has ended that was waited for, older rows come first.
    if (readAfter === top) {
      recorded = await this.#recordDue(await this.#due(polled.found, polled.beginsThere), "poll", shouldStop);
      after = polled.readUpTo;
    }
    recorded += await this.#recordRange(after, newest, shouldStop);
    recorded += await this.#retry(shouldStop);
    if (shouldStop()) return recorded;
    this.#lowWaterMark.settle();
    this.#recorded.coverage.rise(this.#lowWaterMark.low);
    this.#recorded.allSeen();
    if (recorded === 0) {
      // A page was read after the question for news: what it showed as recorded may be news.
      if (polled.news || after < newest) await this.#projection.applyPeerWrites();
      // The next statement that asks for news need not pass again what is settled.
      this.#projection.settle(this.#lowWaterMark.low, polled.drawn);
    }
    await this.#checkpoints.writeIfDue(recorded);
    await this.#longTransactions.check(this.#lowWaterMark);
    return recorded;
  }

  /** One page of the comparison of the whole log with the journal. @returns whether it has reached its end. */
  reconcilePage(shouldStop: () => boolean): Promise<boolean> {
    return this.#reconciliation.page(
      this.#lowWaterMark,
      (after, upTo, foundBy) => this.#recordPage(after, upTo, foundBy, shouldStop),
      (after) => this.#recordDoubtful(after, shouldStop),
    );
  }

  /** What became of a transaction, by its own last row: another daemon may have recorded its merges meanwhile. */
  async outcomeOf({ id, payload }: Unanswered): Promise<"committed" | "aborted"> {
    const [row] = await this.#log.journal(id - 1n, id);
    return isDeepStrictEqual(parseObject(row?.payload ?? null), payload) ? "committed" : "aborted";
  }

  /** What an orderly stop leaves behind, so that the next start has little to fold. */
  checkpointAtStop(): Promise<void> {
    return this.#checkpoints.writeAtStop();
  }

  async #recordRange(from: bigint, upTo: bigint, shouldStop: () => boolean): Promise<number> {
    let after = from;
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
      recorded += await this.#recordPage(after, end, "poll", shouldStop);
      if (shouldStop()) break;
      this.#lowWaterMark.read(end);
      this.#recorded.coverage.rise(this.#lowWaterMark.low);
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
    this.#projection.forgetPeerWrites();
    const due = await this.#due(await this.#log.merges(after, upTo));
    const recorded = await this.#recordDue(due, foundBy, shouldStop);
    // Rows that name the events of doubtful merges follow these.
    await this.#doubts.clear(after, upTo);
    return recorded;
  }

  /** @param after the id up to which rows were looked at for the events of doubtful merges. */
  async #recordDoubtful(after: bigint, shouldStop: () => boolean): Promise<number> {
    if (!this.#doubts.areThere) return 0;
    this.#projection.forgetPeerWrites();
    const due = await this.#doubts.decide(after);
    return this.#recordDue(due, "reconciliation", shouldStop);
  }

  async #recordDue(
    due: readonly FoundMerge[],
    foundBy: Arrival["found_by"],
    shouldStop: () => boolean,
  ): Promise<number> {
    if (due.length === 0) return 0;
    let recorded = 0;
    this.due = due.length;
    for (let start = 0; start < due.length && !shouldStop(); ) {
      const batch = due.slice(start, start + this.#batch.merges);
      start += batch.length;
      await this.#checkpoints.writeBefore(batch.length);
      recorded += await this.#recordOrSplit(batch, foundBy);
      this.due = due.length - start;
    }
    return recorded;
  }

  /** The merges that are due; duplicates, and merges that are taken as recorded, are reported once by each process. */
  async #due(found: readonly FoundMerge[], beginsThere?: boolean): Promise<FoundMerge[]> {
    const { due, duplicates, presumed, doubtful } = await this.#recorded.classify(found, beginsThere);
    this.#doubts.add(doubtful);
    for (const { eventId, workItemId } of duplicates) {
      if (this.#reported.first("duplicate", eventId))
        this.#report({ event: "merge.duplicate_ignored", event_id: eventId, work_item_id: workItemId });
    }
    for (const { eventId, workItemId } of presumed) {
      if (this.#reported.first("presumed", eventId))
        this.#report({
          event: "merge.presumed_recorded",
          event_id: eventId,
          work_item_id: workItemId,
          reason: "older_than_journal",
        });
    }
    return due.filter(({ eventId }) => !this.#setAside.has(BigInt(eventId)));
  }

  /** Records merges; where the table does not take them, all but those that it is about. */
  async #recordOrSplit(batch: readonly FoundMerge[], foundBy: Arrival["found_by"]): Promise<number> {
    try {
      return await this.#record(batch, foundBy);
    } catch (error) {
      if (!(error instanceof AppendRefused)) throw error;
      await this.#log.rollback();
      await this.#rehearseAfter(error);
      const [merge] = batch;
      if (batch.length === 1 && merge !== undefined) {
        this.#refuse(merge, error);
        return 0;
      }
    }
    const middle = Math.ceil(batch.length / 2);
    const first = await this.#recordOrSplit(batch.slice(0, middle), foundBy);
    return first + (await this.#recordOrSplit(batch.slice(middle), foundBy));
  }

  /**
   * A refusal is about a merge, or about all of them: a trigger that was installed meanwhile, say.
   * @throws UnfitDatabase when the table takes no rows of ours any more.
   */
  async #rehearseAfter({ failure }: AppendRefused): Promise<void> {
    const now = this.#clock.monotonic();
    if (isLocked(failure) || now - this.#rehearsedAt < REHEARSE_EVERY_MS) return;
    this.#rehearsedAt = now;
    await this.#log.rehearse(rowsToRehearse(this.#settings));
  }

  #refuse({ eventId, workItemId }: FoundMerge, { failure }: AppendRefused): void {
    this.#recorded.coverage.except(BigInt(eventId));
    const retry_in_ms = this.#setAside.add(BigInt(eventId));
    if (this.#reported.first("refused", eventId, failure.code))
      this.#report({
        event: "merge.refused",
        event_id: eventId,
        work_item_id: workItemId,
        failure,
        retry_in_ms,
      });
  }

  /** Tries the merges again that the table did not take, each by itself. */
  async #retry(shouldStop: () => boolean): Promise<number> {
    let recorded = 0;
    for (const eventId of this.#setAside.due()) {
      if (shouldStop()) break;
      this.#projection.forgetPeerWrites();
      const { due } = await this.#recorded.classify(await this.#log.merges(eventId - 1n, eventId));
      const [merge] = due;
      if (merge !== undefined) recorded += await this.#recordOrSplit([merge], "poll");
      // Recorded by now, by this daemon or another, or gone.
      if (merge === undefined || this.#recorded.coverage.covers(eventId)) {
        this.#setAside.delete(eventId);
        this.#recorded.coverage.forget(eventId);
        this.#reported.over("refused", String(eventId));
      }
    }
    return recorded;
  }

  /** Records one batch in one transaction, without what others have recorded since it was found. @throws AppendRefused */
  async #record(batch: readonly FoundMerge[], foundBy: Arrival["found_by"]): Promise<number> {
    const elapsed = this.#stopwatch();
    const hasNoHead = this.#projection.head === null;
    await this.#projection.beginFenced();
    const fencedMs = elapsed();
    const there = hasNoHead ? await this.#stillThere(batch) : batch;
    const due = there.filter((merge) => !this.#projection.isPeerWrite(merge));
    if (due.length === 0) {
      await this.#log.rollback();
      this.#report({ event: "writer.fenced", merges: batch.length });
      return 0;
    }
    const plan = new Plan(this.analyzer.draft(), this.#settings.producer);
    const rows = plan.fold(due);
    const appending = this.#stopwatch();
    const { ids } = await this.#log.append(rows);
    const last = this.#projection.ascending(ids, rows.length);
    const appendedMs = appending();
    const committing = this.#stopwatch();
    const fingerprint = await this.#commit(last, plan);
    this.#batch.took(batch.length, { fenced: fencedMs, appended: appendedMs, committed: committing() });
    this.#projection.adopt(plan, ids, { id: String(last), fingerprint });
    const tookMs = elapsed();
    plan.tell(this.#report, (merge) => this.#arrival(merge, foundBy, tookMs));
    return due.length;
  }

  /** @returns the fingerprint of the last row. @throws CommitUnknown */
  async #commit(last: bigint, plan: Plan): Promise<string> {
    let fingerprint: string | null;
    try {
      fingerprint = await this.#log.commit(last);
    } catch (error) {
      if (error instanceof CommitUnknown) {
        // As JSON has it: what is undefined is not written.
        const payload: unknown = JSON.parse(JSON.stringify(plan.rows.at(-1)?.payload));
        this.unanswered = { id: last, payload };
        this.#report({ event: "commit.unknown", merges: plan.merges.length, failure: error.failure });
      }
      throw error;
    }
    if (fingerprint !== null) return fingerprint;
    throw new UnfitDatabase("append_changed", [
      `events_outbox does not have our row ${last}, which it took a moment ago: a trigger or a rule on it moves or deletes rows; let rows of ` +
        "kind metric.* pass",
    ]);
  }

  #arrival(merge: FoundMerge, foundBy: Arrival["found_by"], tookMs: number): Arrival {
    const late = !this.#projection.isHighest(merge.eventId) || foundBy === "reconciliation";
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

function rowsToRehearse({ metrics, producer }: RecorderSettings): (item: RehearsedItem) => RehearsalRows {
  return (item) => rehearsalRows(metrics, producer, item);
}
