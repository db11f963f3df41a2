/** The one walk along the outbox, from its old end to its new one: no statement scans more than a page's rows. */
import { BEFORE_ALL } from "../core/event-id.ts";
import { type JournalReader, PAGE_ROWS } from "./outbox-log.ts";

type Pageable = Pick<JournalReader, "oldest" | "pageEnd">;

/** The ids of a page: after < id ≤ end. */
export type PageBounds = { readonly after: bigint; readonly end: bigint };

/**
 * The pages of the rows with from < id ≤ upTo; each is looked up only when it is needed.
 * @param from `BEFORE_ALL` for the whole log: the first page begins with the oldest row that is left.
 * @param rows of the next page, at most.
 */
export async function* pagesAfter(
  log: Pageable,
  from: bigint,
  upTo: bigint,
  rows = () => PAGE_ROWS,
): AsyncGenerator<PageBounds, undefined> {
  for (let after = from === BEFORE_ALL ? await beforeOldest(log, upTo) : from; after < upTo; ) {
    const end = await log.pageEnd(after, upTo, rows());
    yield { after, end };
    after = end;
  }
}

async function beforeOldest(log: Pageable, upTo: bigint): Promise<bigint> {
  const oldest = await log.oldest();
  return oldest === null ? upTo : oldest - 1n;
}
