/** Where in the log an event is recorded, or why it is not: for `snapshot --at`. */
import type { Config } from "../config.ts";
import { readable } from "../core/timeline.ts";
import { rowOf, rowsAbout } from "../postgres/reader-at.ts";
import type { LogAccess } from "./read-log.ts";

/** There is no record of the event. The database is well, and the usage is not wrong either: only the database could tell. */
class NotRecorded extends Error {
  readonly exitCode = 1;
}

/**
 * The id of the last row that records this event.
 * @throws NotRecorded, saying what the id is instead.
 */
export async function recordedAt(
  { query, names, reader }: LogAccess,
  config: Config,
  event: bigint,
): Promise<bigint> {
  const id = String(event);
  let last: bigint | null = null;
  let otherEvent: string | null = null;
  for (const raw of await rowsAbout(query, names, event)) {
    const row = readable(raw);
    const recorded =
      row?.type === "metric" ? row.merge.eventId : row?.type === "skipped" ? row.eventId : null;
    if (recorded === id) last = BigInt(raw.id);
    else otherEvent ??= recorded;
  }
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
  const [merge] = await reader.merges(event - 1n, event);
  if (merge === undefined)
    throw new NotRecorded(
      `event ${id} is no merge but ${JSON.stringify(row.kind)}: ${takes} (${config.merge.kind}, target ${config.merge.target})`,
    );
  const recordedAs = merge.recordedAs ?? otherEvent;
  throw new NotRecorded(
    recordedAs === null
      ? `event ${id} is a merge that is not recorded yet: a daemon that runs will, the lag of \`metrics snapshot\` says how many are due`
      : `event ${id} is a later arrival of work item ${merge.workItemId}, which is recorded as event ${recordedAs}: ask --at ${recordedAs}`,
  );
}
