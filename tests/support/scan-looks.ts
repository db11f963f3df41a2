/**
 * Watches a daemon's looks: a restore asks for the newest id, and each scan begins with a look. The first write of all
 * asks for the newest id as well, under its lock; that one tells of no scan.
 */
import type { OutboxLog } from "../../src/outbox/outbox-log.ts";

/** @param seen is told of every look that begins something, when its answer is there. */
export function watchScans(log: OutboxLog, seen: () => void): OutboxLog {
  let recording = false;
  return {
    ...log,
    poll: async (known) => {
      const look = await log.poll(known);
      recording = look.found.length > 0;
      seen();
      return look;
    },
    newest: async () => {
      const newest = await log.newest();
      if (!recording) seen();
      return newest;
    },
  };
}
