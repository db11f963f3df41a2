/**
 * The log for commands that only read: up to a row of ours and no further, whatever is written meanwhile, and around rows
 * that the server cannot read. Where a damaged row of ours is left out, its set is incomplete, and the reader of the sets
 * reports that.
 */
import type { RawJournalRow } from "../core/journal-row.ts";
import type { CheckpointInLog, JournalReader } from "../recorder/outbox-log.ts";
import { checkpointsBack } from "./checkpoints.ts";
import { faultOf } from "./failure.ts";
import { pageOf } from "./ids.ts";
import { JOURNAL_COLUMNS, journalRows, NEWEST_ROWS, OURS, rowsOfItem, selectFrom } from "./journal.ts";
import { literal, type Outbox } from "./names.ts";
import { newestRows } from "./newest-rows.ts";
import type { OutboxColumns } from "./outbox-columns.ts";
import { type LeaveOut, leftOut, readAround } from "./unreadable.ts";

export type ReadAccess = Outbox & {
  readonly reader: JournalReader;
  readonly columns: OutboxColumns;
  readonly unreadable: LeaveOut;
};

type SturdyAccess = Omit<ReadAccess, "columns">;

/** The same reader, around damaged rows. */
export function sturdy(access: SturdyAccess): JournalReader {
  const { reader, unreadable } = access;
  const around = <T>(
    after: bigint,
    upTo: bigint,
    read: (from: bigint, to: bigint) => Promise<readonly T[]>,
  ) => readAround(after, upTo, read, leftOut(unreadable));
  return {
    ...reader,
    journal: (after, upTo) => around(after, upTo, reader.journal),
    merges: (after, upTo) => around(after, upTo, reader.merges),
    recordedEvents: (after, upTo) => around(after, upTo, reader.recordedEvents),
    // Failures of these do not name the row. The pages that are read instead of them, or beside them, do.
    facts: (...asked) => orWhenDamaged(reader.facts(...asked), false),
    setsOf: (...asked) => orWhenDamaged(reader.setsOf(...asked), []),
    otherMerges: (merges) => orWhenDamaged(reader.otherMerges(merges), new Map()),
    checkpoints: (upTo) => checkpointsAround(access, upTo),
    checkpoint: async (rowId) => {
      const place = BigInt(rowId);
      const read = async () => [await reader.checkpoint(rowId)];
      return (await around(place - 1n, place, read))[0] ?? null;
    },
  };
}

/** As the reader finds them; from the first damaged one on, by walking the log back. */
async function* checkpointsAround(access: SturdyAccess, upTo: bigint): AsyncGenerator<CheckpointInLog> {
  let last = upTo;
  try {
    for await (const checkpoint of access.reader.checkpoints(upTo)) {
      yield checkpoint;
      last = BigInt(checkpoint.rowId) - 1n;
    }
    return;
  } catch (error) {
    if (faultOf(error) !== "storage") throw error;
  }
  yield* checkpointsBack(access, last, access.unreadable);
}

async function orWhenDamaged<T>(read: Promise<T>, otherwise: T): Promise<T> {
  try {
    return await read;
  } catch (error) {
    if (faultOf(error) === "storage") return otherwise;
    throw error;
  }
}

/** The reader, up to a row of ours. @param upTo the id of that row. */
export function readerAt(access: ReadAccess, upTo: bigint): JournalReader {
  const { reader, unreadable } = access;
  return {
    ...reader,
    newestJournal: async (rows, last) => {
      const found: RawJournalRow[] = [];
      const wanted = { upTo: last < upTo ? last : upTo, most: NEWEST_ROWS };
      for await (const raw of newestRows(access, wanted, unreadable)) {
        if (found.push(raw) >= rows) break;
      }
      return found;
    },
    checkpoints: (last) => reader.checkpoints(last < upTo ? last : upTo),
  };
}

/** Rows of kind `metric.*` of the work item that an event is about, in id order, by the index; none where one is damaged. */
export function rowsAbout(access: ReadAccess, eventId: bigint): Promise<RawJournalRow[]> {
  return orWhenDamaged(rowsOfItem(access, eventId, 1_000), []);
}

/** Rows of kind `metric.*` with after < id ≤ upTo that name an event, in id order. */
export function rowsNaming(
  access: ReadAccess,
  eventId: bigint,
  after: bigint,
  upTo: bigint,
): Promise<readonly RawJournalRow[]> {
  const naming = `${OURS} AND e.payload::text ~ '"event_id": ?"${literal(eventId)}"'`;
  const read = (from: bigint, to: bigint): Promise<RawJournalRow[]> =>
    journalRows(access.query, selectFrom(pageOf(access, from, to), JOURNAL_COLUMNS, naming));
  return readAround(after, upTo, read, leftOut(access.unreadable));
}

/** The row of the outbox with this id, of any kind; null where there is none. */
export async function rowOf({ query, outbox }: Outbox, id: bigint): Promise<RawJournalRow | null> {
  const rows = await journalRows(query, selectFrom(outbox, JOURNAL_COLUMNS, `e.id = ${literal(id)}`));
  return rows[0] ?? null;
}
