/**
 * Row by row: every row of the journal, page after page in the order of their ids, checked and folded. From its first
 * row on, this is what the other ways are held to: it believes nothing but the rows, and what it finds to be a
 * contradiction is one. From a checkpoint on, it is the part that is checked all the same.
 *
 * A row is judged by the window and the verdicts that it carries, so memory must be made large enough for those rows
 * before the first one is folded. Which these are is seen in the newest rows: older ones that need more are folded, and
 * what cannot be recounted there is left alone.
 */
import { Analyzer, type JournalNeeds } from "../core/analyzer.ts";
import { type JournalRow, parseJournalRow, type RawJournalRow } from "../core/journal-row.ts";
import { Recent } from "../core/recent.ts";
import { journalNeeds, Replay } from "../core/replay.ts";
import { type Head, PAGE_ROWS } from "../outbox-log.ts";
import { acceptRows, headOf } from "./journal-head.ts";
import { type Journal, type Restored, TAIL_ROWS } from "./restored.ts";

/** The rows of one statement, and up to which id of the outbox there are no others. */
type Page = {
  readonly raws: readonly RawJournalRow[];
  readonly rows: readonly JournalRow[];
  readonly end: bigint;
};

/** @throws UnfitLog when the journal contradicts itself or is a newer version's. */
export async function fromRows(journal: Journal): Promise<Restored> {
  const first = await readPage(journal, 0n);
  const replay = new Replay(new Analyzer(journal.metrics, await needsOf(journal, first)));
  const { head, recent } = await foldPages(journal, replay, first, null);
  const { floor } = replay;
  return { replay, head, lowMark: floor, floor, fromCheckpoint: null, recent };
}

/** The next rows of the journal. @throws UnfitLog for one that is not whole, or a newer version's. */
export async function readPage({ log, newest }: Journal, after: bigint): Promise<Page> {
  const end = await log.pageEnd(after, newest, PAGE_ROWS);
  const raws = await log.journal(after, end);
  return { raws, rows: raws.map(parseJournalRow), end };
}

/** What the rows that are checked must be judged by: the newest ones, often all that are folded. */
export async function needsOf({ log, newest }: Journal, first: Page): Promise<JournalNeeds> {
  if (first.end === newest) return journalNeeds(first.rows);
  return journalNeeds((await log.newestJournal(TAIL_ROWS)).map(parseJournalRow));
}

/**
 * Folds a page and all that follow.
 * @param standsOn the row that memory stands on already: where the first page begins with it, it is only looked at.
 */
export async function foldPages(
  journal: Journal,
  replay: Replay,
  first: Page,
  standsOn: string | null,
): Promise<{ readonly head: Head | null; readonly recent: Recent }> {
  const recent = new Recent();
  const standing = first.raws[0]?.id === standsOn ? first.raws[0] : undefined;
  let head = standing === undefined ? null : headOf(standing);
  let from = standing === undefined ? 0 : 1;
  for (let page = first; ; page = await readPage(journal, page.end)) {
    const folded = acceptRows(replay, page.raws.slice(from), page.rows.slice(from), (row) =>
      recent.accept(row),
    );
    head = folded ?? head;
    from = 0;
    journal.passed(page.end);
    if (page.end >= journal.newest) break;
  }
  replay.end();
  return { head, recent };
}
