/** Writes checkpoints: when one is due, its transaction, and what happens where the table does not take it. */
import { checkpointRow } from "../core/checkpoint.ts";
import type { Failure } from "../events/fields.ts";
import { lastAppended } from "../outbox/appended.ts";
import { type AppendedRow, AppendRefused } from "../outbox/outbox-log.ts";
import type { Fence } from "./fence.ts";
import type { Projection } from "./projection.ts";
import type { Session } from "./session.ts";

/** Merges between two checkpoints: a restart replays about as many. */
const CHECKPOINT_EVERY = 50;
/** In a backlog so many. */
export const MOST_UNCOVERED = 1000;
/** Ids after which one is written without any merges: a restart looks for merges above the settled ids. */
const CHECKPOINT_EVERY_IDS = 20_000n;
/** A large checkpoint is written less often: at most this many of its bytes for each merge. */
const BYTES_PER_MERGE = 500;
/** One that the table refused is tried again after this long; merges are recorded without it. */
const RETRY_AFTER_MS = 3_600_000;

/** A trigger or a rule dropped the checkpoint without an error. */
const DROPPED: Failure = {
  code: "APPEND_CHANGED",
  message:
    "the checkpoint was appended without an error and does not exist: a trigger or a rule of events_outbox drops or moves it",
};

export type CheckpointWriter = ReturnType<typeof checkpointWriter>;

export function checkpointWriter(session: Session, projection: Projection, fence: Fence) {
  const { clock, report, reported, producer } = session;
  const { analyzer, dueMerges } = projection;
  let every = CHECKPOINT_EVERY;
  let refusedUntil = Number.NEGATIVE_INFINITY;

  async function write(): Promise<void> {
    if (!projection.isProven || projection.lastApplied === null || !dueMerges.exact || isCovered()) return;
    if (clock.monotonic() < refusedUntil) return;
    await fence.begin();
    // A peer may have written this very checkpoint meanwhile, for example where all daemons are stopped at once.
    if (isCovered()) return session.log.rollback();
    const { truncationPoint, firstRow, coverage } = dueMerges;
    const place = {
      row_id: projection.lastApplied.id,
      journal_begins: firstRow === null ? null : String(firstRow),
      floor: truncationPoint === null ? null : String(truncationPoint),
      ...coverage.stored(),
    };
    const row = checkpointRow(analyzer, place, producer);
    const refusal = await append(row);
    if (refusal !== null) return refused(refusal);
    const { length: bytes } = JSON.stringify(row.payload);
    every = Math.max(CHECKPOINT_EVERY, Math.ceil(bytes / BYTES_PER_MERGE));
    reported.over("checkpoint", "");
    report({ event: "checkpoint.written", seq: analyzer.global.seq, bytes });
  }

  /** Whether the newest checkpoint knows everything that memory knows. */
  function isCovered(): boolean {
    return analyzer.global.seq === 0 || (projection.uncovered === 0 && projection.uncoveredIds <= 0n);
  }

  /** @returns why the table did not take it; null where it did. */
  async function append(row: AppendedRow): Promise<Failure | null> {
    const { log } = session;
    try {
      const appended = await log.append([row]);
      if (appended.ids.length === 0) {
        await log.rollback();
        return DROPPED;
      }
      const rowId = lastAppended(appended, { rows: 1, after: projection.newestRow, place: log.place });
      if ((await log.commit(rowId)) === null) return DROPPED;
      projection.covered(rowId);
      return null;
    } catch (error) {
      if (!(error instanceof AppendRefused)) throw error;
      await log.rollback();
      return error.failure;
    }
  }

  function refused(failure: Failure): void {
    refusedUntil = clock.monotonic() + RETRY_AFTER_MS;
    if (reported.first("checkpoint", "", failure.code))
      report({ event: "checkpoint.refused", failure, retry_in_ms: RETRY_AFTER_MS });
  }

  return {
    /** The table does not take checkpoints for now; merges are recorded all the same. */
    refused,

    /** After a poll. @param recorded how many merges it recorded. */
    async writeIfDue(recorded: number): Promise<void> {
      // A backlog's last checkpoint is older than its settling: a restart from it would read all of the backlog again.
      const enough = recorded >= MOST_UNCOVERED ? 1 : every;
      if (projection.uncovered >= enough || projection.uncoveredIds >= CHECKPOINT_EVERY_IDS) await write();
    },

    /** Before a batch, so that merges are left to cover once all is settled. @param merges of the batch. */
    async writeBefore(merges: number): Promise<void> {
      if (projection.uncovered + merges > Math.max(MOST_UNCOVERED, every)) await write();
    },

    /** At an orderly stop, so that the next start has little to replay. */
    async writeAtStop(): Promise<void> {
      if (projection.uncovered > 0) await write();
    },
  };
}
