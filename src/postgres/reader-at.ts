/**
 * The log for commands that only read: up to a row of ours and not beyond, whatever is written meanwhile, and around rows
 * that the server cannot read. A damaged row of ours is missing then, and what is read says so itself: a set is not whole.
 */

import { parseCheckpoint } from "../core/checkpoint.ts";
import type { RawJournalRow } from "../core/journal-row.ts";
import { CHECKPOINT_KIND } from "../core/metric-event.ts";
import type { CheckpointInLog, JournalReader } from "../outbox-log.ts";
import type { Query } from "./connection.ts";
import { isDamaged } from "./failure.ts";
import { JOURNAL_COLUMNS, NEWEST_ROWS, OURS, pageOf, rawRow, rowsOfItem } from "./journal.ts";
import { literal, type Names } from "./names.ts";
import { newestRows } from "./newest-rows.ts";
import type { OutboxColumns } from "./outbox-columns.ts";
import { type LeaveOut, leftOut, readAround } from "./unreadable.ts";

export type ReadAccess = {
  readonly reader: JournalReader;
  readonly query: Query;
  readonly names: Names;
  readonly columns: OutboxColumns;
  readonly unreadable: LeaveOut;
};

type SturdyAccess = Omit<ReadAccess, "columns">;

/** The same reader, around damaged rows. */
export function sturdy(access: SturdyAccess): JournalReader {
  const { reader, unreadable } = access;
  const instead = leftOut(unreadable);
  const around = async <T>(after: bigint, upTo: bigint, read: (from: bigint, to: bigint) => Promise<T[]>) => [
    ...(await readAround(after, upTo, read, instead)),
  ];
  const checkpoint = async (rowId: string) => {
    const place = BigInt(rowId);
    return (await around(place - 1n, place, async () => [await reader.checkpoint(rowId)]))[0] ?? null;
  };
  return {
    ...reader,
    journal: (after, upTo) => readAround(after, upTo, reader.journal, instead),
    merges: (after, upTo) => around(after, upTo, reader.merges),
    recordedEvents: (after, upTo) => around(after, upTo, reader.recordedEvents),
    // These do not say which row it was: the pages, which are read instead or besides, do.
    facts: (...asked) => orWhenDamaged(reader.facts(...asked), false),
    setsOf: (...asked) => orWhenDamaged(reader.setsOf(...asked), []),
    otherMerges: (merges) => orWhenDamaged(reader.otherMerges(merges), new Map()),
    checkpoints: (upTo) => checkpointsAround(access, checkpoint, upTo),
    checkpoint,
  };
}

/** As the reader finds them; from the first damaged one on, one by one. */
async function* checkpointsAround(
  { reader, query, names, unreadable }: SturdyAccess,
  payloadOf: JournalReader["checkpoint"],
  upTo: bigint,
): AsyncGenerator<CheckpointInLog> {
  let last = upTo;
  try {
    for await (const checkpoint of reader.checkpoints(upTo)) {
      yield checkpoint;
      last = BigInt(checkpoint.rowId) - 1n;
    }
  } catch (error) {
    if (!isDamaged(error)) throw error;
    for await (const { id } of newestRows(
      query,
      names,
      { kinds: [CHECKPOINT_KIND], upTo: last },
      unreadable,
    )) {
      const checkpoint = parseCheckpoint(await payloadOf(id));
      if (typeof checkpoint !== "string") yield { rowId: id, seq: checkpoint.seq };
    }
  }
}

async function orWhenDamaged<T>(read: Promise<T>, otherwise: T): Promise<T> {
  try {
    return await read;
  } catch (error) {
    if (isDamaged(error)) return otherwise;
    throw error;
  }
}

/** @param upTo the last row of ours that is read. */
export function readerAt(access: ReadAccess, upTo: bigint): JournalReader {
  const { reader, query, names, unreadable } = access;
  return {
    ...reader,
    newestJournal: async (rows) => {
      const found: RawJournalRow[] = [];
      for await (const raw of newestRows(query, names, { upTo, most: NEWEST_ROWS }, unreadable)) {
        if (found.push(raw) >= rows) break;
      }
      return found;
    },
    checkpoints: (last) => reader.checkpoints(last < upTo ? last : upTo),
  };
}

/** Rows of kind `metric.*` of the work item that an event is about, in id order, by the index; none where one is damaged. */
export function rowsAbout({ query, names }: ReadAccess, eventId: bigint): Promise<RawJournalRow[]> {
  return orWhenDamaged(rowsOfItem(query, names, eventId, 1_000), []);
}

/** Rows of kind `metric.*` with after < id ≤ upTo that name an event, in id order. */
export async function rowsNaming(
  { query, names, unreadable }: ReadAccess,
  eventId: bigint,
  after: bigint,
  upTo: bigint,
): Promise<readonly RawJournalRow[]> {
  return readAround(
    after,
    upTo,
    async (from, to) => {
      const { rows } = await query(
        `SELECT ${JOURNAL_COLUMNS} FROM ${pageOf(names, from, to)} e
          WHERE ${OURS} AND e.payload::text ~ '"event_id": ?"${literal(eventId)}"' ORDER BY e.id`,
      );
      return rows.map(rawRow);
    },
    leftOut(unreadable),
  );
}

/** Any row of the log. */
export async function rowOf(query: Query, { outbox }: Names, id: bigint): Promise<RawJournalRow | null> {
  const { rows } = await query(`SELECT ${JOURNAL_COLUMNS} FROM ${outbox} e WHERE e.id = ${literal(id)}`);
  const row = rows[0];
  return row === undefined ? null : rawRow(row);
}
