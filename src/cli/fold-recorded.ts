/** The recorded merges of the whole log, oldest first, page by page. */
import { type RecordedMerge, Timeline } from "../core/timeline.ts";
import { pagesAfter } from "../pages.ts";
import { rowExists } from "../postgres/audit.ts";
import { type LogAccess, READ_ROWS } from "./read-log.ts";

/** Takes merges in their order, and gives what comes of them. */
export type Fold<T> = { readonly take: (recorded: RecordedMerge) => void; readonly result: T };

/** What a walk along the journal found that retention may have brought about, deleting rows that were not read yet. */
export type Walked<T> = {
  readonly result: T;
  /** The first row that was read. */
  readonly first: string | null;
  /** Where something is missing, in any words that say so again. */
  readonly gaps: readonly string[];
};

/** Walks after which what is missing is believed to be. */
const MOST_WALKS = 5;

/**
 * Walks until what is missing is missing in the log itself: where the first row is still there, or where the same was missing
 * before. Otherwise rows went from the old end meanwhile, and more of them than were read.
 */
export async function steadily<T>(
  access: Pick<LogAccess, "query" | "names">,
  walk: () => Promise<Walked<T>>,
): Promise<T> {
  const known = new Set<string>();
  for (let walks = 1; ; walks += 1) {
    const { result, first, gaps } = await walk();
    if (first === null || walks === MOST_WALKS || gaps.every((gap) => known.has(gap))) return result;
    if (await rowExists(access.query, access.names, first)) return result;
    for (const gap of gaps) known.add(gap);
  }
}

/**
 * Folds all recorded merges.
 * @param end the row of ours up to which the log is read, see `journalEnd`.
 * @param progress hears how far it has come, 0–1.
 * @param begin a new fold: one for each walk.
 */
export function foldRecorded<T>(
  access: LogAccess,
  end: bigint | null,
  progress: (share: number) => void,
  begin: () => Fold<T>,
): Promise<T> {
  return steadily(access, async () => {
    const { take, result } = begin();
    return { result, ...(await eachRecorded(access, end, progress, take)) };
  });
}

async function eachRecorded(
  { reader }: LogAccess,
  end: bigint | null,
  progress: (share: number) => void,
  take: (recorded: RecordedMerge) => void,
): Promise<Omit<Walked<unknown>, "result">> {
  const gaps: string[] = [];
  let first: string | null = null;
  let seq: number | null = null;
  const taken = (recorded: RecordedMerge | null): void => {
    if (recorded === null) return;
    const next = recorded.rows.find(({ scope }) => scope === "global")?.seq ?? seq;
    if (seq !== null && next !== null && next > seq + 1) gaps.push(recorded.merge.eventId);
    seq = next;
    take(recorded);
  };
  const oldest = await reader.oldest();
  if (end === null || oldest === null) return { first, gaps };
  const timeline = new Timeline();
  for await (const page of pagesAfter(reader, oldest - 1n, end, READ_ROWS)) {
    for (const raw of await reader.journal(page.after, page.end)) {
      first ??= raw.id;
      taken(timeline.accept(raw));
    }
    progress(shareOf(page.end, oldest, end));
  }
  taken(timeline.end());
  return { first, gaps };
}

/** How far a walk from `start` to `end` has come at `place`, 0–1. */
export function shareOf(place: bigint, start: bigint, end: bigint): number {
  return end <= start ? 1 : Math.min(1, Number(place - start) / Number(end - start));
}
