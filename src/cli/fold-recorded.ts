/** Folds the recorded merges of the whole log, oldest first, page by page. */
import { type RecordedMerge, Timeline } from "../core/timeline.ts";
import type { Outbox } from "../postgres/names.ts";
import { rowOf } from "../postgres/reader-at.ts";
import { type LogAccess, logPages, type ReadOptions, readPages } from "./read-log.ts";

/** Takes merges in their order. */
export type Fold<T> = { readonly take: (recorded: RecordedMerge) => void; readonly result: T };

/** A walk along the journal. */
export type Walked<T> = {
  readonly result: T;
  /** The id of the first row that was read. */
  readonly first: string | null;
  /** A text for each missing part, the same in every walk. */
  readonly gaps: readonly string[];
};

/** After so many walks, rows that are missing are reported as missing. */
const MOST_WALKS = 5;

/**
 * Walks until the result is that of one state of the log. If rows are missing, retention may have deleted them during the
 * walk, unless the first row still exists or an earlier walk missed the same.
 */
export async function steadily<T>(outbox: Outbox, walk: () => Promise<Walked<T>>): Promise<T> {
  const known = new Set<string>();
  for (let walks = 1; ; walks += 1) {
    const { result, first, gaps } = await walk();
    if (first === null || walks === MOST_WALKS || gaps.every((gap) => known.has(gap))) return result;
    if ((await rowOf(outbox, BigInt(first))) !== null) return result;
    for (const gap of gaps) known.add(gap);
  }
}

/**
 * @param end our last row to read, see `journalEnd`.
 * @param progress is called with the share that is done, 0–1.
 * @param begin makes a new fold for each walk.
 */
export function foldRecorded<T>(
  access: LogAccess,
  end: bigint | null,
  progress: ReadOptions["progress"],
  begin: () => Fold<T>,
): Promise<T> {
  return steadily(access, async () => {
    const { take, result } = begin();
    const gaps: string[] = [];
    let first: string | null = null;
    let seq: number | null = null;
    const accept = (recorded: RecordedMerge | null): void => {
      if (recorded === null) return;
      const next = recorded.seq ?? seq;
      if (seq !== null && next !== null && next > seq + 1) gaps.push(recorded.merge.eventId);
      seq = next;
      take(recorded);
    };
    const timeline = new Timeline();
    const pages = logPages(access, null, end, progress);
    for await (const raws of readPages(pages, (page) => access.reader.journal(page.after, page.end))) {
      for (const raw of raws) {
        first ??= raw.id;
        accept(timeline.accept(raw));
      }
    }
    accept(timeline.end());
    return { result, first, gaps };
  });
}
