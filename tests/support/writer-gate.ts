/** Stops a daemon before the writers' lock whenever it has found merges to record; restoring is let through. */
import type { FoundMerge, OutboxLog } from "../../src/outbox-log.ts";

export function stopsBeforeRecording(wait: () => Promise<void>): (log: OutboxLog) => OutboxLog {
  return (log) => {
    let due = 0;
    const note = (found: readonly FoundMerge[]): void => {
      due = found.filter((one) => one.recordedAs === null).length;
    };
    const stop = async (): Promise<void> => {
      if (due > 0) await wait();
      due = 0;
    };
    return {
      ...log,
      look: async (head, after) => {
        const look = await log.look(head, after);
        note(look.found);
        return look;
      },
      merges: async (after, upTo) => {
        const found = await log.merges(after, upTo);
        note(found);
        return found;
      },
      beginLocked: async () => {
        await stop();
        await log.beginLocked();
      },
      beginFenced: async (head, after) => {
        await stop();
        return log.beginFenced(head, after);
      },
    };
  };
}
