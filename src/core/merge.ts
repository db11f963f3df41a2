/**
 * A merge: a work item's first arrival at `merged`, with the facts that were read when it was first processed.
 * The facts are frozen into the journal; nothing reads them from `work_items` again.
 */

/** What the windows need to know of a merge. */
export type Facts = {
  readonly project: string;
  /** Builds it took, 1 to 2³¹−1. */
  readonly attempts: number;
  /** The last review's verdict, null where there was none. */
  readonly lastVerdict: string | null;
};

export type Merge = Facts & {
  /** The transition row's id, a bigint as decimal text. */
  readonly eventId: string;
  readonly workItemId: string;
  /** The transition row's `created_at`, ISO 8601 in UTC with milliseconds; null unless it is a date of the years 1–9999. */
  readonly mergedAt: string | null;
};

/** Why a merge cannot be counted. A skip is final. */
export const SKIP_REASONS = [
  "work_item_missing",
  "attempts_invalid",
  "project_missing",
  "project_too_long",
] as const;
export type SkipReason = (typeof SKIP_REASONS)[number];

/** A merge whose facts are unusable: recorded as `metric.merge_skipped`, counted in no window. */
export type SkippedMerge = Identified & { readonly reason: SkipReason };

/** A row of `work_items` as text, exactly as the database returned it. */
export type RawFacts = {
  readonly project: string | null;
  readonly attempts: string | null;
  readonly lastVerdict: string | null;
};

export const MAX_PROJECT_LENGTH = 512;
export const MAX_ATTEMPTS = 2 ** 31 - 1;

/** Reads the facts of a work item, or says why they are unusable. Lengths are counted in characters (code points). */
export function readFacts(raw: RawFacts | null): Facts | SkipReason {
  if (raw === null) return "work_item_missing";
  const attempts = /^[0-9]{1,10}$/.test(raw.attempts ?? "") ? Number(raw.attempts) : 0;
  if (attempts < 1 || attempts > MAX_ATTEMPTS) return "attempts_invalid";
  if (raw.project === null || raw.project === "") return "project_missing";
  if (characters(raw.project) > MAX_PROJECT_LENGTH) return "project_too_long";
  return { project: raw.project, attempts, lastVerdict: raw.lastVerdict };
}

function characters(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

/** What a merge counts once by: its work item, or the event itself where it names none. */
export type Identified = { readonly eventId: string; readonly workItemId: string | null };

/** The identity under which a merge is recorded once. */
export function mergeIdentity({ eventId, workItemId }: Identified): string {
  return workItemId === null ? `event:${eventId}` : `item:${workItemId}`;
}
