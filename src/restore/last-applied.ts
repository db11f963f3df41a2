/**
 * The head: the newest row of ours that memory stands on. Every look at the log asks for the row at its id again, and
 * that it is there, unchanged, proves that memory stands on this very log. So whoever folds rows remembers it.
 */
import { createHash } from "node:crypto";
import type { JournalRow, RawJournalRow } from "../core/journal-row.ts";
import type { Walk } from "../core/walk.ts";
import type { Head } from "../outbox-log.ts";

/** Replays rows, given as they were read and parsed. @returns the newest one of ours, to stand on; null where none is. */
export function acceptRows(
  walk: Walk,
  raws: readonly RawJournalRow[],
  rows: readonly JournalRow[],
  seen: (row: JournalRow) => void,
): Head | null {
  let newest: RawJournalRow | undefined;
  rows.forEach((row, index) => {
    if (row.type === "metric" || row.type === "skipped") newest = raws[index];
    walk.accept(row);
    seen(row);
  });
  return newest === undefined ? null : lastAppliedOf(newest);
}

/** SHA-256 of a payload's text in hex, as PostgreSQL's `encode(sha256(…), 'hex')` gives it. */
export function lastAppliedOf(row: RawJournalRow): Head {
  const fingerprint = createHash("sha256")
    .update(row.payload ?? "")
    .digest("hex");
  return { id: row.id, fingerprint };
}
