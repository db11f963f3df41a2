/**
 * Row by row: every row of the journal, page after page in the order of their ids, checked and folded. From its first
 * row on, this is what the other ways are held to: it believes nothing but the rows, and what it finds to be a
 * contradiction is one. From a checkpoint on, it is the part that is checked all the same.
 *
 * A row is judged by the window and the verdicts that it carries, so memory must be made large enough for those rows
 * before the first one is folded. Which these are is seen in the newest rows: older ones that need more are folded, and
 * what cannot be recounted there is left alone.
 */
import { Analyzer } from "../core/analyzer.ts";
import { eventOf, type JournalRow, parseJournalRow, type RawJournalRow } from "../core/journal-row.ts";
import { StatusHistory } from "../core/status-history.ts";
import { capacityFor, Walk } from "../core/walk.ts";
import { PAGE_ROWS } from "../outbox-log.ts";
import { acceptRows, lastAppliedOf } from "./last-applied.ts";
import { type Folded, type Journal, TAIL_ROWS } from "./restored.ts";

/** The rows of one statement, and up to which id of the outbox there are no others. */
type Page = {
  readonly raws: readonly RawJournalRow[];
  readonly rows: readonly JournalRow[];
  readonly end: bigint;
};

/** @throws UnfitLog when the journal contradicts itself or is a newer version's. */
export async function fromRows(journal: Journal): Promise<Folded> {
  const { log, newest } = journal;
  const oldest = await log.oldest();
  const first = await readPage(journal, oldest === null || oldest > newest ? newest : oldest - 1n);
  const walk = new Walk(new Analyzer(journal.metrics, await capacityOf(journal, first)));
  return { ...(await foldPages(journal, walk, first, null)), walk, startedFrom: null };
}

/** The next rows of the journal. @throws UnfitLog for one that is not whole, or a newer version's. */
export async function readPage({ log, newest }: Journal, after: bigint): Promise<Page> {
  const end = await log.pageEnd(after, newest, PAGE_ROWS);
  const raws = await log.journal(after, end);
  return { raws, rows: raws.map(parseJournalRow), end };
}

/** What the rows that are checked must be judged by: the newest ones, often all that are folded. */
export async function capacityOf({ log, newest }: Journal, first: Page): Promise<number> {
  if (first.end === newest) return capacityFor(first.rows);
  return capacityFor((await log.newestJournal(TAIL_ROWS)).map(parseJournalRow));
}

/**
 * Folds a page and all that follow.
 * @param standsOn the row that memory stands on already: where the first page begins with it, it is only looked at.
 */
export async function foldPages(
  journal: Journal,
  walk: Walk,
  first: Page,
  standsOn: string | null,
): Promise<Pick<Folded, "head" | "recent" | "events" | "firstRow">> {
  const recent = new StatusHistory();
  const events = new Set<bigint>();
  let firstRow: bigint | null = null;
  const standing = first.raws[0]?.id === standsOn ? first.raws[0] : undefined;
  let head = standing === undefined ? null : lastAppliedOf(standing);
  let from = standing === undefined ? 0 : 1;
  for (let page = first; ; page = await readPage(journal, page.end)) {
    const folded = acceptRows(walk, page.raws.slice(from), page.rows.slice(from), (row) => {
      recent.accept(row);
      const event = eventOf(row);
      if (event === null) return;
      events.add(BigInt(event));
      firstRow ??= BigInt(row.id);
    });
    head = folded ?? head;
    from = 0;
    journal.passed(page.end);
    if (page.end >= journal.newest) break;
  }
  walk.end();
  return { head, recent, events, firstRow };
}
