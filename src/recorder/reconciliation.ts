/**
 * The comparison of the whole log with the journal: for what no lock shows (a sequence with a cache, ids given explicitly,
 * a holder that was passed over). All of it, as a transaction that keeps the low mark where it is must not keep others'
 * rows from being found. It goes page by page, and begins anew after the last one.
 */
import type { Clock } from "../clock.ts";
import type { LowWaterMark } from "../core/low-water-mark.ts";
import type { Report } from "../events/daemon-event.ts";
import { type OutboxLog, PAGE_ROWS } from "../outbox-log.ts";
import type { Arrival } from "./plan.ts";

/** Records what is due in a range. @returns how many merges that were. */
type RecordPage = (after: bigint, upTo: bigint, foundBy: Arrival["found_by"]) => Promise<number>;

export class Reconciliation {
  readonly #log: OutboxLog;
  readonly #report: Report;
  readonly #clock: Clock;
  /** Up to where it has come; null while none is under way. */
  #place: bigint | null = null;
  #found = 0;
  #startedAt = 0;

  constructor(log: OutboxLog, report: Report, clock: Clock) {
    this.#log = log;
    this.#report = report;
    this.#clock = clock;
  }

  /**
   * One page.
   * @param recordDoubtful records, at the end, the merges of which only the whole log could tell that they are due.
   * @returns whether it has reached its end.
   */
  async page(
    { low, top }: Pick<LowWaterMark, "low" | "top">,
    record: RecordPage,
    recordDoubtful: (after: bigint) => Promise<number>,
  ): Promise<boolean> {
    if (this.#place === null) {
      this.#place = ((await this.#log.oldest()) ?? top + 1n) - 1n;
      this.#found = 0;
      this.#startedAt = this.#clock.monotonic();
    }
    if (this.#place < top) {
      // Above the low mark the next scan would find it too: then it came late, and nothing went past the scan.
      const passed = this.#place < low;
      const end = await this.#log.pageEnd(this.#place, passed ? low : top, PAGE_ROWS);
      const found = await record(this.#place, end, passed ? "reconciliation" : "poll");
      if (passed) this.#found += found;
      this.#place = end;
    }
    if (this.#place < top) return false;
    this.#found += await recordDoubtful(this.#place);
    this.#place = null;
    const took_ms = Math.round(this.#clock.monotonic() - this.#startedAt);
    this.#report({ event: "reconciliation.completed", found: this.#found, took_ms });
    return true;
  }
}
