/**
 * From the facts: the way through a long journal without a recent checkpoint (`core/fast-replay.ts`). The newest merges, whose rows
 * every restore checks, are then applied row by row. Anything out of the ordinary, such as a slow statement, ends this way
 * without a verdict.
 */
import { type FactsSource, FastReplay, factsSource } from "../core/fast-replay.ts";
import {
  type JournalRow,
  type MetricRow,
  parseJournalRow,
  type RawJournalRow,
  UnfitLog,
} from "../core/journal-row.ts";
import { StatusHistory } from "../core/status-history.ts";
import { capacityFor, type Walk } from "../core/walk.ts";
import { applyRows } from "./last-applied.ts";
import { type Journal, type Replayed, TAIL_ROWS } from "./restored.ts";

/** More rows than 100 merges have where each set is as large as it can be. */
const LONG_TAIL_ROWS = 1_600;
/** Rows of facts between two progress calls. */
const ROWS_PER_STEP = 1_000;
/** Projects whose newest rows one statement looks up. */
const PROJECTS_AT_ONCE = 500;

/** The newest rows of a journal, oldest first. */
type Tail = {
  readonly raws: readonly RawJournalRow[];
  readonly rows: readonly JournalRow[];
  /** The whole set of the newest merge that is read by its facts. */
  readonly set: readonly MetricRow[];
  /** The id of that set's last row, and the index of the row after it. */
  readonly setEnd: bigint;
  readonly from: number;
};

/**
 * @param seq the newest merge's.
 * @param checkpointRow the newest checkpoint's: merges that it covers need no other.
 * @returns null where the journal is short, or its facts alone are not enough.
 */
export async function fromFacts(
  journal: Journal,
  seq: number,
  checkpointRow: bigint,
): Promise<Replayed | null> {
  const { merges, checked } = journal.log.long;
  const source = factsSource(journal.metrics);
  if (seq < merges || source === null) return null;
  try {
    const known = seq - checked;
    const tail =
      (await readTail(journal, known, TAIL_ROWS)) ?? (await readTail(journal, known, LONG_TAIL_ROWS));
    if (tail === null) return null;
    const capacity = capacityFor(tail.rows.slice(-TAIL_ROWS));
    const facts = new FastReplay(journal.metrics, capacity, Number(checkpointRow));
    if (!(await readFacts(journal, source, facts, tail.setEnd))) return null;
    const walk = facts.analyzer.global.seq === known ? facts.handOver(tail.set) : null;
    return walk === null ? null : { ...replayTail(journal, walk, tail), firstRow: facts.begins };
  } catch (error) {
    if (error instanceof UnfitLog) return null;
    throw error;
  }
}

/** The newest rows, back to the whole set of merge `seq`; null where they do not reach it. */
async function readTail({ log, newest }: Journal, seq: number, limit: number): Promise<Tail | null> {
  const raws = (await log.newestJournal(limit, newest)).toReversed();
  const rows = raws.map(parseJournalRow);
  const anchor = rows.find((row) => row.type === "metric" && row.scope === "global" && row.seq === seq);
  if (anchor?.type !== "metric") return null;
  const set = rows.filter(
    (row) => row.type === "metric" && row.merge.eventId === anchor.merge.eventId,
  ) as MetricRow[];
  const last = set.at(-1) ?? anchor;
  if (set.length !== anchor.setSize) return null;
  return { raws, rows, set, setEnd: BigInt(last.id), from: rows.indexOf(last) + 1 };
}

/** Slides the windows by every merge up to this row, and sets the projects' gates. @returns whether that was possible. */
async function readFacts(
  { log, passed }: Journal,
  source: FactsSource,
  facts: FastReplay,
  upTo: bigint,
): Promise<boolean> {
  let rows = 0;
  const read = await log.facts(
    source,
    upTo,
    (row) => {
      facts.accept(row);
      rows += 1;
      if (rows % ROWS_PER_STEP === 0) passed(BigInt(row.id));
    },
    (row) => facts.acceptOther(row),
  );
  if (!read || facts.impassable || facts.firstRow === null) return false;
  facts.checkFirst(await log.setsOf([facts.firstRow], upTo));
  const newest = facts.newestRows;
  for (let start = 0; start < newest.length; start += PROJECTS_AT_ONCE)
    facts.settleProjects(await log.setsOf(newest.slice(start, start + PROJECTS_AT_ONCE), upTo));
  return true;
}

/** Applies the rows after the merges whose facts were read. The events of these merges are not kept: a million take much memory. */
function replayTail(
  { passed, newest }: Journal,
  walk: Walk,
  { raws, rows, from }: Tail,
): Omit<Replayed, "firstRow"> {
  const recent = new StatusHistory();
  for (const row of rows.slice(0, from)) recent.accept(row);
  const lastApplied = applyRows(walk, raws.slice(from), rows.slice(from), (row) => recent.accept(row));
  walk.end();
  passed(newest);
  return { walk, lastApplied, startedFrom: null, recent, events: null };
}
