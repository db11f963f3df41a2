/** The reading half of the log, bound to a way of asking: the daemon's statements, or the transactions of a command. */
import { BEFORE_ALL } from "../core/event-id.ts";
import type { JournalReader, LongLog } from "../outbox/outbox-log.ts";
import { checkpoint, checkpoints } from "./checkpoints.ts";
import type { CopyOut } from "./connection.ts";
import { facts, setsOf } from "./facts.ts";
import { faultOf } from "./failure.ts";
import { newest, nextId, pageEnd } from "./ids.ts";
import { journal, journalRows, newestJournalStatement } from "./journal.ts";
import { type MergeRule, mergeSource } from "./merge-source.ts";
import type { Outbox } from "./names.ts";
import type { OutboxColumns } from "./outbox-columns.ts";
import { aroundDamage } from "./unreadable.ts";

/** Below this, replaying everything takes no longer than a few tenths of a second, and checks all of it. */
const LONG_LOG: LongLog = { merges: 1_000, checked: 100 };

/** Binds every reading conversation to one outbox. Rows that the server cannot read are left out where the outbox says so. */
export function journalReader(
  outbox: Outbox,
  copyOut: CopyOut,
  rule: MergeRule,
  columns: OutboxColumns,
): JournalReader {
  const source = mergeSource(outbox, rule, columns);
  /** Failures of these do not name the row. The pages that are read instead of them, or beside them, do. */
  const unlessDamaged = <T>(read: Promise<T>, otherwise: T): Promise<T> =>
    outbox.unreadable === undefined ? read : orWhenDamaged(read, otherwise);
  return {
    newest: () => newest(outbox),
    oldest: () => nextId(outbox, BEFORE_ALL),
    pageEnd: (after, upTo, rows) => pageEnd(outbox, after, upTo, rows),
    merges: source.merges,
    otherMerges: (merges) => unlessDamaged(source.otherMerges(merges), new Map()),
    recordedEvents: (after, upTo) => aroundDamage(outbox, after, upTo, source.recordedEvents),
    journal: (after, upTo) => aroundDamage(outbox, after, upTo, (from, to) => journal(outbox, from, to)),
    newestJournal: (rows, upTo) => journalRows(outbox.query, newestJournalStatement(outbox, rows, upTo)),
    long: LONG_LOG,
    facts: (...asked) => unlessDamaged(facts({ copyOut, outbox }, ...asked), false),
    setsOf: (rowIds, upTo) => unlessDamaged(setsOf(outbox, columns, rowIds, upTo), []),
    checkpoints: (upTo) => checkpoints(outbox, columns, upTo),
    checkpoint: async (rowId) => {
      const id = BigInt(rowId);
      const found = await aroundDamage(outbox, id - 1n, id, async () => [await checkpoint(outbox, rowId)]);
      return found[0] ?? null;
    },
  };
}

/** What is read; something else where a row cannot be read. */
export async function orWhenDamaged<T>(read: Promise<T>, otherwise: T): Promise<T> {
  try {
    return await read;
  } catch (error) {
    if (faultOf(error) === "storage") return otherwise;
    throw error;
  }
}
