/** Watches a daemon's looks: each scan begins with one. */
import type { OutboxLog } from "../../src/outbox-log.ts";

/** @param seen is told of every look, when its answer is there. */
export function watchScans(log: OutboxLog, seen: () => void): OutboxLog {
  return {
    ...log,
    look: async (head, after) => {
      const look = await log.look(head, after);
      seen();
      return look;
    },
  };
}
