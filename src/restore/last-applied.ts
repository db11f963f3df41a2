/**
 * The last applied row: the newest row of ours that memory includes. Every poll asks for the row at its id again: that it
 * exists and is unchanged proves that memory describes this very log.
 */
import { createHash } from "node:crypto";
import type { JournalRow, RawJournalRow } from "../core/journal-row.ts";
import type { Walk } from "../core/walk.ts";
import type { AppliedRow } from "../outbox/outbox-log.ts";

/**
 * Applies rows to memory.
 * @param raws and `rows` are the same rows, as they were read and as they were parsed.
 * @returns the last one of ours; null where none is.
 */
export function applyRows(
  walk: Walk,
  raws: readonly RawJournalRow[],
  rows: readonly JournalRow[],
  seen: (row: JournalRow) => void,
): AppliedRow | null {
  let last: RawJournalRow | undefined;
  rows.forEach((row, index) => {
    if (row.type === "metric" || row.type === "skipped") last = raws[index];
    walk.accept(row);
    seen(row);
  });
  return last === undefined ? null : appliedRow(last);
}

/** With the SHA-256 of the payload's text in hex, as PostgreSQL's `encode(sha256(…), 'hex')` computes it. */
export function appliedRow({ id, payload }: RawJournalRow): AppliedRow {
  const fingerprint = createHash("sha256")
    .update(payload ?? "")
    .digest("hex");
  return { id, fingerprint };
}
