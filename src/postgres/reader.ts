/** The reading half of the log, bound to a way of asking: the daemon's statements, or the transactions of a command. */
import { BEFORE_ALL } from "../core/event-id.ts";
import type { JournalReader, LongLog } from "../recorder/outbox-log.ts";
import { checkpoint, checkpoints } from "./checkpoints.ts";
import type { CopyOut, Query } from "./connection.ts";
import { facts, setsOf } from "./facts.ts";
import { newest, nextId, pageEnd } from "./ids.ts";
import { journal, journalRows, newestJournalStatement } from "./journal.ts";
import { type MergeRule, mergeSource } from "./merge-source.ts";
import { namesIn } from "./names.ts";
import type { OutboxColumns } from "./outbox-columns.ts";

/** Below this, replaying everything takes no longer than a few tenths of a second, and checks all of it. */
const LONG_LOG: LongLog = { merges: 1_000, checked: 100 };

/** Binds every reading conversation to one query. A row that the server cannot read is a failure. */
export function journalReader(
  query: Query,
  copyOut: CopyOut,
  settings: { readonly schema: string; readonly merge: MergeRule },
  columns: OutboxColumns,
): JournalReader {
  const names = namesIn(settings.schema);
  const next = (after: bigint): Promise<bigint | null> => nextId(query, names, after);
  const { merges, otherMerges, recordedEvents } = mergeSource(query, names, settings.merge, columns);
  return {
    newest: () => newest(query, names),
    oldest: () => next(BEFORE_ALL),
    pageEnd: (after, upTo, rows) => pageEnd(query, names, after, upTo, rows),
    merges,
    otherMerges,
    recordedEvents,
    journal: (after, upTo) => journal(query, names, after, upTo),
    newestJournal: (rows, upTo) => journalRows(query, newestJournalStatement(names, rows, upTo)),
    long: LONG_LOG,
    facts: (source, upTo, row, other) => facts({ copyOut, names, nextId: next }, source, upTo, row, other),
    setsOf: (rowIds, upTo) => setsOf(query, names, rowIds, upTo),
    checkpoints: (upTo) => checkpoints(query, names, columns, upTo),
    checkpoint: (rowId) => checkpoint(query, names, rowId),
  };
}
