/**
 * Restore: the journal becomes memory, together with what is known of the merges that are recorded. It begins with a checkpoint
 * from some way back, so that the rows of the newest merges are checked whatever it says: of 20 merges before values are served, of
 * 100 before anything is written. Without a usable one the facts alone (`from-facts.ts`), else all rows (`from-rows.ts`) are replayed.
 *
 * Rows that contradict a checkpoint may be wrong further back than the facts show, so then all rows decide. Where rows are gone from
 * the journal's old end, a checkpoint that is left knows more than they do. One that knows of merges after the newest row's does not
 * count: their rows are gone from the new end, and these merges are recorded again.
 */
import { parseJournalRow } from "../core/journal-row.ts";
import type { CheckpointInLog } from "../outbox/outbox-log.ts";
import { fromCheckpoint } from "./from-checkpoint.ts";
import { fromFacts } from "./from-facts.ts";
import { fromRows } from "./from-rows.ts";
import { knownMerges } from "./known-merges.ts";
import { type Journal, type Replayed, type Restored, TAIL_ROWS } from "./restored.ts";

export type RestoredJournal = Journal & {
  /** Merges whose rows are checked, if there are as many: see `CHECKED`. */
  readonly checked: number;
  /** Called for each checkpoint that is unusable. */
  readonly unusable: (rowId: string, reason: string) => void;
};

/** Merges whose rows are checked before values are served, and before anything is written. */
export const CHECKED = { toServe: 20, toWrite: 100 };
/** More rows than a merge has. */
const NEWEST_ROWS = 16;
/** Checkpoints that are considered: each orderly stop may leave one. */
const MOST_CHECKPOINTS = 1_000;

/**
 * Replays the journal's rows up to `newest`.
 * @throws UnfitLog when the journal contradicts itself or a newer version has written to it.
 */
export async function restore(journal: RestoredJournal): Promise<Restored> {
  const checkpoints = readOnce(journal.log.checkpoints(journal.newest));
  const replayed = await replay(journal, checkpoints);
  return { ...replayed, known: await knownMerges(journal, replayed, checkpoints()) };
}

/** Checkpoints, newest first, from the beginning at each call. */
type Checkpoints = () => AsyncGenerator<CheckpointInLog>;

/** Each checkpoint is read from the log when it is first needed, and only once. */
function readOnce(source: AsyncIterable<CheckpointInLog>): Checkpoints {
  const rest = source[Symbol.asyncIterator]();
  const read: CheckpointInLog[] = [];
  return async function* () {
    for (let index = 0; index < MOST_CHECKPOINTS; index += 1) {
      if (index === read.length) {
        const next = await rest.next();
        if (next.done === true) return;
        read.push(next.value);
      }
      yield read[index] as CheckpointInLog;
    }
  };
}

async function replay(
  journal: RestoredJournal,
  checkpoints: Checkpoints,
): Promise<Replayed & { readonly isProven: boolean }> {
  let suspect = false;
  const tried = async (checkpoint: CheckpointInLog): Promise<Replayed | null> => {
    const outcome = await fromCheckpoint(journal, checkpoint.rowId);
    if (!("unusable" in outcome)) return outcome;
    journal.unusable(checkpoint.rowId, outcome.unusable);
    suspect ||= outcome.contradicted;
    return null;
  };

  const newest = await first(checkpoints, () => true);
  // Where its row is not near the end, the newest merge is at least as far as the newest checkpoint, unless rows are gone.
  const seq = (await newestSeq(journal)) ?? newest?.seq ?? 0;
  const farEnoughBack = await first(checkpoints, (checkpoint) => checkpoint.seq <= seq - journal.checked);
  const shortened = farEnoughBack === null ? null : await tried(farEnoughBack);
  if (shortened !== null && shortened.walk.analyzer.global.seq >= seq)
    return { ...shortened, isProven: (shortened.startedFrom ?? 0) <= seq - CHECKED.toWrite };

  const factsAlone = suspect ? null : await fromFacts(journal, seq, BigInt(newest?.rowId ?? 0));
  const unaided = factsAlone ?? (await fromRows(journal));
  const { truncated, global } = unaided.walk.analyzer;
  const empty = global.seq === 0;
  if (!truncated && !empty) return { ...unaided, isProven: true };
  for await (const checkpoint of checkpoints()) {
    if (!empty && checkpoint.seq > global.seq) continue;
    const continued = checkpoint === farEnoughBack ? shortened : await tried(checkpoint);
    if (continued !== null) return { ...continued, isProven: true };
  }
  return { ...unaided, isProven: true };
}

async function first(
  checkpoints: Checkpoints,
  matches: (checkpoint: CheckpointInLog) => boolean,
): Promise<CheckpointInLog | null> {
  for await (const checkpoint of checkpoints()) if (matches(checkpoint)) return checkpoint;
  return null;
}

/** The newest merge's seq; null where its row is not near the end. */
async function newestSeq({ log, newest }: Journal): Promise<number | null> {
  for (const rows of [NEWEST_ROWS, TAIL_ROWS]) {
    const newestFirst = await log.newestJournal(rows, newest);
    for (const raw of newestFirst) {
      const row = parseJournalRow(raw);
      if (row.type === "metric" && row.scope === "global") return row.seq;
    }
    // The log has no more of them: asking for more would scan the same rows again.
    if (newestFirst.length < rows) break;
  }
  return null;
}
