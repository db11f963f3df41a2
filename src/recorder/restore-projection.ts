/**
 * Restores the projection from the log. `restore/restore.ts` is the same for the daemon and for commands that only read; a
 * writer needs two things besides.
 *
 * # Where the journal ends
 *
 * First the writers' lock is taken for a moment. Once it is granted, no row of ours is still uncommitted: every row of the
 * journal has an id up to the newest visible one, and every later row will have a higher id.
 *
 * # Rows that retention deletes meanwhile
 *
 * The journal is read page by page. If rows may have gone before they were read, it is read again.
 */
import { BEFORE_ALL, idOrNull, LARGEST_ID } from "../core/event-id.ts";
import type { DaemonEvent, Report } from "../events/daemon-event.ts";
import type { OutboxLog } from "../outbox/outbox-log.ts";
import { Progress } from "../progress.ts";
import { lasting } from "../restore/lasting.ts";
import { CHECKED, restore } from "../restore/restore.ts";
import type { Restored } from "../restore/restored.ts";
import { Projection } from "./projection.ts";
import type { Session } from "./session.ts";

/** The newest row of the log, and the id that was drawn last, at a moment when no row of ours was uncommitted. */
type JournalEnd = { readonly newest: bigint; readonly drawn: bigint | null };

type ReadJournal = { readonly end: JournalEnd; readonly restored: Restored };

/**
 * Restores as much as is needed to serve values; only a proven projection may be the basis of a write.
 * @param isSuspect the log has contradicted itself: values are not served before all is checked that a write needs.
 * @throws UnfitLog when the journal contradicts itself or a newer version has written to it.
 */
export function restoreProjection(session: Session, isSuspect: boolean): Promise<Projection> {
  return restoreChecked(session, isSuspect ? CHECKED.toWrite : CHECKED.toServe, session.report);
}

/** The same, proven. What the restore before it reported is not reported again. @throws UnfitLog */
export function proveProjection(session: Session): Promise<Projection> {
  return restoreChecked(session, CHECKED.toWrite, (event) => {
    if (NEWS.has(event.event)) session.report(event);
  });
}

const NEWS: ReadonlySet<DaemonEvent["event"]> = new Set(["restore.progress", "checkpoint.unusable"]);

function restoreChecked(session: Session, checked: number, report: Report): Promise<Projection> {
  return lasting(async () => {
    const { log, clock } = session;
    const startedAt = clock.monotonic();
    report({ event: "restore.started" });
    const oldest = (await log.oldest()) ?? log.leastId;
    const { end, restored } = await readJournal({ ...session, report }, oldest, checked);
    const { walk, known, lastApplied, startedFrom: from_checkpoint } = restored;
    const { merges, unmarked } = walk;
    const { global, truncated, skipped, projects } = walk.analyzer;
    const { seq } = global;
    if (truncated) report({ event: "history.truncated", first_seq: seq - global.ring.length + 1 });
    if (unmarked > 0) report({ event: "journal.unmarked_rows_ignored", rows: unmarked });
    const took_ms = Math.round(clock.monotonic() - startedAt);
    const figures = { seq, merges, from_checkpoint, projects: projects.size, skipped, took_ms };
    report({ event: "restore.completed", ...figures });
    const { coverage } = known;
    if (coverage.low === BEFORE_ALL) coverage.rise((oldest < log.leastId ? oldest : log.leastId) - 1n);
    const applied = BigInt(lastApplied?.id ?? BEFORE_ALL);
    const settled = settledAt(end);
    return new Projection(session, restored, settled > applied ? settled : applied);
  });
}

/** Up to where no row of ours can appear any more. Ids that are given by hand may be far above those of our rows to come. */
function settledAt({ newest, drawn }: JournalEnd): bigint {
  if (drawn === null) return BEFORE_ALL;
  return newest < drawn ? newest : drawn;
}

/** Reads until no row can have gone meanwhile. */
async function readJournal(
  { log, metrics, report, clock }: Session,
  oldest: bigint,
  checked: number,
): Promise<ReadJournal> {
  let seqBefore: number | null = null;
  for (;;) {
    const end = await journalEnd(log);
    const progress = new Progress(clock.monotonic, oldest - 1n, end.newest, (figures) =>
      report({ event: "restore.progress", ...figures }),
    );
    const restored = await restore({
      log,
      metrics,
      newest: end.newest,
      checked,
      passed: (id) => progress.at(id),
      unusable: (row_id, reason) => report({ event: "checkpoint.unusable", row_id, reason }),
    });
    const { seq } = restored.walk.analyzer.global;
    const lacks = await mayLack(log, restored, end.newest);
    // If the same merges are unknown again, their rows are gone from the log, and not only from this reading.
    if (lacks === "nothing" || (lacks === "merges" && seq === seqBefore)) return { end, restored };
    seqBefore = lacks === "merges" ? seq : null;
  }
}

async function journalEnd(log: OutboxLog): Promise<JournalEnd> {
  await log.beginLocked();
  const newest = await log.newest();
  const drawn = await log.drawn();
  await log.rollback();
  return { newest, drawn };
}

/**
 * What retention may have deleted before it was read: any rows, where the newest row that was read is gone, or a checkpoint has
 * been written meanwhile, which lets retention delete rows that were not read; or the merges that a checkpoint knows of in
 * addition. What comes from a checkpoint needs no rows.
 */
async function mayLack(
  log: OutboxLog,
  { lastApplied, known: { fromCheckpoint }, walk }: Restored,
  newest: bigint,
): Promise<"nothing" | "rows" | "merges"> {
  const id = idOrNull(lastApplied?.id);
  if (!fromCheckpoint && id !== null && (await log.journal(id - 1n, id)).length === 0) return "rows";
  for await (const { rowId, seq } of log.checkpoints(LARGEST_ID)) {
    if (BigInt(rowId) > newest) return "rows";
    return !fromCheckpoint && seq > walk.analyzer.global.seq ? "merges" : "nothing";
  }
  return "nothing";
}
