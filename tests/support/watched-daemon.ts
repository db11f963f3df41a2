/** A daemon that looks when it is told to, so that a test says what happens between two looks. */
import type { OutboxLog } from "../../src/outbox/outbox-log.ts";
import { startDaemon, type TestDaemon, type TestDaemonOptions } from "./daemon.ts";
import type { TestDatabase } from "./database.ts";
import { watchScans } from "./scan-looks.ts";
import { until } from "./until.ts";

export type WatchedDaemon = TestDaemon & {
  /** After which id the newest look read. */
  readonly readAfter: () => bigint;
  /** Resolves when a look (or so many) that begins after this call has been followed by its reading. */
  readonly looks: (count?: number) => Promise<void>;
};

/**
 * A daemon whose only reconciliation was made on the empty log: what comes late is found by the low
 * mark or not at all. It looks when it is told to.
 */
export async function startWatched(
  database: TestDatabase,
  options: TestDaemonOptions = {},
): Promise<WatchedDaemon> {
  let looks = 0;
  let readAfter = 0n;
  const wrap = (given: OutboxLog): OutboxLog => {
    const log = options.wrap?.(given) ?? given;
    const watched = watchScans(log, () => (looks += 1));
    return {
      ...watched,
      poll: (known) => {
        readAfter = known.after;
        return watched.poll(known);
      },
      // A poll reads what is new; what others may have brought below it is read by pages.
      pageEnd: (after, upTo, rows) => {
        if (after < readAfter) readAfter = after;
        return log.pageEnd(after, upTo, rows);
      },
    };
  };
  const daemon = startDaemon(database, { pollIntervalMs: 600_000, ...options, wrap });
  await daemon.event("reconciliation.completed");
  return Object.assign(daemon, {
    readAfter: () => readAfter,
    looks: async (count = 1) => {
      // The bell may ring while a look is under way: the one after it begins after this call.
      for (let target = looks + 1, last = looks + 1 + count; target <= last; target += 1) {
        await until("a look", () => {
          daemon.ring();
          return looks >= target;
        });
      }
    },
  });
}
