/**
 * A recorder's memory from its log: which journal is restored, and what is told of it.
 * `restore.ts` is the same for the daemon and for commands that only read; this is what a writer needs besides.
 *
 * The lock is taken for a moment first: once it is granted no row of ours is on its way, so every journal row there
 * is has an id up to the newest visible one, and every later one will have a higher id.
 */
import type { Analyzer } from "../core/analyzer.ts";
import { BEFORE_ALL } from "../core/event-id.ts";
import type { MetricSettings } from "../core/metric.ts";
import type { OutboxLog } from "../outbox-log.ts";
import { Progress } from "../progress.ts";
import { restore } from "../restore/restore.ts";
import { JournalMemory } from "./journal-memory.ts";
import { lasting } from "./lasting.ts";
import type { RecorderPorts } from "./recorder.ts";

/** @throws UnfitLog when the journal contradicts itself or is a newer version's. */
export function restoreMemory(
  log: OutboxLog,
  metrics: readonly MetricSettings[],
  ports: Pick<RecorderPorts, "report" | "clock">,
): Promise<JournalMemory> {
  return lasting(() => readMemory(log, metrics, ports));
}

async function readMemory(
  log: OutboxLog,
  metrics: readonly MetricSettings[],
  { report, clock }: Pick<RecorderPorts, "report" | "clock">,
): Promise<JournalMemory> {
  const startedAt = clock.monotonic();
  report({ event: "restore.started" });
  const { newest, drawn } = await underLock(log);
  const oldest = (await log.oldest()) ?? log.leastId;
  const progress = new Progress(clock.monotonic, oldest - 1n, newest, (figures) =>
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
  const { coverage } = restored.known;
  if (coverage.low === BEFORE_ALL) coverage.rise((oldest < log.leastId ? oldest : log.leastId) - 1n);
  // Ids that are given by hand may be far above those of our rows to come.
  const folded = BigInt(restored.head?.id ?? BEFORE_ALL);
  const settled = drawn === null ? folded : newest < drawn ? newest : drawn;
  return new JournalMemory(log, report, restored, settled > folded ? settled : folded);
}

/** The newest row of the log, and the id that was drawn last, at a moment when no row of ours is on its way. */
async function underLock(log: OutboxLog): Promise<{ newest: bigint; drawn: bigint | null }> {
  await log.beginLocked();
  const newest = await log.newest();
  const drawn = await log.drawn();
  await log.rollback();
  return { newest, drawn };
}

/** Of the merges that memory still has. */
function oldestSeq({ global }: Analyzer): number {
  return global.seq - global.ring.length + 1;
}
