/**
 * A recorder's memory from its log: which journal is restored, and what is told of it.
 * `restore.ts` is the same for the daemon and for commands that only read; this is what a writer needs besides.
 *
 * The lock is taken for a moment first: once it is granted no row of ours is on its way, so every journal row there
 * is has an id up to the newest visible one, and every later one will have a higher id.
 */
import type { Analyzer } from "../core/analyzer.ts";
import { BEFORE_ALL, idOrNull, LARGEST_ID } from "../core/event-id.ts";
import type { MetricSettings } from "../core/metric.ts";
import type { OutboxLog } from "../outbox-log.ts";
import { Progress } from "../progress.ts";
import { restore } from "../restore/restore.ts";
import type { Restored } from "../restore/restored.ts";
import { lasting } from "./lasting.ts";
import { Projection } from "./projection.ts";
import type { RecorderPorts } from "./recorder.ts";

/** @throws UnfitLog when the journal contradicts itself or is a newer version's. */
export function restoreMemory(
  log: OutboxLog,
  metrics: readonly MetricSettings[],
  ports: Pick<RecorderPorts, "report" | "clock">,
): Promise<Projection> {
  return lasting(() => readMemory(log, metrics, ports));
}

async function readMemory(
  log: OutboxLog,
  metrics: readonly MetricSettings[],
  { report, clock }: Pick<RecorderPorts, "report" | "clock">,
): Promise<Projection> {
  const startedAt = clock.monotonic();
  report({ event: "restore.started" });
  const oldest = (await log.oldest()) ?? log.leastId;
  let bounds: Bounds;
  let restored: Restored | null = null;
  let seqBefore: number | null;
  do {
    seqBefore = restored?.walk.analyzer.global.seq ?? null;
    bounds = await underLock(log);
    const progress = new Progress(clock.monotonic, oldest - 1n, bounds.newest, (figures) =>
      report({ event: "restore.progress", ...figures }),
    );
    restored = await restore(log, metrics, bounds.newest, {
      passed: (id) => progress.at(id),
      unusable: (row_id, reason) => report({ event: "checkpoint.unusable", row_id, reason }),
    });
  } while (await hasForgotten(log, restored, bounds.newest, seqBefore));
  const { newest, drawn } = bounds;
  const { walk, startedFrom } = restored;
  const { analyzer } = walk;
  if (analyzer.truncated) report({ event: "history.truncated", first_seq: oldestSeq(analyzer) });
  if (walk.unmarked > 0) report({ event: "journal.unmarked_rows_ignored", rows: walk.unmarked });
  report({
    event: "restore.completed",
    seq: analyzer.global.seq,
    merges: walk.merges,
    from_checkpoint: startedFrom,
    projects: analyzer.projects.size,
    skipped: analyzer.skipped,
    took_ms: Math.round(clock.monotonic() - startedAt),
  });
  const { coverage } = restored.known;
  if (coverage.low === BEFORE_ALL) coverage.rise((oldest < log.leastId ? oldest : log.leastId) - 1n);
  // Ids that are given by hand may be far above those of our rows to come.
  const folded = BigInt(restored.head?.id ?? BEFORE_ALL);
  const settled = drawn === null ? folded : newest < drawn ? newest : drawn;
  return new Projection(log, report, restored, settled > folded ? settled : folded);
}

/**
 * Whether retention may have taken rows while they were read, page by page: the newest row that was read is gone, a checkpoint has
 * been written meanwhile, or one knows of more merges. That one is right if it is so again: then the rows of these merges are gone.
 * What comes from a checkpoint may be without its rows; but one that was written meanwhile lets retention take rows that were not read.
 */
async function hasForgotten(
  log: OutboxLog,
  { head, known, walk }: Restored,
  newest: bigint,
  seqBefore: number | null,
): Promise<boolean> {
  const id = idOrNull(head?.id);
  if (!known.fromCheckpoint && id !== null && (await log.journal(id - 1n, id)).length === 0) return true;
  const { seq } = walk.analyzer.global;
  for await (const checkpoint of log.checkpoints(LARGEST_ID))
    return (
      BigInt(checkpoint.rowId) > newest ||
      (!known.fromCheckpoint && checkpoint.seq > seq && seq !== seqBefore)
    );
  return false;
}

type Bounds = { readonly newest: bigint; readonly drawn: bigint | null };

/** The newest row of the log, and the id that was drawn last, at a moment when no row of ours is on its way. */
async function underLock(log: OutboxLog): Promise<Bounds> {
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
