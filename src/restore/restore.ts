/**
 * Restore: the journal into memory. Three ways lead there, and this file chooses among them:
 *
 *   from a checkpoint   (`restore/from-checkpoint.ts`)   its memory, and the rows after it
 *   from the facts      (`restore/from-facts.ts`)        of a long journal one row of each merge, and the newest rows
 *   from the rows       (`restore/from-rows.ts`)         every row of the journal
 *
 * The checkpoint is taken from some way back, so that the rows of the newest 100 merges are folded and checked whatever
 * it says. If it does not serve or the rows after it contradict it, the journal without it decides; only when that
 * contradicts itself, the log is unfit. Rows that contradicted a checkpoint may be wrong further back than the facts' way
 * looks: then every row is folded.
 *
 * When rows have gone from the journal's old end, a checkpoint that is left knows more than the rows do. Not so one that
 * knows of merges after the newest row's: rows went from the new end then, and their merges are recorded again.
 */
import { parseJournalRow } from "../core/journal-row.ts";
import type { MetricSettings } from "../core/metric.ts";
import type { CheckpointInLog, JournalReader } from "../outbox-log.ts";
import { fromCheckpoint } from "./from-checkpoint.ts";
import { fromFacts } from "./from-facts.ts";
import { fromRows } from "./from-rows.ts";
import { type Journal, type Restored, TAIL_ROWS } from "./restored.ts";

export type RestoreEvents = Pick<Journal, "passed"> & {
  /** A checkpoint does not serve. */
  readonly passedOver: (rowId: string, reason: string) => void;
};

/** Merges whose rows every restore checks. */
const CHECKED_MERGES = 100;
/** More rows than a merge has. */
const NEWEST_ROWS = 16;
const CHECKPOINTS_CONSIDERED = 4;

/**
 * Folds the journal's rows up to `newest`.
 * @throws UnfitLog when the journal contradicts itself or is a newer version's.
 */
export async function restore(
  log: JournalReader,
  metrics: readonly MetricSettings[],
  newest: bigint,
  events: RestoreEvents,
): Promise<Restored> {
  const journal: Journal = { log, metrics, newest, passed: events.passed };
  // One that somebody has written meanwhile stands for rows beyond those that are folded here.
  const checkpoints = (await log.checkpoints(CHECKPOINTS_CONSIDERED)).filter(
    ({ rowId }) => BigInt(rowId) <= newest,
  );
  const reached = checkpoints.reduce((high, { lowMark }) => (lowMark > high ? lowMark : high), 0n);
  let suspect = false;
  const tried = async (checkpoint: CheckpointInLog): Promise<Restored | null> => {
    const outcome = await fromCheckpoint(journal, checkpoint, reached);
    if (!("passedOver" in outcome)) return outcome;
    events.passedOver(checkpoint.rowId, outcome.passedOver);
    suspect ||= outcome.contradicted;
    return null;
  };

  // Where its row is not near the end, the newest merge is at least as far as the newest checkpoint, unless rows are gone.
  const seq = (await newestSeq(journal)) ?? checkpoints[0]?.seq ?? 0;
  const farEnoughBack = checkpoints.find((checkpoint) => checkpoint.seq <= seq - CHECKED_MERGES);
  const shortened = farEnoughBack === undefined ? null : await tried(farEnoughBack);
  if (shortened !== null && shortened.replay.analyzer.global.seq >= seq) return shortened;

  const fromFactsAlone = suspect ? null : await fromFacts(journal, seq, checkpoints);
  const unaided = fromFactsAlone ?? (await fromRows(journal));
  const { truncated, global } = unaided.replay.analyzer;
  const empty = global.seq === 0;
  if (!truncated && !empty) return unaided;
  for (const checkpoint of checkpoints) {
    if (!empty && checkpoint.seq > global.seq) continue;
    const continued = checkpoint === farEnoughBack ? shortened : await tried(checkpoint);
    if (continued !== null) return continued;
  }
  return unaided;
}

/** The place in the order of the newest merge; null where its row is not near the end. */
async function newestSeq({ log, newest }: Journal): Promise<number | null> {
  for (const rows of [NEWEST_ROWS, TAIL_ROWS]) {
    const newestFirst = await log.newestJournal(rows);
    for (const raw of newestFirst) {
      if (BigInt(raw.id) > newest) continue;
      const row = parseJournalRow(raw);
      if (row.type === "metric" && row.scope === "global") return row.seq;
    }
    // There are no more: asking for them would pass the same rows of the log again.
    if (newestFirst.length < rows) break;
  }
  return null;
}
