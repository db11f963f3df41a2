/** What the daemon reports of a failure, and which failures it cannot continue after. */
import { UnfitLog } from "../core/journal-row.ts";
import type { DaemonEvent } from "../events/daemon-event.ts";
import { meaningOf } from "../events/meaning.ts";
import { DatabaseFailure, LockBlocked, UnfitDatabase } from "../outbox/outbox-log.ts";
import { HistoryReset } from "./projection.ts";

export type Attempt = {
  /** Failures in a row, and when the next attempt follows. */
  readonly attempt: number;
  readonly retry_in_ms: number;
  /** Whether there was a connection, or it could not be made. */
  readonly isConnected: boolean;
};

/**
 * @param past whether the log was ever found fit to write to, and how many merges memory included last.
 * @returns null where the daemon cannot continue.
 */
export function failureEvent(
  error: unknown,
  { attempt, retry_in_ms, isConnected }: Attempt,
  { wasProven, seq }: { readonly wasProven: boolean; readonly seq: number },
): DaemonEvent | null {
  if (error instanceof HistoryReset)
    return { event: "history.reset", row_id: error.rowId, seq_before: seq, seq_now: null, lost: null };
  if (error instanceof UnfitDatabase && (wasProven || error.reason === "read_only_server"))
    return { event: "db.unfit", reason: error.reason, problems: error.problems, retry_in_ms };
  if (error instanceof UnfitLog && wasProven)
    return { event: "db.unfit", reason: error.reason, problems: [error.message], retry_in_ms };
  if (error instanceof LockBlocked) return { event: "writer.blocked", holders: error.holders, retry_in_ms };
  if (!(error instanceof DatabaseFailure)) return null;
  const { failure } = error;
  // A refusal is not an outage: the connection is given up, as after every failure, but the network is not the problem.
  const isRefusal = meaningOf(failure.code).policy === "refusal";
  const event = isConnected ? (isRefusal ? "db.refused" : "db.disconnected") : "db.connect_failed";
  return { event, failure, attempt, retry_in_ms };
}
