/**
 * The loop: open the log, restore, record what is due, wait for the bell, again. It knows ports, not PostgreSQL.
 *
 * Whatever fails, the answer is the same: forget, wait with backoff, open, restore. The one failure that ends the
 * daemon is a database or a log that is unfit at the first look; later, and for anything that only has to come back, it
 * stays alive, writes nothing and says why.
 */
import { type Backoff, backoffDelay, pause } from "./backoff.ts";
import type { Bell } from "./bell.ts";
import type { Clock } from "./clock.ts";
import type { Analyzer } from "./core/analyzer.ts";
import { LARGEST_ID } from "./core/event-id.ts";
import { UnfitLog } from "./core/journal-row.ts";
import type { StatusHistory } from "./core/status-history.ts";
import type { DaemonEvent, Report } from "./events/daemon-event.ts";
import { DatabaseFailure, type Head, LockBlocked, type OutboxLog, UnfitDatabase } from "./outbox-log.ts";
import { meaningOf } from "./postgres/meaning.ts";
import { checkOrder } from "./recorder/check-order.ts";
import { HistoryReset } from "./recorder/projection.ts";
import { Recorder, type RecorderSettings, type Unanswered } from "./recorder/recorder.ts";
import { Reported } from "./recorder/reported.ts";

export type DaemonSettings = RecorderSettings & {
  /** Without any wake-up, look again after this long. */
  readonly pollIntervalMs: number;
  /** How often the whole log is compared with the journal. */
  readonly auditIntervalMs: number;
  readonly backoff: Backoff;
};

export type DaemonPorts = {
  /** @throws DatabaseFailure | UnfitDatabase */
  readonly open: (stop: AbortSignal) => Promise<OutboxLog>;
  readonly report: Report;
  readonly clock: Clock;
};

/** A comparison takes at most this share of the time. */
const COMPARISON_SHARE = 0.05;
/** Idle looks take at most this share of the time, where no index leads to rows by their ids, and come this often at least. */
const IDLE_SHARE = 0.01;
const LONGEST_SPACING_MS = 60_000;
/** Behind for longer than this is told, and the daemon is not ready meanwhile. */
const HIGH_LAG_MS = 60_000;
const LAG_WATCHED_EVERY_MS = 1_000;

export class Daemon {
  readonly #settings: DaemonSettings;
  readonly #ports: DaemonPorts;
  readonly #bell: Bell;
  readonly #stop: AbortSignal;
  #log: OutboxLog | null = null;
  #recorder: Recorder | null = null;
  #ready = false;
  #opened = false;
  /** The log contradicted itself when it was last read. */
  #suspect = false;
  /** What the last memory stood on, to see whether the log that answers now still has it. */
  #stood: { readonly head: Head; readonly seq: number } | null = null;
  /** How long not to look again, as each look takes long; milliseconds. */
  #spacingMs = 0;
  /** The transaction whose COMMIT was not answered. */
  #unresolved: Unanswered | null = null;
  readonly #reported = new Reported();
  #nextComparison = 0;
  #comparing: { spentMs: number } | null = null;
  /** Since when there may be merges that are not recorded; null while there are none. */
  #behindSince: number | null;
  #lagHigh = false;
  readonly #startedAt: number;

  constructor(settings: DaemonSettings, ports: DaemonPorts, bell: Bell, stop: AbortSignal) {
    this.#settings = settings;
    this.#ports = ports;
    this.#bell = bell;
    this.#stop = stop;
    this.#startedAt = ports.clock.monotonic();
    this.#behindSince = this.#startedAt;
    stop.addEventListener("abort", () => bell.ring("shutdown"), { once: true });
  }

  /** What is in memory; null while it cannot be trusted. */
  get analyzer(): Analyzer | null {
    return this.#recorder?.analyzer ?? null;
  }

  /** The last merges; null while memory cannot be trusted. */
  get recent(): StatusHistory | null {
    return this.#recorder?.recent ?? null;
  }

  /** Merges known to be due and not recorded yet. */
  get due(): number {
    return this.#recorder?.due ?? 0;
  }

  /** Merges that the table did not take so far. */
  get refused(): number {
    return this.#recorder?.refused ?? 0;
  }

  /** For how many seconds there may have been merges that are not recorded; 0 when everything is. */
  get lagSeconds(): number {
    return this.#behindSince === null ? 0 : (this.#ports.clock.monotonic() - this.#behindSince) / 1000;
  }

  /** Ends whatever is under way at once: the server rolls back what was not committed. */
  abandon(): void {
    this.#forget();
  }

  /**
   * Runs until `stop`.
   * @throws UnfitDatabase | UnfitLog when the first look finds that nothing may be written.
   */
  async run(): Promise<void> {
    const lagWatch = setInterval(() => this.#watchLag(), LAG_WATCHED_EVERY_MS);
    try {
      await this.#loop();
    } finally {
      clearInterval(lagWatch);
      this.#forget();
    }
  }

  async #loop(): Promise<void> {
    for (let attempt = 0; !this.#stop.aborted; ) {
      try {
        await this.#cycle();
        attempt = 0;
      } catch (error) {
        this.#unresolved = this.#recorder?.unanswered ?? this.#unresolved;
        this.#remember();
        const connected = this.#log !== null;
        this.#forget();
        this.#suspect ||= error instanceof UnfitLog;
        attempt += 1;
        if (this.#stop.aborted) break;
        await this.#afterFailure(error, attempt, connected);
        continue;
      }
      await this.#bell.wait(this.#restMs);
    }
    await this.#leave();
  }

  /** How long to wait for the bell. */
  get #restMs(): number {
    if (this.#comparing !== null) return this.#spacingMs;
    const retryInMs = this.#recorder?.retryInMs ?? Number.POSITIVE_INFINITY;
    return Math.max(this.#spacingMs, Math.min(this.#settings.pollIntervalMs, retryInMs));
  }

  /** Leaves a checkpoint behind, if there is anything to cover, so that the next start has little to fold. */
  async #leave(): Promise<void> {
    try {
      await this.#recorder?.checkpointAtStop();
      await this.#log?.end();
    } catch (error) {
      if (this.#describe(error, { attempt: 0, retry_in_ms: 0 }, true) === null) throw error;
    }
  }

  /** Records everything that is due now. */
  async #cycle(): Promise<void> {
    this.#behindSince ??= this.#ports.clock.monotonic();
    const recorder = this.#recorder ?? (await this.#open());
    const lookedAt = this.#ports.clock.monotonic();
    const recorded = await recorder.poll(this.#stopping);
    if (this.#stop.aborted) return;
    this.#space(recorded === 0 ? this.#ports.clock.monotonic() - lookedAt : 0);
    this.#behindSince = null;
    this.#watchLag();
    if (!this.#ready) {
      this.#ready = true;
      const { clock, report } = this.#ports;
      const { seq } = recorder.analyzer.global;
      report({ event: "daemon.ready", seq, took_ms: Math.round(clock.monotonic() - this.#startedAt) });
    }
    await this.#compare(recorder);
  }

  /** @param tookMs how long a look at a log took that had nothing new. */
  #space(tookMs: number): void {
    const isLong = this.#log?.idsIndexed === false;
    this.#spacingMs = isLong ? Math.min(LONGEST_SPACING_MS, tookMs / IDLE_SHARE) : 0;
  }

  async #open(): Promise<Recorder> {
    const { open, report, clock } = this.#ports;
    const log = await open(this.#stop);
    this.#log = log;
    // What made the log unfit may lie where a restore from a checkpoint does not look. First, as a completed restore says that
    // the log is fit again.
    if (this.#suspect) await checkOrder(log);
    const ports = { report, clock, reported: this.#reported };
    const recorder = await Recorder.restore(log, this.#settings, ports);
    this.#opened = true;
    await this.#compareWithBefore(log, recorder);
    if (this.#unresolved !== null) {
      report({ event: "commit.resolved", outcome: await recorder.outcomeOf(this.#unresolved) });
      this.#unresolved = null;
    }
    this.#suspect = false;
    this.#recorder = recorder;
    this.#nextComparison = 0;
    this.#comparing = null;
    return recorder;
  }

  /** What memory stood on before it is forgotten. */
  #remember(): void {
    const head = this.#recorder?.head ?? null;
    if (this.#recorder !== null && head !== null)
      this.#stood = { head, seq: this.#recorder.analyzer.global.seq };
  }

  /** A log that went back in time while nobody was connected: restored, truncated, emptied by a crash, another table. */
  async #compareWithBefore(log: OutboxLog, recorder: Recorder): Promise<void> {
    if (this.#stood === null) return;
    const { head, seq } = this.#stood;
    const { appliedFingerprint } = await log.journalSince(head, LARGEST_ID);
    const now = recorder.analyzer.global.seq;
    this.#stood = null;
    if (appliedFingerprint === head.fingerprint && now >= seq) return;
    const lost = Math.max(0, seq - now);
    this.#ports.report({ event: "history.reset", row_id: head.id, seq_before: seq, seq_now: now, lost });
  }

  /** One page of the comparison of the whole log, if it is time; between pages the loop looks for new merges. */
  async #compare(recorder: Recorder): Promise<void> {
    const now = this.#ports.clock.monotonic();
    if (this.#comparing === null) {
      if (now < this.#nextComparison) return;
      this.#comparing = { spentMs: 0 };
    }
    const complete = await recorder.reconcilePage(this.#stopping);
    // Only what its pages take: whatever else passes between them must not put off the next one.
    this.#comparing.spentMs += this.#ports.clock.monotonic() - now;
    if (!complete) return;
    const { spentMs } = this.#comparing;
    this.#comparing = null;
    this.#nextComparison = now + Math.max(this.#settings.auditIntervalMs, spentMs / COMPARISON_SHARE);
  }

  /** @param connected whether there was a connection, or it could not be made. */
  async #afterFailure(error: unknown, attempt: number, connected: boolean): Promise<void> {
    const { report, clock } = this.#ports;
    const delay = backoffDelay(this.#settings.backoff, attempt, clock.random());
    const event = this.#describe(error, { attempt, retry_in_ms: delay }, connected);
    if (event === null) throw error;
    report(event);
    await pause(delay, this.#stop);
  }

  /** What there is to tell of a failure; null when the daemon cannot go on after it. */
  #describe(
    error: unknown,
    timing: { readonly attempt: number; readonly retry_in_ms: number },
    connected: boolean,
  ): DaemonEvent | null {
    const { retry_in_ms } = timing;
    if (error instanceof HistoryReset) {
      const seq_before = this.#stood?.seq ?? 0;
      // Reported once: what the log has now is not compared again.
      this.#stood = null;
      return { event: "history.reset", row_id: error.rowId, seq_before, seq_now: null, lost: null };
    }
    if (error instanceof UnfitDatabase && (this.#opened || error.reason === "read_only_server"))
      return { event: "db.unfit", reason: error.reason, problems: error.problems, retry_in_ms };
    if (error instanceof UnfitLog && this.#opened)
      return { event: "db.unfit", reason: error.reason, problems: [error.message], retry_in_ms };
    if (error instanceof LockBlocked) return { event: "writer.blocked", holders: error.holders, retry_in_ms };
    if (error instanceof DatabaseFailure)
      return {
        event: failureEvent(error, connected),
        failure: error.failure,
        ...timing,
      };
    return null;
  }

  #watchLag(): void {
    const high = this.lagSeconds * 1000 > HIGH_LAG_MS;
    if (high === this.#lagHigh) return;
    this.#lagHigh = high;
    const seconds = Math.round(this.lagSeconds);
    this.#ports.report(high ? { event: "lag.high", seconds } : { event: "lag.recovered" });
  }

  #forget(): void {
    this.#log?.destroy();
    this.#log = null;
    this.#recorder = null;
    this.#comparing = null;
  }

  readonly #stopping = (): boolean => this.#stop.aborted;
}

/** A refusal is no outage: the connection is given up, as after every failure, but nobody need look at the network. */
function failureEvent(
  { failure }: DatabaseFailure,
  connected: boolean,
): "db.connect_failed" | "db.disconnected" | "db.refused" {
  if (!connected) return "db.connect_failed";
  return meaningOf(failure.code).policy === "refusal" ? "db.refused" : "db.disconnected";
}
