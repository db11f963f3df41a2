/** The reading half of the log, bound to a way of asking: the daemon's statements, or one transaction of a command. */
import { BEFORE_ALL } from "../core/event-id.ts";
import type { JournalReader, LongLog } from "../outbox-log.ts";
import { checkpoint, checkpoints } from "./checkpoints.ts";
import type { CopyOut, Query } from "./connection.ts";
import { facts, setsOf } from "./facts.ts";
import { journal, newestJournal } from "./journal.ts";
import { type MergeRule, mergeSource } from "./merge-source.ts";
import { namesIn } from "./names.ts";
import type { OutboxColumns } from "./outbox-columns.ts";
import { newest, nextId } from "./settled.ts";

/** Below, folding everything takes no longer than a few tenths of a second, and checks all of it. */
const LONG_LOG: LongLog = { merges: 1_000, checked: 100 };

export function journalReader(
  query: Query,
  copyOut: CopyOut,
  settings: { readonly schema: string; readonly merge: MergeRule },
  columns: OutboxColumns,
): JournalReader {
  const names = namesIn(settings.schema);
  const { merges, otherMerges, recordedEvents, pageEnd } = mergeSource(query, names, settings.merge, columns);
  return {
    newest: () => newest(query, names),
    oldest: () => nextId(query, names, BEFORE_ALL),
    pageEnd,
    merges,
    otherMerges,
    recordedEvents,
    journal: (after, upTo) => journal(query, names, after, upTo),
    newestJournal: (rows) => newestJournal(query, names, rows),
    long: LONG_LOG,
    facts: (source, upTo, row, other) =>
      facts({ copyOut, names, nextId: (after) => nextId(query, names, after) }, source, upTo, row, other),
    setsOf: (rowIds, upTo) => setsOf(query, names, rowIds, upTo),
    checkpoints: (upTo) => checkpoints(query, names, columns, upTo),
    checkpoint: (rowId) => checkpoint(query, names, rowId),
  };
}
