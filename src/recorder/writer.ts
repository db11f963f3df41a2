/**
 * The writer: records merges, one fenced transaction for each batch.
 *
 * # An unknown commit outcome
 *
 * If the connection is lost while COMMIT is under way, the server may have committed or not. The writer never retries: the
 * connection is destroyed and memory is forgotten. The next restore takes the writers' lock first. Being granted the lock proves
 * that the earlier transaction has ended, so the log then shows whether its rows exist.
 *
 * # A refused batch
 *
 * The table may refuse rows because of one merge among many. The batch is halved until that merge is alone; the others are
 * recorded, and that one is set aside. Merges whose work items were deleted are separated first: a foreign key refuses them
 * all. They are skipped, so no number changes when the others are recorded before them. If the table has begun to refuse
 * every row of ours, a rehearsal finds that out.
 */
import { isDeepStrictEqual } from "node:util";
import { parseObject } from "../core/json.ts";
import { rehearsalRows } from "../core/rehearsal-rows.ts";
import { SMALL_BATCH } from "../events/daemon-event.ts";
import { isLocked } from "../events/meaning.ts";
import { lastAppended } from "../outbox/appended.ts";
import {
  AppendRefused,
  CommitUnknown,
  type FoundMerge,
  lacksItem,
  type OutboxLog,
  type Rehearsed,
  UnfitDatabase,
} from "../outbox/outbox-log.ts";
import { type Arrival, type Batch, batchOf, eventsOf, type FoundBy } from "./batch.ts";
import { BatchSize } from "./batch-size.ts";
import type { CheckpointWriter } from "./checkpoint-writer.ts";
import type { Fence } from "./fence.ts";
import type { Projection } from "./projection.ts";
import type { RefusedMerges } from "./refused-merges.ts";
import type { Session } from "./session.ts";

/** The last row of a transaction whose COMMIT was not answered, as it was sent. */
export type Unanswered = { readonly id: bigint; readonly payload: unknown };

/** After a refusal the table is rehearsed again, at most this often. */
const REHEARSE_EVERY_MS = 1_000;

type Parts = {
  readonly projection: Projection;
  readonly fence: Fence;
  readonly checkpoints: CheckpointWriter;
  readonly refused: RefusedMerges;
};

export function writerOf(session: Session, { projection, fence, checkpoints, refused }: Parts) {
  const { clock, report, producer, stop } = session;
  const size = new BatchSize();
  let due = 0;
  let unanswered: Unanswered | null = null;
  let rehearsedAt = Number.NEGATIVE_INFINITY;

  async function record(merges: readonly FoundMerge[], foundBy: FoundBy): Promise<number> {
    let recorded = 0;
    due = merges.length;
    for (let start = 0; start < merges.length && !stop.aborted; ) {
      const batch = merges.slice(start, start + size.merges);
      start += batch.length;
      await checkpoints.writeBefore(batch.length);
      recorded += await recordOrSplit(batch, foundBy);
      due = merges.length - start;
    }
    return recorded;
  }

  async function recordOrSplit(merges: readonly FoundMerge[], foundBy: FoundBy): Promise<number> {
    try {
      return await recordBatch(merges, foundBy);
    } catch (error) {
      if (!(error instanceof AppendRefused)) throw error;
      await session.log.rollback();
      await rehearseAfter(error);
      const [merge] = merges;
      if (merges.length === 1 && merge !== undefined) {
        refused.add(merge, error.failure);
        return 0;
      }
    }
    const [first, second] = split(merges);
    const recorded = await recordOrSplit(first, foundBy);
    return recorded + (await recordOrSplit(second, foundBy));
  }

  async function rehearseAfter({ failure }: AppendRefused): Promise<void> {
    const now = clock.monotonic();
    if (isLocked(failure) || now - rehearsedAt < REHEARSE_EVERY_MS) return;
    rehearsedAt = now;
    await rehearse(session);
  }

  /** One transaction. @throws AppendRefused | CommitUnknown */
  async function recordBatch(merges: readonly FoundMerge[], foundBy: FoundBy): Promise<number> {
    const { log } = session;
    const startedAt = clock.monotonic();
    const wasOpen = fence.isOpen();
    const isProven = projection.lastApplied !== null;
    await fence.begin();
    const fencedAt = clock.monotonic();
    const existing = isProven ? merges : await asTheyAreNow(merges);
    const unrecorded = existing.filter((merge) => !projection.peerWrites.has(merge));
    if (unrecorded.length === 0) {
      await log.rollback();
      report({ event: "writer.fenced", merges: merges.length });
      return 0;
    }
    const batch = batchOf(projection.analyzer, unrecorded, producer);
    const foldedAt = clock.monotonic();
    const appended = await log.append(batch.rows);
    const expected = { rows: batch.rows.length, after: projection.newestRow, place: log.place };
    const last = lastAppended(appended, expected);
    const appendedAt = clock.monotonic();
    const fingerprint = await commit(batch, last);
    const committedAt = clock.monotonic();
    size.took(merges.length, {
      fenced: wasOpen ? committedAt - appendedAt : fencedAt - startedAt,
      appended: appendedAt - foldedAt,
      committed: committedAt - appendedAt,
    });
    projection.adopt(batch, appended.ids, { id: String(last), fingerprint });
    reportBatch(batch, foundBy, committedAt - startedAt);
    return unrecorded.length;
  }

  function reportBatch({ merges }: Batch, foundBy: FoundBy, tookMs: number): void {
    for (const merge of merges) {
      const arrival = { ...arrivalOf(merge.found, foundBy, tookMs), batch: merges.length };
      for (const event of eventsOf(merge, arrival)) report(event);
    }
    const { seq } = projection.analyzer.global;
    if (merges.length > SMALL_BATCH)
      report({ event: "batch.recorded", merges: merges.length, seq, took_ms: Math.round(tookMs) });
  }

  /** @returns the fingerprint of the last row. @throws CommitUnknown */
  async function commit(batch: Batch, last: bigint): Promise<string> {
    let fingerprint: string | null;
    try {
      fingerprint = await session.log.commit(last);
    } catch (error) {
      if (error instanceof CommitUnknown) {
        // As JSON has it: what is undefined is not written.
        unanswered = { id: last, payload: JSON.parse(JSON.stringify(batch.rows.at(-1)?.payload)) };
        report({ event: "commit.unknown", merges: batch.merges.length, failure: error.failure });
      }
      throw error;
    }
    if (fingerprint !== null) return fingerprint;
    throw new UnfitDatabase("append_changed", [
      `events_outbox lost our row ${last}, which it had just taken: a trigger or a rule on it moves or deletes rows; let rows of ` +
        "kind metric.* pass",
    ]);
  }

  function arrivalOf(
    { eventId, ageMs }: FoundMerge,
    foundBy: FoundBy,
    tookMs: number,
  ): Omit<Arrival, "batch"> {
    const isHighest = projection.isHighest(eventId);
    return {
      commit_to_record_ms: ageMs === null ? null : Math.round((ageMs + tookMs) * 10) / 10,
      late: !isHighest || foundBy === "reconciliation",
      found_by: foundBy,
    };
  }

  /** A batch as it is in the log now, where no last applied row would show a reset. Work items may have become null meanwhile. */
  async function asTheyAreNow(merges: readonly FoundMerge[]): Promise<readonly FoundMerge[]> {
    const ids = merges.map(({ eventId }) => BigInt(eventId));
    const found = await session.log.merges((ids[0] ?? 0n) - 1n, ids.at(-1) ?? 0n);
    const before = new Map(merges.map(({ eventId, workItemId }) => [eventId, workItemId]));
    return found.filter(({ eventId, workItemId: now }) => {
      const item = before.get(eventId);
      return item !== undefined && (now === item || now === null);
    });
  }

  return {
    /** Merges known to be due and not recorded yet. */
    due: () => due,
    /** The transaction whose COMMIT was not answered; null as long as every one was. */
    unanswered: () => unanswered,
    /** A poll begins: its first batch is a small one. */
    beginAnew: () => size.beginAnew(),
    /**
     * Records merges that are due, until `stop`, without those that peers have recorded since they were found.
     * @returns how many were recorded or skipped. @throws UnfitDatabase when the table takes no rows of ours any more.
     */
    record,
  };
}

/** Two parts of a batch that was refused, neither of them empty. */
function split(merges: readonly FoundMerge[]): readonly [readonly FoundMerge[], readonly FoundMerge[]] {
  const orphans = merges.filter(lacksItem);
  if (orphans.length > 0 && orphans.length < merges.length)
    return [merges.filter((merge) => !lacksItem(merge)), orphans];
  const middle = Math.ceil(merges.length / 2);
  return [merges.slice(0, middle), merges.slice(middle)];
}

/** @throws UnfitDatabase when the table does not take our rows. */
export function rehearse({ log, metrics, producer }: Session): Promise<Rehearsed> {
  return log.rehearse((item) => rehearsalRows(metrics, producer, item));
}

/** What became of a transaction, by its own last row: a peer may have recorded its merges meanwhile. */
export async function outcomeOf(
  log: OutboxLog,
  { id, payload }: Unanswered,
): Promise<"committed" | "aborted"> {
  const [row] = await log.journal(id - 1n, id);
  return isDeepStrictEqual(parseObject(row?.payload ?? null), payload) ? "committed" : "aborted";
}
