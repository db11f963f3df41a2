/** The recorded merges of the whole log, oldest first, page by page. */
import { type RecordedMerge, Timeline } from "../core/timeline.ts";
import { type JournalReader, PAGE_ROWS } from "../outbox-log.ts";

/**
 * @param newest the id up to which the log is read.
 * @param progress hears how far it has come, 0–1.
 */
export async function eachRecorded(
  reader: JournalReader,
  newest: bigint,
  progress: (share: number) => void,
  take: (recorded: RecordedMerge) => void,
): Promise<void> {
  const timeline = new Timeline();
  for (let after = 0n; after < newest; ) {
    const end = await reader.pageEnd(after, newest, PAGE_ROWS);
    for (const raw of await reader.journal(after, end)) {
      const complete = timeline.accept(raw);
      if (complete !== null) take(complete);
    }
    after = end;
    progress(Number(after) / Number(newest));
  }
  const last = timeline.end();
  if (last !== null) take(last);
}
