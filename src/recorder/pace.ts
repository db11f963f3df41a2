/** The pace of one connection's loop: how long it rests between two polls, when the whole log is reconciled, and in pages of which size. */
import { PAGE_ROWS } from "../outbox/outbox-log.ts";

/** Reconciliations take at most this share of the time. */
const RECONCILIATION_SHARE = 0.05;
/** Idle polls take at most this share of the time where no index leads to rows by their ids; but one comes this often at least. */
const IDLE_SHARE = 0.01;
const LONGEST_REST_MS = 60_000;
/** Rows of the first page, and of the smallest ones. New merges wait for a page, and its merges may be slow to look up. */
const PAGE = { first: 1_000, least: 100 };
const FAST_PAGE_MS = 250;
const SLOW_PAGE_MS = 1_000;

export type PaceSettings = {
  /** Without any wake-up, poll again after this long. */
  readonly pollIntervalMs: number;
  /** How often the whole log is compared with the journal. */
  readonly auditIntervalMs: number;
};

export type Pace = ReturnType<typeof paceOf>;

export function paceOf({ pollIntervalMs, auditIntervalMs }: PaceSettings, idsIndexed: boolean) {
  let leastRestMs = 0;
  let nextReconciliation = 0;
  /** What the pages of the reconciliation under way have taken; null where none is under way. */
  let spentMs: number | null = null;
  // Without an index each page reads the whole table, whatever its size.
  let pageRows = idsIndexed ? PAGE.first : PAGE_ROWS;
  return {
    /** Rows of the next page to compare. */
    get pageRows(): number {
      return pageRows;
    },
    polled(recorded: number, tookMs: number): void {
      const isSlow = recorded === 0 && !idsIndexed;
      leastRestMs = isSlow ? Math.min(LONGEST_REST_MS, tookMs / IDLE_SHARE) : 0;
    },
    /** Whether it is time to compare a page. */
    reconciles: (now: number): boolean => spentMs !== null || now >= nextReconciliation,
    /** A page has been compared. Only what pages take counts: what happens between them must not delay the next reconciliation. */
    reconciled(from: number, to: number, isComplete: boolean): void {
      const tookMs = to - from;
      if (tookMs < FAST_PAGE_MS) pageRows = Math.min(PAGE_ROWS, 2 * pageRows);
      else if (tookMs > SLOW_PAGE_MS && idsIndexed) pageRows = Math.max(PAGE.least, Math.floor(pageRows / 2));
      const spent = (spentMs ?? 0) + tookMs;
      spentMs = isComplete ? null : spent;
      if (isComplete) nextReconciliation = from + Math.max(auditIntervalMs, spent / RECONCILIATION_SHARE);
    },
    /** How long to wait for the bell. @param retryInMs when a refused merge is retried. */
    restMs: (retryInMs: number): number =>
      spentMs === null ? Math.max(leastRestMs, Math.min(pollIntervalMs, retryInMs)) : leastRestMs,
  };
}
