/**
 * Row by row: the reference for the other ways. It trusts nothing but the rows, and only what it finds contradictory is a
 * contradiction. From a checkpoint on, it is the part that is checked in any case.
 *
 * Rows are judged by the windows that they carry, so memory must be large enough before the first one is applied: the newest
 * rows show how large. Older rows that need more are applied, but not judged.
 */
import { Analyzer } from "../core/analyzer.ts";
import { BEFORE_ALL } from "../core/event-id.ts";
import { eventOf, type JournalRow, parseJournalRow, type RawJournalRow } from "../core/journal-row.ts";
import { StatusHistory } from "../core/status-history.ts";
import { capacityFor, Walk } from "../core/walk.ts";
import type { AppliedRow } from "../outbox/outbox-log.ts";
import { pagesAfter } from "../outbox/pages.ts";
import { appliedRow, applyRows } from "./last-applied.ts";
import { type Journal, type Replayed, TAIL_ROWS } from "./restored.ts";

/** The journal's rows in a page of the outbox that ends with `end`, as read and as parsed. */
type Page = {
  readonly raws: readonly RawJournalRow[];
  readonly rows: readonly JournalRow[];
  readonly end: bigint;
};

/** @throws UnfitLog when the journal contradicts itself or a newer version has written to it. */
export async function fromRows(journal: Journal): Promise<Replayed> {
  const { pages, capacity } = await openJournal(journal, BEFORE_ALL);
  const walk = new Walk(new Analyzer(journal.metrics, capacity));
  return { ...(await replayPages(walk, pages)), walk, startedFrom: null };
}

/**
 * The journal after a row. The first page is read at once, as often it is the only one.
 * @returns its pages, and how many merges memory must keep to judge the rows that are checked.
 * @throws UnfitLog for a row that is not whole, or a newer version's; so do the pages.
 */
export async function openJournal(
  journal: Journal,
  after: bigint,
): Promise<{ readonly pages: AsyncIterable<Page>; readonly capacity: number }> {
  const pages = readPages(journal, after);
  const { value: first } = await pages.next();
  return {
    pages: first === undefined ? pages : chain(first, pages),
    capacity: await capacityOf(journal, first),
  };
}

async function* readPages({ log, newest, passed }: Journal, from: bigint): AsyncGenerator<Page, undefined> {
  for await (const { after, end } of pagesAfter(log, from, newest)) {
    const raws = await log.journal(after, end);
    yield { raws, rows: raws.map(parseJournalRow), end };
    passed(end);
  }
}

async function* chain(first: Page, rest: AsyncIterable<Page>): AsyncGenerator<Page> {
  yield first;
  yield* rest;
}

async function capacityOf({ log, newest }: Journal, first: Page | undefined): Promise<number> {
  if (first === undefined || first.end === newest) return capacityFor(first?.rows ?? []);
  return capacityFor((await log.newestJournal(TAIL_ROWS, newest)).map(parseJournalRow));
}

/** @param basis a row that memory includes already: where the pages begin with it, it is not applied again. */
export async function replayPages(
  walk: Walk,
  pages: AsyncIterable<Page>,
  basis: string | null = null,
): Promise<Pick<Replayed, "lastApplied" | "recent" | "events" | "firstRow">> {
  const recent = new StatusHistory();
  const events = new Set<bigint>();
  let firstRow: bigint | null = null;
  let lastApplied: AppliedRow | null = null;
  for await (const { raws, rows } of pages) {
    const [first] = raws;
    const isBasis = first !== undefined && first.id === basis;
    if (isBasis) lastApplied = appliedRow(first);
    const from = isBasis ? 1 : 0;
    const newest = applyRows(walk, raws.slice(from), rows.slice(from), (row) => {
      recent.accept(row);
      const event = eventOf(row);
      if (event === null) return;
      events.add(BigInt(event));
      firstRow ??= BigInt(row.id);
    });
    lastApplied = newest ?? lastApplied;
  }
  walk.end();
  return { lastApplied, recent, events, firstRow };
}
