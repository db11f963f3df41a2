/** Stops a daemon before the writers' lock when it has found merges to record; restoring is let through. */
import type { FoundMerge, OutboxLog } from "../../src/outbox-log.ts";

/** @param foundBy a look, which finds few merges, or the page that is read after it. */
export function stopsBeforeRecording(
  wait: () => Promise<void>,
  foundBy: "look" | "page" = "look",
): (log: OutboxLog) => OutboxLog {
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
      look: async (head, after, folded) => {
        const look = await log.look(head, after, folded);
        if (foundBy === "look") note(look.found);
        return look;
      },
      merges: async (after, upTo) => {
        const found = await log.merges(after, upTo);
        if (foundBy === "page") note(found);
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
