/** Where in the log an event is recorded, or why it is not: for `snapshot --at`. */
import type { Config } from "../config.ts";
import { idOrNull } from "../core/event-id.ts";
import { eventOf, type RawJournalRow } from "../core/journal-row.ts";
import { readable } from "../core/timeline.ts";
import { pagesAfter } from "../pages.ts";
import { rowOf, rowsAbout, rowsNaming } from "../postgres/reader-at.ts";
import { journalEnd, type LogAccess, READ_ROWS } from "./read-log.ts";

/** There is no record of the event. The database is well, and the usage is not wrong either: only the database could tell. */
class NotRecorded extends Error {
  readonly exitCode = 1;
}

/**
 * The id of the last row that records this event.
 * @throws NotRecorded, saying what the id is instead.
 */
export async function recordedAt(access: LogAccess, config: Config, event: bigint): Promise<bigint> {
  const { query, names, reader } = access;
  const id = String(event);
  const end = await journalEnd(access);
  const ofItem = end === null ? [] : (await rowsAbout(access, event)).filter((raw) => BigInt(raw.id) <= end);
  const [merge] = await reader.merges(event - 1n, event);
  // Where its work item is known, its rows are found by it or are not there.
  const named = merge?.workItemId != null || ofItem.length > 0 ? [] : await naming(access, event, end);
  const last = lastOf(ofItem, id) ?? lastOf(named, id);
  if (last !== null) return last;
  const takes = "--at takes the id of the transition to merged";
  const row = await rowOf(query, names, event);
  if (row === null)
    throw new NotRecorded(
      `there is no event ${id} in the log: ${takes}, as \`metrics history -o jsonl\` shows it`,
    );
  const parsed = readable(row);
  if (parsed?.type === "metric")
    throw new NotRecorded(
      `event ${id} is a row of ours that records merge ${parsed.merge.eventId}: ask --at ${parsed.merge.eventId}`,
    );
  if (merge === undefined)
    throw new NotRecorded(
      `event ${id} is no merge but ${JSON.stringify(row.kind)}: ${takes} (${config.merge.kind}, target ${config.merge.target})`,
    );
  const recordedAs = merge.recordedAs ?? ofItem.map(recordedIn).find((other) => other !== null) ?? null;
  throw new NotRecorded(
    recordedAs === null
      ? `event ${id} is a merge that is not recorded yet: a daemon that runs will, the lag of \`metrics snapshot\` says how many are due`
      : `event ${id} is a later arrival of work item ${merge.workItemId}, which is recorded as event ${recordedAs}: ask --at ${recordedAs}`,
  );
}

/** The event that a row records. */
function recordedIn(raw: RawJournalRow): string | null {
  const row = readable(raw);
  return row === null ? null : eventOf(row);
}

function lastOf(raws: readonly RawJournalRow[], event: string): bigint | null {
  return idOrNull(raws.findLast((raw) => recordedIn(raw) === event)?.id);
}

/**
 * The rows that record an event whose transition, or whose work item, is gone: from the event's own id on, as its rows most
 * often follow soon; then those before it. The whole set, which may lie on two pages.
 */
async function naming(access: LogAccess, event: bigint, end: bigint | null): Promise<RawJournalRow[]> {
  const { reader } = access;
  const oldest = await reader.oldest();
  if (end === null || oldest === null) return [];
  const start = event < oldest ? oldest - 1n : event < end ? event : end;
  const ranges = [
    [start, end],
    [oldest - 1n, start],
  ] as const;
  for (const [from, to] of ranges) {
    const found: RawJournalRow[] = [];
    for await (const page of pagesAfter(reader, from, to, READ_ROWS)) {
      const before = found.length;
      const rows = await rowsNaming(access, event, page.after, page.end);
      found.push(...rows.filter((raw) => recordedIn(raw) === String(event)));
      if (found.length > 0 && found.length === before) return found;
    }
    if (found.length > 0) return found;
  }
  return [];
}
