/** Checkpoints as a recorder leaves them behind: when one is due, writing it, and what to do where the table does not take it. */
import { type CheckpointRow, checkpointRow } from "../core/checkpoint.ts";
import type { Failure } from "../events/fields.ts";
import { AppendRefused, type OutboxLog } from "../outbox-log.ts";
import type { Projection } from "./projection.ts";
import type { RecorderPorts } from "./recorder.ts";

/** Merges after which a checkpoint is written: a restart folds about as many rows again. */
const CHECKPOINT_EVERY = 100;
/** In a backlog it waits for so many. */
const MOST_UNCOVERED = 1000;
/** Ids after which one is written also without merges: a restart looks for merges after what is settled. */
const CHECKPOINT_EVERY_IDS = 20_000n;
/** One that the table refused is tried again after this long: merges are recorded without it. */
const CHECKPOINT_AGAIN_MS = 3_600_000;
/** A large checkpoint is written less often: at most this many of its bytes for each merge. */
const CHECKPOINT_BYTES_PER_MERGE = 500;

export class CheckpointWriter {
  readonly #log: OutboxLog;
  readonly #projection: Projection;
  readonly #producer: string;
  readonly #ports: RecorderPorts;
  #every = CHECKPOINT_EVERY;
  /** When the next one may be written. */
  #againAt = Number.NEGATIVE_INFINITY;

  /** @param producer written into every checkpoint. */
  constructor(log: OutboxLog, projection: Projection, producer: string, ports: RecorderPorts) {
    this.#log = log;
    this.#projection = projection;
    this.#producer = producer;
    this.#ports = ports;
  }

  /** After a look at the log. @param recorded how many merges it recorded. */
  async writeIfDue(recorded: number): Promise<void> {
    // A backlog's last checkpoint is older than its settling, and who begins from it would read all of the backlog again.
    const enough = recorded >= MOST_UNCOVERED ? 1 : this.#every;
    const { uncovered, uncoveredIds } = this.#projection;
    if (uncovered >= enough || uncoveredIds >= CHECKPOINT_EVERY_IDS) await this.#write();
  }

  /** Before a batch, so that something is left to cover when all is settled. @param merges of the batch. */
  async writeBefore(merges: number): Promise<void> {
    const most = Math.max(MOST_UNCOVERED, this.#every);
    if (this.#projection.uncovered + merges > most) await this.#write();
  }

  /** What an orderly stop leaves behind, so that the next start has little to fold. */
  async writeAtStop(): Promise<void> {
    if (this.#projection.uncovered > 0) await this.#write();
  }

  /** The table does not take checkpoints for now: merges are recorded all the same. */
  refused(failure: Failure): void {
    const { clock, report, reported } = this.#ports;
    this.#againAt = clock.monotonic() + CHECKPOINT_AGAIN_MS;
    if (reported.first("checkpoint", "", failure.code))
      report({ event: "checkpoint.refused", failure, retry_in_ms: CHECKPOINT_AGAIN_MS });
  }

  async #write(): Promise<void> {
    const { head, recorded, analyzer } = this.#projection;
    if (head === null || !recorded.exact || this.#isCovered) return;
    if (this.#ports.clock.monotonic() < this.#againAt) return;
    await this.#projection.beginFenced();
    // Another daemon may have written this very checkpoint meanwhile, as where all are stopped at once.
    if (this.#isCovered) return this.#log.rollback();
    const { floor, begins, coverage } = recorded;
    const place = {
      row_id: this.#projection.head?.id ?? head.id,
      journal_begins: begins === null ? null : String(begins),
      floor: floor === null ? null : String(floor),
      ...coverage.stored(),
    };
    const row = checkpointRow(analyzer, place, this.#producer);
    const refusal = await this.#append(row);
    if (refusal !== null) return this.refused(refusal);
    const bytes = JSON.stringify(row.payload).length;
    this.#every = Math.max(CHECKPOINT_EVERY, Math.ceil(bytes / CHECKPOINT_BYTES_PER_MERGE));
    this.#ports.reported.over("checkpoint", "");
    this.#ports.report({ event: "checkpoint.written", seq: analyzer.global.seq, bytes });
  }

  /** @returns why the table did not take it; null where it did. */
  async #append(row: CheckpointRow): Promise<Failure | null> {
    try {
      const { ids } = await this.#log.append([row]);
      if (ids.length === 0) {
        await this.#log.rollback();
        return DROPPED;
      }
      const rowId = this.#projection.ascending(ids, 1);
      if ((await this.#log.commit(rowId)) === null) return DROPPED;
      this.#projection.covered(rowId);
      return null;
    } catch (error) {
      if (!(error instanceof AppendRefused)) throw error;
      await this.#log.rollback();
      return error.failure;
    }
  }

  /** Whether the newest checkpoint knows all that there is to know. */
  get #isCovered(): boolean {
    const { analyzer, uncovered, uncoveredIds } = this.#projection;
    return analyzer.global.seq === 0 || (uncovered === 0 && uncoveredIds <= 0n);
  }
}

/** A checkpoint that a trigger or a rule drops without an error. */
const DROPPED: Failure = {
  code: "APPEND_CHANGED",
  message:
    "the checkpoint was appended without an error and is not there: a trigger or a rule of events_outbox drops or moves it",
};
