/** The log as it was just after a merge was recorded: rows up to the last one of its set, and nothing later. */
import type { RawJournalRow } from "../core/journal-row.ts";
import type { JournalReader } from "../outbox-log.ts";
import type { Query } from "./connection.ts";
import { JOURNAL_COLUMNS, OURS, rawRow } from "./journal.ts";
import { literal, type Names } from "./names.ts";

/** @param upTo the last row of that merge. */
export function readerAt(reader: JournalReader, query: Query, names: Names, upTo: bigint): JournalReader {
  return {
    ...reader,
    newestJournal: async (rows) => {
      const answer = await query(
        `SELECT ${JOURNAL_COLUMNS} FROM ${names.outbox} e WHERE e.id <= ${literal(upTo)} AND ${OURS}
          ORDER BY e.id DESC LIMIT ${literal(rows)}`,
      );
      return answer.rows.map(rawRow);
    },
    checkpoints: (last) => reader.checkpoints(last < upTo ? last : upTo),
  };
}

/**
 * Rows of kind `metric.*` that may record an event, in id order: those of its work item by the index; where the
 * transition itself is gone, those that name the event. Whether they record it is for the caller to see.
 */
export async function rowsAbout(query: Query, { outbox }: Names, eventId: bigint): Promise<RawJournalRow[]> {
  const event = literal(eventId);
  const byItem = await query(
    `SELECT ${JOURNAL_COLUMNS} FROM ${outbox} e
      WHERE e.work_item_id = (SELECT t.work_item_id FROM ${outbox} t WHERE t.id = ${event}) AND ${OURS} ORDER BY e.id LIMIT 1000`,
  );
  if (byItem.rows.length > 0) return byItem.rows.map(rawRow);
  const byText = await query(
    `SELECT ${JOURNAL_COLUMNS} FROM ${outbox} e
      WHERE ${OURS} AND e.payload::text ~ '"event_id": ?"${event}"' ORDER BY e.id LIMIT 1000`,
  );
  return byText.rows.map(rawRow);
}

/** Any row of the log. */
export async function rowOf(query: Query, { outbox }: Names, id: bigint): Promise<RawJournalRow | null> {
  const { rows } = await query(`SELECT ${JOURNAL_COLUMNS} FROM ${outbox} e WHERE e.id = ${literal(id)}`);
  const row = rows[0];
  return row === undefined ? null : rawRow(row);
}
