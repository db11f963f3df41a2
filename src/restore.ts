/**
 * Restore: the journal into memory, from a checkpoint where one serves, else from its beginning.
 *
 * The checkpoint is taken from some way back, so that the rows of the newest 100 merges are folded and checked whatever
 * it says. If it does not serve or the rows after it contradict it, the whole journal is folded instead; only when that
 * contradicts itself, the log is unfit. When rows have gone from the journal's old end, any checkpoint that is left
 * knows more than they do.
 *
 * A long journal without such a checkpoint is not read whole either: its facts are, and its newest rows; see
 * `core/facts-replay.ts`.
 */
import { createHash } from "node:crypto";
import { Analyzer, type JournalNeeds } from "./core/analyzer.ts";
import { analyzerFrom, type CheckpointPayload, parseCheckpoint } from "./core/checkpoint.ts";
import { FactsReplay, factsSource } from "./core/facts-replay.ts";
import {
  type JournalRow,
  type MetricRow,
  parseJournalRow,
  type RawJournalRow,
  UnfitLog,
} from "./core/journal-row.ts";
import type { MetricSettings } from "./core/metric.ts";
import { Recent } from "./core/recent.ts";
import { journalNeeds, Replay } from "./core/replay.ts";
import type { CheckpointInLog, Head, OutboxLog } from "./outbox-log.ts";

/** The part of a log that reading needs. */
export type JournalReader = Pick<
  OutboxLog,
  | "newest"
  | "pageEnd"
  | "merges"
  | "journal"
  | "newestJournal"
  | "long"
  | "facts"
  | "setsOf"
  | "checkpoints"
  | "checkpoint"
>;

export type Restored = {
  readonly replay: Replay;
  /** The newest row of the journal. */
  readonly head: Head | null;
  /** Every merge up to this id is recorded. */
  readonly lowMark: bigint;
  /** Merges up to this id count as recorded, as their rows went from the old end. */
  readonly floor: bigint;
  /** The checkpoint that the fold began with; null where it began with the first row. */
  readonly fromCheckpoint: { readonly seq: number; readonly rowId: bigint } | null;
  /** The last of the merges that were folded. */
  readonly recent: Recent;
};

export type RestoreEvents = {
  /** Every outbox row up to here has been passed. */
  readonly passed: (id: bigint) => void;
  readonly passedOver: (rowId: string, reason: string) => void;
};

/** Outbox rows that one reading statement passes: some tens of milliseconds, a few megabytes. */
export const PAGE_ROWS = 20_000;
/** Merges whose rows every restore checks. */
const CHECKED_MERGES = 100;
/** More rows than 100 merges have. */
const TAIL_ROWS = 800;
/** More rows than a merge has. */
const NEWEST_ROWS = 16;
const CHECKPOINTS_CONSIDERED = 4;
/** Rows of the largest sets of 100 merges, and some beside them. */
const LONG_TAIL_ROWS = 1_600;
/** Rows of facts after which it is told how far they have come. */
const ROWS_TOLD = 1_000;
/** Projects whose newest rows are looked for by one statement. */
const PROJECTS_AT_ONCE = 500;

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
  // One that somebody has written meanwhile stands for rows beyond those that are folded here.
  const places = (await log.checkpoints(CHECKPOINTS_CONSIDERED)).filter(
    ({ rowId }) => BigInt(rowId) <= newest,
  );
  const fold = new Fold(log, metrics, newest, events, places);
  const seq = await newestSeq(log, newest);
  const place = places.find((candidate) => candidate.seq <= seq - CHECKED_MERGES);
  const shortened = place === undefined ? null : await fold.from(place);
  if (shortened !== null) return shortened;
  const whole = (await fold.fromFacts(seq)) ?? (await fold.whole());
  const { truncated, global } = whole.replay.analyzer;
  if (!truncated && places.every((candidate) => candidate.seq <= global.seq)) return whole;
  for (const candidate of places) {
    const continued = candidate === place ? null : await fold.from(candidate);
    if (continued !== null) return continued;
  }
  return whole;
}

/** The place in the order of the newest merge up to `newest`; 0 where its row is not near the end. */
async function newestSeq(log: JournalReader, newest: bigint): Promise<number> {
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
  return 0;
}

type Page = {
  readonly raws: readonly RawJournalRow[];
  readonly rows: readonly JournalRow[];
  readonly end: bigint;
};

/** The newest rows of a journal, oldest first, and from where on they follow the newest merge that is not among them. */
type Tail = {
  readonly raws: readonly RawJournalRow[];
  readonly rows: readonly JournalRow[];
  /** The set of that merge, and the id of its last row. */
  readonly set: readonly MetricRow[];
  readonly setEnd: string;
  readonly from: number;
};

class Fold {
  readonly #log: JournalReader;
  readonly #metrics: readonly MetricSettings[];
  readonly #newest: bigint;
  readonly #events: RestoreEvents;
  readonly #places: readonly CheckpointInLog[];
  /** Whether rows contradicted a checkpoint, so that what is wrong may lie further back than the newest 100 merges. */
  #suspect = false;

  constructor(
    log: JournalReader,
    metrics: readonly MetricSettings[],
    newest: bigint,
    events: RestoreEvents,
    places: readonly CheckpointInLog[],
  ) {
    this.#log = log;
    this.#metrics = metrics;
    this.#newest = newest;
    this.#events = events;
    this.#places = places;
  }

  async whole(): Promise<Restored> {
    const first = await this.#page(0n);
    const replay = new Replay(new Analyzer(this.#metrics, await this.#needs(first)));
    const recent = new Recent();
    const head = await this.#accept(replay, recent, first, null);
    const { floor } = replay;
    return { replay, head, lowMark: floor, floor, fromCheckpoint: null, recent };
  }

  /** @param seq the newest merge's. @returns null where the facts alone do not serve: then the whole journal decides. */
  async fromFacts(seq: number): Promise<Restored | null> {
    const { merges, checked } = this.#log.long;
    const source = factsSource(this.#metrics);
    if (this.#suspect || seq < merges || source === null) return null;
    try {
      const tail =
        (await this.#tail(seq - checked, TAIL_ROWS)) ?? (await this.#tail(seq - checked, LONG_TAIL_ROWS));
      if (tail === null) return null;
      const checkpointRow = Math.max(0, ...this.#places.map(({ rowId }) => Number(rowId)));
      const facts = new FactsReplay(this.#metrics, journalNeeds(tail.rows.slice(-TAIL_ROWS)), checkpointRow);
      const upTo = BigInt(tail.setEnd);
      let rows = 0;
      const read = await this.#log.facts(
        source,
        upTo,
        (row) => {
          facts.accept(row);
          rows += 1;
          if (rows % ROWS_TOLD === 0) this.#events.passed(BigInt(row.id));
        },
        (row) => facts.acceptOther(row),
      );
      if (!read || facts.impassable || facts.analyzer.global.seq !== seq - checked) return null;
      const newest = facts.newestRows;
      for (let start = 0; start < newest.length; start += PROJECTS_AT_ONCE) {
        facts.settleProjects(await this.#log.setsOf(newest.slice(start, start + PROJECTS_AT_ONCE), upTo));
      }
      const replay = facts.handOver(tail.set);
      return replay === null ? null : this.#goOn(replay, tail);
    } catch (error) {
      if (error instanceof UnfitLog) return null;
      throw error;
    }
  }

  /** Folds the tail after the merge that is known. */
  #goOn(replay: Replay, { raws, rows, from }: Tail): Restored {
    const recent = new Recent();
    for (const row of rows.slice(0, from)) recent.accept(row);
    const head = acceptRows(replay, raws.slice(from), rows.slice(from), (row) => recent.accept(row));
    replay.end();
    this.#events.passed(this.#newest);
    return { replay, head, lowMark: 0n, floor: 0n, fromCheckpoint: null, recent };
  }

  /** The newest rows, back to the whole set of merge `seq`; null where they do not reach it. */
  async #tail(seq: number, limit: number): Promise<Tail | null> {
    const raws = (await this.#log.newestJournal(limit))
      .filter(({ id }) => BigInt(id) <= this.#newest)
      .toReversed();
    const rows = raws.map(parseJournalRow);
    const anchor = rows.find((row) => row.type === "metric" && row.scope === "global" && row.seq === seq);
    if (anchor?.type !== "metric") return null;
    const set = rows.filter(
      (row) => row.type === "metric" && row.merge.eventId === anchor.merge.eventId,
    ) as MetricRow[];
    const last = set.at(-1) ?? anchor;
    if (set.length !== anchor.setSize) return null;
    return { raws, rows, set, setEnd: last.id, from: rows.indexOf(last) + 1 };
  }

  /** @returns null, having told why, when the checkpoint does not serve. */
  async from(place: CheckpointInLog): Promise<Restored | null> {
    const checkpoint = parseCheckpoint(await this.#log.checkpoint(place.rowId));
    if (typeof checkpoint === "string") return this.#passOver(place, checkpoint);
    const first = await this.#page(BigInt(checkpoint.row_id) - 1n);
    const analyzer = analyzerFrom(checkpoint, this.#metrics, await this.#needs(first));
    if (typeof analyzer === "string") return this.#passOver(place, analyzer);
    const replay = new Replay(analyzer);
    const recent = new Recent();
    try {
      const head = await this.#accept(replay, recent, first, checkpoint);
      // Without a row to stand on, the checkpoint alone speaks for the log: it must not have gone meanwhile, as by TRUNCATE.
      if (head === null && (await this.#log.checkpoint(place.rowId)) === null)
        return this.#passOver(place, "it is gone");
      const floor = BigInt(checkpoint.floor);
      const marks = [floor, BigInt(checkpoint.low_mark), ...this.#places.map(({ lowMark }) => lowMark)];
      const lowMark = marks.reduce((highest, mark) => (mark > highest ? mark : highest));
      return {
        replay,
        head,
        lowMark,
        floor,
        fromCheckpoint: { seq: checkpoint.seq, rowId: BigInt(checkpoint.row_id) },
        recent,
      };
    } catch (error) {
      if (!(error instanceof UnfitLog) || error.reason !== "contradiction") throw error;
      this.#suspect = true;
      return this.#passOver(place, `the rows after it contradict it: ${error.message}`);
    }
  }

  #passOver(place: CheckpointInLog, reason: string): null {
    this.#events.passedOver(place.rowId, reason);
    return null;
  }

  async #page(after: bigint): Promise<Page> {
    const end = await this.#log.pageEnd(after, this.#newest, PAGE_ROWS);
    const raws = await this.#log.journal(after, end);
    return { raws, rows: raws.map(parseJournalRow), end };
  }

  /** What the rows that are checked must be judged by: the newest ones, often all that are folded. */
  async #needs(first: Page): Promise<JournalNeeds> {
    if (first.end === this.#newest) return journalNeeds(first.rows);
    return journalNeeds((await this.#log.newestJournal(TAIL_ROWS)).map(parseJournalRow));
  }

  /** Folds a page and all that follow; the checkpoint's own newest row is already folded and only looked at. */
  async #accept(
    replay: Replay,
    recent: Recent,
    first: Page,
    checkpoint: CheckpointPayload | null,
  ): Promise<Head | null> {
    let head: Head | null = null;
    for (let page = first; ; page = await this.#page(page.end)) {
      const standing = page.raws[0]?.id === checkpoint?.row_id ? page.raws[0] : undefined;
      if (standing !== undefined) head = headOf(standing);
      const from = standing === undefined ? 0 : 1;
      head =
        acceptRows(replay, page.raws.slice(from), page.rows.slice(from), (row) => recent.accept(row)) ?? head;
      this.#events.passed(page.end);
      if (page.end >= this.#newest) break;
    }
    replay.end();
    return head;
  }
}

/** Replays rows, given as they were read and parsed. @returns the newest one of ours, to stand on; null where none is. */
export function acceptRows(
  replay: Replay,
  raws: readonly RawJournalRow[],
  rows: readonly JournalRow[],
  seen: (row: JournalRow) => void,
): Head | null {
  let newest: RawJournalRow | undefined;
  rows.forEach((row, index) => {
    if (row.type === "metric" || row.type === "skipped") newest = raws[index];
    replay.accept(row);
    seen(row);
  });
  return newest === undefined ? null : headOf(newest);
}

/** SHA-256 of a payload's text in hex, as PostgreSQL's `encode(sha256(…), 'hex')` gives it. */
function headOf(row: RawJournalRow): Head {
  const fingerprint = createHash("sha256")
    .update(row.payload ?? "")
    .digest("hex");
  return { id: row.id, fingerprint };
}
