/** Finds the row that records an event, for `snapshot --at`, or the reason why no row does. */
import type { Config } from "../config.ts";
import { eventOf, type RawJournalRow, readable } from "../core/journal-row.ts";
import { Failed } from "../failed.ts";
import type { FoundMerge } from "../outbox/outbox-log.ts";
import { rowOf, rowsAbout, rowsNaming } from "../postgres/reader-at.ts";
import { journalEnd, type LogAccess, logPages } from "./read-log.ts";

/** The id of the last row that records this event. @throws Failed, which says what the id is instead. */
export async function recordedAt(access: LogAccess, config: Config, event: bigint): Promise<bigint> {
  const id = String(event);
  const end = await journalEnd(access);
  const ofItem = end === null ? [] : (await rowsAbout(access, event)).filter((raw) => BigInt(raw.id) <= end);
  const [merge] = await access.reader.merges(event - 1n, event);
  // If its work item is known, that item's index finds every row that records it.
  const named = merge?.workItemId != null || ofItem.length > 0 ? [] : await naming(access, event, end);
  const last = [...named, ...ofItem].findLast((raw) => recordedIn(raw) === id);
  if (last !== undefined) return BigInt(last.id);
  const recordedAs = merge?.recordedAs ?? ofItem.map(recordedIn).find((other) => other !== null) ?? null;
  throw new Failed(1, await instead(access, config.merge, event, merge, recordedAs));
}

/** Describes an event that is not recorded. @param recordedAs the event by which its work item is recorded. */
async function instead(
  access: LogAccess,
  { kind, target }: Config["merge"],
  event: bigint,
  merge: FoundMerge | undefined,
  recordedAs: string | null,
): Promise<string> {
  const takes = "--at takes the id of the transition to merged";
  const row = await rowOf(access, event);
  if (row === null)
    return `there is no event ${event} in the log: ${takes}, as \`metrics history -o jsonl\` shows it`;
  const parsed = readable(row);
  if (parsed?.type === "metric")
    return `event ${event} is a metric row, which records merge ${parsed.merge.eventId}: use --at ${parsed.merge.eventId}`;
  if (merge === undefined)
    return `event ${event} is not a merge but ${JSON.stringify(row.kind)}: ${takes} (${kind}, target ${target})`;
  return recordedAs === null
    ? `event ${event} is a merge that is not recorded yet: a running daemon records it, and \`metrics snapshot\` shows the lag`
    : `event ${event} is a duplicate: work item ${merge.workItemId} is recorded as event ${recordedAs}: use --at ${recordedAs}`;
}

/** The event that a row records. */
function recordedIn(raw: RawJournalRow): string | null {
  const row = readable(raw);
  return row === null ? null : eventOf(row);
}

/**
 * The rows that record an event whose transition, or whose work item, is gone. Looks first after the event's own id, where
 * its rows usually are, then before it. Takes the whole set, which may lie on two pages.
 */
async function naming(access: LogAccess, event: bigint, end: bigint | null): Promise<RawJournalRow[]> {
  const oldest = await access.reader.oldest();
  if (end === null || oldest === null) return [];
  const start = event < oldest ? oldest - 1n : event < end ? event : end;
  const ranges = [
    [start, end],
    [oldest - 1n, start],
  ] as const;
  for (const [from, to] of ranges) {
    const found: RawJournalRow[] = [];
    for await (const page of logPages(access, from, to)) {
      const before = found.length;
      const rows = await rowsNaming(access, event, page.after, page.end);
      found.push(...rows.filter((raw) => recordedIn(raw) === String(event)));
      if (found.length > 0 && found.length === before) return found;
    }
    if (found.length > 0) return found;
  }
  return [];
}
