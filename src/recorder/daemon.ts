/**
 * The daemon: the loop around the recorder. It knows ports, not PostgreSQL.
 *
 * # States
 *
 *   disconnected ─ open ▶ restoring ─ restore ▶ backfilling ─ all recorded ▶ following ⟲ poll, compare a page, wait
 *        ▲                    │                     │                          │  │
 *        └────────────────────┴─────────────────────┴──────────────────────────┘  └─ stop ▶ checkpoint, end
 *          any failure: destroy the connection, forget memory, wait with backoff
 *
 * Values are served once the rows of 20 merges are checked. Before the first write, or else as soon as the daemon is ready, memory
 * is proven: it is restored once more from further back, so that the rows of 100 merges are checked.
 *
 * # One answer to every failure
 *
 * Destroy, forget, restore. No error is repaired in place, so no error needs a path of its own, and the one path runs often
 * enough to be trusted. Memory exists only while backfilling or following; readers get `null` otherwise.
 *
 * One failure ends the daemon: a database or a log that is unfit before it was ever found fit to write to, as a person has to
 * change something. Later, and for whatever only has to recover (a standby, an outage), it stays alive, writes nothing and says why.
 *
 * # What survives a connection
 *
 * Only what the next restore is compared with (`past.ts`), what has been reported already (`reported.ts`), and the last
 * values, until a restore completes: the status page shows them, and nothing is decided by them.
 *
 * # What is not promised
 *
 *   - A bound on the time until a merge is recorded: while the database is unavailable or the log unfit, the daemon retries
 *     indefinitely.
 *   - That a merge below the low-water mark is found at once: no lock announced it, so it waits for the next reconciliation.
 *   - That a log which went back in time before this process started is noticed: the log itself is then the only evidence.
 */

import { type Backoff, backoffDelay, pause } from "../backoff.ts";
import type { Clock } from "../clock.ts";
import type { Analyzer } from "../core/analyzer.ts";
import type { StatusHistory } from "../core/status-history.ts";
import type { DaemonEvent, Report } from "../events/daemon-event.ts";
import type { OutboxLog } from "../outbox/outbox-log.ts";
import type { Bell } from "./bell.ts";
import { checkOrder } from "./check-order.ts";
import { type Attempt, failureEvent } from "./failure-event.ts";
import { lagOf } from "./lag.ts";
import { type Pace, type PaceSettings, paceOf } from "./pace.ts";
import { Past } from "./past.ts";
import { prove, type Recorder, restoreRecorder } from "./recorder.ts";
import { Reported } from "./reported.ts";
import type { RecorderSettings } from "./session.ts";

export type DaemonSettings = RecorderSettings & PaceSettings & { readonly backoff: Backoff };

export type DaemonPorts = {
  /** @throws DatabaseFailure | UnfitDatabase */
  readonly open: (stop: AbortSignal) => Promise<OutboxLog>;
  readonly report: Report;
  readonly clock: Clock;
};

type Running = {
  /** Backfilling, until everything is recorded for the first time on this connection. */
  readonly is: "backfilling" | "following";
  readonly log: OutboxLog;
  readonly recorder: Recorder;
  readonly pace: Pace;
};

/** What the status page shows. */
type Values = { readonly analyzer: Analyzer; readonly recent: StatusHistory };

type State =
  | { readonly is: "disconnected" }
  | { readonly is: "restoring"; readonly log: OutboxLog }
  | Running;

const DISCONNECTED: State = { is: "disconnected" };

export class Daemon {
  readonly #settings: DaemonSettings;
  readonly #ports: DaemonPorts;
  readonly #bell: Bell;
  readonly #stop: AbortSignal;
  readonly #reported = new Reported();
  readonly #lag: ReturnType<typeof lagOf>;
  readonly #startedAt: number;
  readonly #past = new Past();
  #state: State = DISCONNECTED;
  /** What was in memory last; null while there is memory. */
  #lastValues: Values | null = null;
  /** Whether the log was ever found fit to write to. */
  #wasProven = false;
  /** Whether everything was ever recorded. */
  #wasReady = false;

  constructor(settings: DaemonSettings, ports: DaemonPorts, bell: Bell, stop: AbortSignal) {
    this.#settings = settings;
    this.#ports = ports;
    this.#bell = bell;
    this.#stop = stop;
    this.#startedAt = ports.clock.monotonic();
    this.#lag = lagOf(ports);
    stop.addEventListener("abort", () => bell.ring("shutdown"), { once: true });
  }

  get #recorder(): Recorder | null {
    return "recorder" in this.#state ? this.#state.recorder : null;
  }

  /** Memory; null while it cannot be trusted. */
  get analyzer(): Analyzer | null {
    return this.#recorder?.projection.analyzer ?? null;
  }

  /** The newest merges; null while memory cannot be trusted. */
  get recent(): StatusHistory | null {
    return this.#recorder?.projection.recent ?? null;
  }

  /** What is in memory or, while it cannot be trusted, was in memory last. */
  get last(): Values | null {
    return this.#recorder?.projection ?? this.#lastValues;
  }

  /** Merges known to be due and not recorded yet. */
  get due(): number {
    return this.#recorder?.writer.due() ?? 0;
  }

  /** Merges that the table has refused so far. */
  get refused(): number {
    return this.#recorder?.refused.count() ?? 0;
  }

  /** For how many seconds there may have been merges that are not recorded; 0 when every merge is. */
  get lagSeconds(): number {
    return this.#lag.seconds();
  }

  /** Ends everything under way at once: the server rolls back what was not committed. */
  abandon(): void {
    if ("log" in this.#state) this.#state.log.destroy();
    this.#state = DISCONNECTED;
  }

  /**
   * Runs until `stop`.
   * @throws UnfitDatabase | UnfitLog when nothing may be written from the start.
   */
  async run(): Promise<void> {
    const unwatch = this.#lag.watch();
    try {
      for (let attempt = 0; !this.#stop.aborted; ) {
        try {
          const { pace, recorder } = await this.#cycle();
          attempt = 0;
          await this.#bell.wait(pace.restMs(recorder.refused.nextRetryInMs()));
        } catch (error) {
          attempt += 1;
          await this.#fail(error, attempt);
        }
      }
      await this.#leave();
    } finally {
      unwatch();
      this.abandon();
    }
  }

  /** Records everything that is due now, and compares a page of the log if it is time. */
  async #cycle(): Promise<Running> {
    const { clock } = this.#ports;
    this.#lag.begin();
    let state = "recorder" in this.#state ? this.#state : await this.#connect();
    const polledAt = clock.monotonic();
    let recorded = await state.recorder.poll();
    while (recorded === "unproven") {
      state = await this.#prove(state);
      recorded = await state.recorder.poll();
    }
    if (this.#stop.aborted) return state;
    const from = clock.monotonic();
    const { pace } = state;
    pace.polled(recorded, from - polledAt);
    this.#lag.end();
    if (state.is === "backfilling") state = await this.#prove(this.#follow(state));
    if (pace.reconciles(from)) {
      const isComplete = await state.recorder.reconcilePage(pace.pageRows);
      pace.reconciled(from, clock.monotonic(), isComplete);
    }
    return state;
  }

  #follow(running: Running): Running {
    const following: Running = { ...running, is: "following" };
    this.#state = following;
    if (this.#wasReady) return following;
    this.#wasReady = true;
    const { seq } = running.recorder.projection.analyzer.global;
    const took_ms = Math.round(this.#ports.clock.monotonic() - this.#startedAt);
    this.#ports.report({ event: "daemon.ready", seq, took_ms });
    return following;
  }

  /** Before the first write; the values are served meanwhile. */
  async #prove(running: Running): Promise<Running> {
    const proven: Running = { ...running, recorder: await prove(running.recorder) };
    this.#state = proven;
    this.#wasProven = true;
    return proven;
  }

  async #connect(): Promise<Running> {
    const { open, report, clock } = this.#ports;
    const log = await open(this.#stop);
    this.#state = { is: "restoring", log };
    // The contradiction may lie where a restore from a checkpoint does not look. Checked first, as a completed restore reports
    // that the log is fit again.
    if (this.#past.contradicted) await checkOrder(log);
    const ports = { report, clock, reported: this.#reported, stop: this.#stop };
    const recorder = await restoreRecorder(log, this.#settings, ports, this.#past.contradicted);
    this.#wasProven ||= recorder.projection.isProven;
    const { seq } = recorder.projection.analyzer.global;
    for (const event of await this.#past.compare(log, seq)) report(event);
    const pace = paceOf(this.#settings, log.idsIndexed);
    const state: Running = { is: "backfilling", log, recorder, pace };
    this.#state = state;
    this.#lastValues = null;
    return state;
  }

  /** Destroys, forgets and waits. @throws the error where the daemon cannot continue after it. */
  async #fail(error: unknown, attempt: number): Promise<void> {
    const { clock, report } = this.#ports;
    const isConnected = this.#state.is !== "disconnected";
    this.#past.remember(error, this.#recorder);
    if (this.last !== null) this.#lastValues = { analyzer: this.last.analyzer, recent: this.last.recent };
    this.abandon();
    if (this.#stop.aborted) return;
    const retry_in_ms = backoffDelay(this.#settings.backoff, attempt, clock.random());
    const event = this.#eventOf(error, { attempt, retry_in_ms, isConnected });
    if (event === null) throw error;
    if (event.event === "history.reset") this.#past.forgetMemory();
    report(event);
    await pause(retry_in_ms, this.#stop);
  }

  #eventOf(error: unknown, attempt: Attempt): DaemonEvent | null {
    return failureEvent(error, attempt, { wasProven: this.#wasProven, seq: this.#past.seq });
  }

  /** Leaves a checkpoint behind, if there is anything to cover. */
  async #leave(): Promise<void> {
    try {
      await this.#recorder?.checkpoints.writeAtStop();
      if ("log" in this.#state) await this.#state.log.end();
    } catch (error) {
      if (this.#eventOf(error, { attempt: 0, retry_in_ms: 0, isConnected: true }) === null) throw error;
    }
  }
}
