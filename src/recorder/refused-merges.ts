/**
 * Merges that the table refused: by a constraint or a trigger, or because another transaction has locked a row. Each is
 * retried at growing intervals. One poll spends little time on retries, so new merges need not wait for all of them.
 */
import type { Coverage } from "../core/coverage.ts";
import type { Failure } from "../events/fields.ts";
import type { FoundMerge } from "../outbox/outbox-log.ts";
import type { Session } from "./session.ts";

const FIRST_RETRY_MS = 250;
const LAST_RETRY_MS = 60_000;
/** How long one poll retries. */
const RETRY_FOR_MS = 100;

export type RefusedMerges = ReturnType<typeof refusedMerges>;

/** @param coverage those that an earlier connection left unrecorded are retried at once. */
export function refusedMerges({ clock, report, reported }: Session, coverage: Coverage) {
  const refused = new Map<bigint, { readonly times: number; readonly retryAt: number }>();
  for (const eventId of coverage.unrecorded) refused.set(eventId, { times: 0, retryAt: clock.monotonic() });
  return {
    count: () => refused.size,
    has: ({ eventId }: FoundMerge) => refused.has(BigInt(eventId)),

    add({ eventId, workItemId }: FoundMerge, failure: Failure): void {
      const id = BigInt(eventId);
      const times = refused.get(id)?.times ?? 0;
      const retry_in_ms = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** times);
      refused.set(id, { times: times + 1, retryAt: clock.monotonic() + retry_in_ms });
      coverage.except(id);
      if (reported.first("refused", eventId, failure.code))
        report({ event: "merge.refused", event_id: eventId, work_item_id: workItemId, failure, retry_in_ms });
    },

    /** It is recorded by now, or gone. */
    delete(eventId: bigint): void {
      refused.delete(eventId);
      coverage.forget(eventId);
      reported.over("refused", String(eventId));
    },

    /** Those whose retry is due, the longest overdue first; those that are not reached in time remain due. */
    *dueForRetry(): Generator<bigint> {
      const now = clock.monotonic();
      const due = [...refused].filter(([, { retryAt }]) => retryAt <= now);
      for (const [eventId] of due.toSorted(([, a], [, b]) => a.retryAt - b.retryAt)) {
        if (clock.monotonic() - now > RETRY_FOR_MS) return;
        yield eventId;
      }
    },

    /** Milliseconds until the next retry; `Infinity` where there is none. */
    nextRetryInMs(): number {
      let next = Number.POSITIVE_INFINITY;
      for (const { retryAt } of refused.values()) next = Math.min(next, retryAt);
      return Math.max(0, next - clock.monotonic());
    },
  };
}
