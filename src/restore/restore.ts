/**
 * Restore: the journal into memory, and what is known of the merges that are recorded. Three ways lead there, and this file chooses among them:
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
 *
 * Which merges are recorded is taken from the newest checkpoint, whichever one memory began with: it says so of all merges
 * up to its own place, and the rows after it of the others.
 */
import { type CheckpointPayload, parseCheckpoint } from "../core/checkpoint.ts";
import { Coverage, readCoverage } from "../core/coverage.ts";
import { BEFORE_ALL, idOrNull } from "../core/event-id.ts";
import { eventOf, parseJournalRow } from "../core/journal-row.ts";
import type { MetricSettings } from "../core/metric.ts";
import type { CheckpointInLog, JournalReader } from "../outbox-log.ts";
import { pagesAfter } from "../pages.ts";
import { fromCheckpoint } from "./from-checkpoint.ts";
import { fromFacts } from "./from-facts.ts";
import { fromRows } from "./from-rows.ts";
import { type Folded, type Journal, type Known, type Restored, TAIL_ROWS } from "./restored.ts";

export type RestoreEvents = Pick<Journal, "passed"> & {
  /** A checkpoint does not serve. */
  readonly unusable: (rowId: string, reason: string) => void;
};

/** Merges whose rows every restore checks. */
const CHECKED_MERGES = 100;
/** More rows than a merge has. */
const NEWEST_ROWS = 16;
/** Checkpoints that are looked at: each orderly stop may leave one. */
const MOST_CHECKPOINTS = 1_000;

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
  const checkpoints = new Checkpoints(log, newest);
  const folded = await foldJournal(journal, checkpoints, events);
  return { ...folded, known: await knownMerges(journal, folded, checkpoints) };
}

/** The checkpoints of a log, newest first, read as far as they were asked for. */
class Checkpoints {
  readonly #log: JournalReader;
  readonly #rest: AsyncIterator<CheckpointInLog>;
  readonly #read: CheckpointInLog[] = [];

  /** One that is written meanwhile stands for rows beyond those that are folded. */
  constructor(log: JournalReader, newest: bigint) {
    this.#log = log;
    this.#rest = log.checkpoints(newest)[Symbol.asyncIterator]();
  }

  /** The newest one that matches. */
  async first(matches: (checkpoint: CheckpointInLog) => boolean): Promise<CheckpointInLog | null> {
    for await (const checkpoint of this.all()) if (matches(checkpoint)) return checkpoint;
    return null;
  }

  async *all(): AsyncGenerator<CheckpointInLog> {
    for (let index = 0; index < MOST_CHECKPOINTS; index += 1) {
      const checkpoint = this.#read[index] ?? (await this.#next());
      if (checkpoint === null) return;
      yield checkpoint;
    }
  }

  /** The newest one that can be read, and knows of no merge after this one. */
  async newest(seq: number): Promise<CheckpointPayload | null> {
    for await (const { rowId } of this.all()) {
      const payload = parseCheckpoint(await this.#log.checkpoint(rowId));
      if (typeof payload !== "string" && payload.seq <= seq) return payload;
    }
    return null;
  }

  async #next(): Promise<CheckpointInLog | null> {
    const { done, value } = await this.#rest.next();
    if (done === true) return null;
    this.#read.push(value);
    return value;
  }
}

async function foldJournal(
  journal: Journal,
  checkpoints: Checkpoints,
  events: RestoreEvents,
): Promise<Folded> {
  let suspect = false;
  const tried = async (checkpoint: CheckpointInLog): Promise<Folded | null> => {
    const outcome = await fromCheckpoint(journal, checkpoint);
    if (!("unusable" in outcome)) return outcome;
    events.unusable(checkpoint.rowId, outcome.unusable);
    suspect ||= outcome.contradicted;
    return null;
  };

  const newest = await checkpoints.first(() => true);
  // Where its row is not near the end, the newest merge is at least as far as the newest checkpoint, unless rows are gone.
  const seq = (await newestSeq(journal)) ?? newest?.seq ?? 0;
  const farEnoughBack = await checkpoints.first((checkpoint) => checkpoint.seq <= seq - CHECKED_MERGES);
  const shortened = farEnoughBack === null ? null : await tried(farEnoughBack);
  if (shortened !== null && shortened.walk.analyzer.global.seq >= seq) return shortened;

  const fromFactsAlone = suspect ? null : await fromFacts(journal, seq, BigInt(newest?.rowId ?? 0));
  const unaided = fromFactsAlone ?? (await fromRows(journal));
  const { truncated, global } = unaided.walk.analyzer;
  const empty = global.seq === 0;
  if (!truncated && !empty) return unaided;
  for await (const checkpoint of checkpoints.all()) {
    if (!empty && checkpoint.seq > global.seq) continue;
    const continued = checkpoint === farEnoughBack ? shortened : await tried(checkpoint);
    if (continued !== null) return continued;
  }
  return unaided;
}

async function knownMerges(journal: Journal, folded: Folded, checkpoints: Checkpoints): Promise<Known> {
  const { analyzer, floor } = folded.walk;
  const checkpoint = await checkpoints.newest(analyzer.global.seq);
  const coverage = checkpoint === null ? null : readCoverage(checkpoint);
  if (checkpoint === null || coverage === null) {
    const nothingRecorded = analyzer.global.seq === 0 && analyzer.skipped === 0;
    return {
      coverage: new Coverage(floor ?? BEFORE_ALL, folded.events ?? []),
      fromCheckpoint: false,
      exact: nothingRecorded,
      floor,
      begins: analyzer.truncated ? null : folded.firstRow,
      pruned: analyzer.truncated,
    };
  }
  const recorded = folded.events ?? (await eventsAfter(journal, BigInt(checkpoint.row_id)));
  for (const event of recorded) coverage.add(event);
  return {
    coverage,
    fromCheckpoint: true,
    exact: true,
    floor: idOrNull(checkpoint.floor),
    begins: idOrNull(checkpoint.journal_begins),
    pruned: checkpoint.journal_begins === null,
  };
}

/** The events that the rows after one record. */
async function eventsAfter({ log, newest }: Journal, row: bigint): Promise<Set<bigint>> {
  const events = new Set<bigint>();
  for await (const { after, end } of pagesAfter(log, row, newest)) {
    for (const raw of await log.journal(after, end)) {
      const event = eventOf(parseJournalRow(raw));
      if (event !== null) events.add(BigInt(event));
    }
  }
  return events;
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
