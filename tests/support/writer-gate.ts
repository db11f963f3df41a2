/** Stops a daemon on its way to a write: before it looks, before the lock, or when the rows are appended. */
import type { FoundMerge, OutboxLog } from "../../src/outbox/outbox-log.ts";

/** @param when asked at each look, with the applied position. */
export function stopsBeforeLook(
  wait: () => Promise<void>,
  when: (appliedPosition: bigint) => boolean,
): (log: OutboxLog) => OutboxLog {
  return (log) => ({
    ...log,
    poll: async (known) => {
      if (when(known.appliedPosition)) await wait();
      return log.poll(known);
    },
  });
}

/** Before the writers' lock when it has found merges to record; restoring is let through. @param foundBy a look, which finds few merges, or the page that is read after it. */
export function stopsBeforeRecording(
  wait: () => Promise<void>,
  foundBy: "look" | "page" = "look",
): (log: OutboxLog) => OutboxLog {
  return (log) => {
    let due = 0;
    let writing = false;
    const note = (found: readonly FoundMerge[]): void => {
      due = found.filter((one) => one.recordedAs === null).length;
    };
    const stop = async (): Promise<void> => {
      if (due > 0) await wait();
      due = 0;
    };
    return {
      ...log,
      poll: async (known) => {
        const look = await log.poll(known);
        if (foundBy === "look") note(look.found);
        return look;
      },
      merges: async (after, upTo) => {
        const found = await log.merges(after, upTo);
        // The first write of all reads under its lock what it is about to record.
        if (foundBy === "page" && !writing) note(found);
        return found;
      },
      beginLocked: async () => {
        await stop();
        await log.beginLocked();
        writing = true;
      },
      beginFenced: async (lastApplied, after) => {
        await stop();
        writing = true;
        return log.beginFenced(lastApplied, after);
      },
      commit: async (last) => {
        const fingerprint = await log.commit(last);
        writing = false;
        return fingerprint;
      },
      rollback: async () => {
        await log.rollback();
        writing = false;
      },
    };
  };
}

/** While it holds the lock: its rows are appended, and not yet visible to others. */
export function stopsBeforeCommit(wait: () => Promise<void>): (log: OutboxLog) => OutboxLog {
  return (log) => ({
    ...log,
    append: async (rows) => {
      const appended = await log.append(rows);
      await wait();
      return appended;
    },
  });
}
