/** Walks along the outbox from its old end to its new one, page by page: no statement passes more than a page's rows. */
import { BEFORE_ALL } from "./core/event-id.ts";
import { type JournalReader, PAGE_ROWS } from "./outbox-log.ts";

/** The ids of a page: after < id ≤ end. */
export type PageBounds = { readonly after: bigint; readonly end: bigint };

/**
 * The pages of the rows with from < id ≤ upTo, each asked for only when it is needed.
 * @param from `BEFORE_ALL` for the whole log: it begins with the oldest row that is left.
 * @param rows of a page, at most.
 */
export async function* pagesAfter(
  log: Pick<JournalReader, "oldest" | "pageEnd">,
  from: bigint,
  upTo: bigint,
  rows = PAGE_ROWS,
): AsyncGenerator<PageBounds> {
  for (let after = from === BEFORE_ALL ? await beforeOldest(log, upTo) : from; after < upTo; ) {
    const end = await log.pageEnd(after, upTo, rows);
    yield { after, end };
    after = end;
  }
}

async function beforeOldest(log: Pick<JournalReader, "oldest">, upTo: bigint): Promise<bigint> {
  const oldest = await log.oldest();
  return oldest === null ? upTo : oldest - 1n;
}
