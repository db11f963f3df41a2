/**
 * A recorder's memory from its log: which journal is restored, and what is told of it.
 * `restore.ts` is the same for the daemon and for commands that only read; this is what a writer needs besides.
 *
 * The lock is taken for a moment first: once it is granted no row of ours is on its way, so every journal row there
 * is has an id up to the newest visible one, and every later one will have a higher id.
 */
import type { Clock } from "../clock.ts";
import type { Analyzer } from "../core/analyzer.ts";
import type { MetricSettings } from "../core/metric.ts";
import type { Report } from "../daemon-event.ts";
import type { OutboxLog } from "../outbox-log.ts";
import { Progress } from "../progress.ts";
import { restore } from "../restore/restore.ts";
import type { Restored } from "../restore/restored.ts";
import { JournalMemory } from "./journal-memory.ts";
import { lasting } from "./lasting.ts";

type RestoredMemory = { readonly memory: JournalMemory; readonly restored: Restored };

/** @throws UnfitLog when the journal contradicts itself or is a newer version's. */
export function restoreMemory(
  log: OutboxLog,
  metrics: readonly MetricSettings[],
  report: Report,
  clock: Clock,
): Promise<RestoredMemory> {
  return lasting(() => readMemory(log, metrics, report, clock));
}

async function readMemory(
  log: OutboxLog,
  metrics: readonly MetricSettings[],
  report: Report,
  clock: Clock,
): Promise<RestoredMemory> {
  const startedAt = clock.monotonic();
  report({ event: "restore.started" });
  const newest = await newestUnderLock(log);
  const progress = new Progress(clock.monotonic, 0n, newest, (figures) =>
    report({ event: "restore.progress", ...figures }),
  );
  const restored = await restore(log, metrics, newest, {
    passed: (id) => progress.at(id),
    passedOver: (row_id, reason) => report({ event: "checkpoint.passed_over", row_id, reason }),
  });
  const { replay, fromCheckpoint } = restored;
  const { analyzer } = replay;
  if (analyzer.truncated) report({ event: "history.truncated", first_seq: oldestSeq(analyzer) });
  if (replay.foreign > 0) report({ event: "journal.unmarked_rows_ignored", rows: replay.foreign });
  report({
    event: "restore.completed",
    seq: analyzer.global.seq,
    merges: replay.merges,
    from_checkpoint: fromCheckpoint?.seq ?? null,
    projects: analyzer.projects.size,
    skipped: analyzer.skipped,
    took_ms: Math.round(clock.monotonic() - startedAt),
  });
  return { memory: new JournalMemory(log, report, restored, newest), restored };
}

/** The newest row of the log at a moment when nobody has a row of ours on its way. */
async function newestUnderLock(log: OutboxLog): Promise<bigint> {
  await log.beginLocked();
  const newest = await log.newest();
  await log.rollback();
  return newest;
}

/** Of the merges that memory still has. */
function oldestSeq({ global }: Analyzer): number {
  return global.seq - global.ring.length + 1;
}
