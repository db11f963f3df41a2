/**
 * The log for commands that only read: up to a row of ours and no further, whatever is written meanwhile, and around rows
 * that the server cannot read. Where a damaged row of ours is left out, its set is incomplete, and the reader of the sets
 * reports that.
 */
import type { RawJournalRow } from "../core/journal-row.ts";
import type { JournalReader } from "../outbox/outbox-log.ts";
import { pageOf } from "./ids.ts";
import { JOURNAL_COLUMNS, journalRows, NEWEST_ROWS, OURS, rowsOfItem, selectFrom } from "./journal.ts";
import { literal, type Outbox } from "./names.ts";
import { newestRows } from "./newest-rows.ts";
import type { OutboxColumns } from "./outbox-columns.ts";
import { orWhenDamaged } from "./reader.ts";
import { aroundDamage } from "./unreadable.ts";

export type ReadAccess = Required<Outbox> & {
  readonly reader: JournalReader;
  readonly columns: OutboxColumns;
};

/** The reader, up to a row of ours. @param upTo the id of that row. */
export function readerAt(access: ReadAccess, upTo: bigint): JournalReader {
  const { reader } = access;
  return {
    ...reader,
    newestJournal: async (rows, last) => {
      const found: RawJournalRow[] = [];
      for await (const raw of newestRows(access, { upTo: last < upTo ? last : upTo, most: NEWEST_ROWS })) {
        if (found.push(raw) >= rows) break;
      }
      return found;
    },
    checkpoints: (last) => reader.checkpoints(last < upTo ? last : upTo),
  };
}

/** Rows of kind `metric.*` of the work item that an event is about, in id order, by the index; none where one is damaged. */
export function rowsAbout(outbox: Outbox, eventId: bigint): Promise<RawJournalRow[]> {
  return orWhenDamaged(rowsOfItem(outbox, eventId, 1_000), []);
}

/** Rows of kind `metric.*` with after < id ≤ upTo that name an event, in id order. */
export function rowsNaming(
  outbox: Outbox,
  eventId: bigint,
  after: bigint,
  upTo: bigint,
): Promise<readonly RawJournalRow[]> {
  const naming = `${OURS} AND e.payload::text ~ '"event_id": ?"${literal(eventId)}"'`;
  return aroundDamage(outbox, after, upTo, (from, to) =>
    journalRows(outbox.query, selectFrom(pageOf(outbox, from, to), JOURNAL_COLUMNS, naming)),
  );
}

/** The row of the outbox with this id, of any kind; null where there is none. */
export async function rowOf({ query, outbox }: Outbox, id: bigint): Promise<RawJournalRow | null> {
  const rows = await journalRows(query, selectFrom(outbox, JOURNAL_COLUMNS, `e.id = ${literal(id)}`));
  return rows[0] ?? null;
}
