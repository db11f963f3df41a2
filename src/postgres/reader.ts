/** The reading half of the log, bound to a way of asking: the daemon's statements, or the transactions of a command. */
import { BEFORE_ALL } from "../core/event-id.ts";
import type { JournalReader, LongLog } from "../recorder/outbox-log.ts";
import { checkpoint, checkpoints } from "./checkpoints.ts";
import type { CopyOut } from "./connection.ts";
import { facts, setsOf } from "./facts.ts";
import { newest, nextId, pageEnd } from "./ids.ts";
import { journal, journalRows, newestJournalStatement } from "./journal.ts";
import { type MergeRule, mergeSource } from "./merge-source.ts";
import type { Outbox } from "./names.ts";
import type { OutboxColumns } from "./outbox-columns.ts";

/** Below this, replaying everything takes no longer than a few tenths of a second, and checks all of it. */
const LONG_LOG: LongLog = { merges: 1_000, checked: 100 };

/** Binds every reading conversation to one query. A row that the server cannot read is a failure. */
export function journalReader(
  outbox: Outbox,
  copyOut: CopyOut,
  rule: MergeRule,
  columns: OutboxColumns,
): JournalReader {
  const next = (after: bigint): Promise<bigint | null> => nextId(outbox, after);
  const { merges, otherMerges, recordedEvents } = mergeSource(outbox, rule, columns);
  return {
    newest: () => newest(outbox),
    oldest: () => next(BEFORE_ALL),
    pageEnd: (after, upTo, rows) => pageEnd(outbox, after, upTo, rows),
    merges,
    otherMerges,
    recordedEvents,
    journal: (after, upTo) => journal(outbox, after, upTo),
    newestJournal: (rows, upTo) => journalRows(outbox.query, newestJournalStatement(outbox, rows, upTo)),
    long: LONG_LOG,
    facts: (source, upTo, row, other) =>
      facts({ copyOut, names: outbox, nextId: next }, source, upTo, row, other),
    setsOf: (rowIds, upTo) => setsOf(outbox, rowIds, upTo),
    checkpoints: (upTo) => checkpoints(outbox, columns, upTo),
    checkpoint: (rowId) => checkpoint(outbox, rowId),
  };
}
