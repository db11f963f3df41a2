/**
 * Watches a daemon's looks: a restore and each scan begin with one. The first write of all looks as well, under its lock;
 * that one tells of no scan.
 */
import type { OutboxLog } from "../../src/outbox-log.ts";

/** @param seen is told of every look that begins something, when its answer is there. */
export function watchScans(log: OutboxLog, seen: () => void): OutboxLog {
  let writing = false;
  let found = false;
  return {
    ...log,
    merges: (after, upTo) => {
      found = true;
      return log.merges(after, upTo);
    },
    beginLocked: async () => {
      await log.beginLocked();
      writing = true;
    },
    commit: async () => {
      await log.commit();
      writing = false;
    },
    rollback: async () => {
      await log.rollback();
      writing = false;
    },
    look: async (head) => {
      const look = await log.look(head);
      if (!writing || !found) seen();
      return look;
    },
  };
}
