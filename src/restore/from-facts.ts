/**
 * From the facts: the way through a long journal that no checkpoint shortens. Windows stand for facts alone, so one row
 * of each merge, by one COPY, slides them (`core/fast-replay.ts`), in a fraction of the time that all rows take. Where
 * the gates of projects stand is in the newest rows of each. And the newest merges, whose rows every restore checks, are
 * folded on top of it row by row.
 *
 * Whatever is out of the ordinary (a log whose old end is gone, other scopes, a contradiction, a statement that takes too
 * long) ends this way without a verdict: the rows decide.
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
import { acceptRows } from "./last-applied.ts";
import { type Folded, type Journal, TAIL_ROWS } from "./restored.ts";

/** Rows of the largest sets of 100 merges, and some beside them. */
const LONG_TAIL_ROWS = 1_600;
/** Rows of facts after which it is told how far they have come. */
const ROWS_TOLD = 1_000;
/** Projects whose newest rows are looked for by one statement. */
const PROJECTS_AT_ONCE = 500;

/** The newest rows of a journal, oldest first, and from where on they follow the newest merge that is not among them. */
type Tail = {
  readonly raws: readonly RawJournalRow[];
  readonly rows: readonly JournalRow[];
  /** The set of that merge, and the id of its last row. */
  readonly set: readonly MetricRow[];
  readonly setEnd: string;
  readonly from: number;
};

/**
 * @param seq the newest merge's.
 * @param checkpointRow the newest checkpoint's: merges that one covers need none anew.
 * @returns null where the journal is short, or its facts alone do not serve.
 */
export async function fromFacts(
  journal: Journal,
  seq: number,
  checkpointRow: bigint,
): Promise<Folded | null> {
  const { merges, checked } = journal.log.long;
  const source = factsSource(journal.metrics);
  if (seq < merges || source === null) return null;
  try {
    const known = seq - checked;
    const tail =
      (await readTail(journal, known, TAIL_ROWS)) ?? (await readTail(journal, known, LONG_TAIL_ROWS));
    if (tail === null) return null;
    const facts = new FastReplay(
      journal.metrics,
      capacityFor(tail.rows.slice(-TAIL_ROWS)),
      Number(checkpointRow),
    );
    if (!(await readFacts(journal, source, facts, BigInt(tail.setEnd)))) return null;
    const walk = facts.analyzer.global.seq === known ? facts.handOver(tail.set) : null;
    return walk === null ? null : { ...foldTail(journal, walk, tail), firstRow: facts.begins };
  } catch (error) {
    if (error instanceof UnfitLog) return null;
    throw error;
  }
}

/** The newest rows, back to the whole set of merge `seq`; null where they do not reach it. */
async function readTail({ log, newest }: Journal, seq: number, limit: number): Promise<Tail | null> {
  const raws = (await log.newestJournal(limit)).filter(({ id }) => BigInt(id) <= newest).toReversed();
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

/** Slides the windows by every merge up to this row, and puts the projects' gates. @returns false where that cannot be. */
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
      if (rows % ROWS_TOLD === 0) passed(BigInt(row.id));
    },
    (row) => facts.acceptOther(row),
  );
  if (!read || facts.impassable || facts.firstRow === null) return false;
  facts.checkFirst(await log.setsOf([facts.firstRow], upTo));
  const newest = facts.newestRows;
  for (let start = 0; start < newest.length; start += PROJECTS_AT_ONCE) {
    facts.settleProjects(await log.setsOf(newest.slice(start, start + PROJECTS_AT_ONCE), upTo));
  }
  return true;
}

/** Folds the rows after the merges whose facts are known. The events of these merges are not: a million is a lot of memory. */
function foldTail(
  { passed, newest }: Journal,
  walk: Walk,
  { raws, rows, from }: Tail,
): Omit<Folded, "firstRow"> {
  const recent = new StatusHistory();
  for (const row of rows.slice(0, from)) recent.accept(row);
  const head = acceptRows(walk, raws.slice(from), rows.slice(from), (row) => recent.accept(row));
  walk.end();
  passed(newest);
  return { walk, head, startedFrom: null, recent, events: null };
}
