/** The reading half of the log, bound to a way of asking: the daemon's statements, or one transaction of a command. */
import type { JournalReader } from "../restore.ts";
import { checkpoint, checkpoints } from "./checkpoints.ts";
import type { Query } from "./connection.ts";
import { journal, newestJournal } from "./journal.ts";
import { type MergeRule, mergeSource } from "./merge-source.ts";
import { namesIn } from "./names.ts";
import type { OutboxColumns } from "./preflight.ts";
import { newest } from "./settled.ts";

export function journalReader(
  query: Query,
  settings: { readonly schema: string; readonly merge: MergeRule },
  columns: OutboxColumns,
): JournalReader {
  const names = namesIn(settings.schema);
  const { merges, pageEnd } = mergeSource(query, names, settings.merge, columns);
  return {
    newest: () => newest(query, names),
    pageEnd,
    merges,
    journal: (after, upTo) => journal(query, names, after, upTo),
    newestJournal: (rows) => newestJournal(query, names, rows),
    checkpoints: (limit) => checkpoints(query, names, columns, limit),
    checkpoint: (rowId) => checkpoint(query, names, rowId),
  };
}
