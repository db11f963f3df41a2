/** Watches who holds the low mark back: names them after a while, and after an hour stops waiting for them. */
import type { Clock } from "../clock.ts";
import type { LowWaterMark } from "../core/low-water-mark.ts";
import type { Report } from "../events/daemon-event.ts";
import type { OutboxLog } from "../outbox-log.ts";

const REPORTED_AFTER_MS = 60_000;
const PASSED_OVER_AFTER_MS = 3_600_000;

type Seen = { readonly since: number; reported: boolean };

export class LongTransactions {
  readonly #log: OutboxLog;
  readonly #report: Report;
  readonly #clock: Clock;
  readonly #seen = new Map<string, Seen>();

  constructor(log: OutboxLog, report: Report, clock: Clock) {
    this.#log = log;
    this.#report = report;
    this.#clock = clock;
  }

  async check(lowWaterMark: LowWaterMark): Promise<void> {
    const now = this.#clock.monotonic();
    const { holders } = lowWaterMark;
    for (const holder of this.#seen.keys()) if (!holders.has(holder)) this.#seen.delete(holder);
    for (const holder of holders) {
      if (!this.#seen.has(holder)) this.#seen.set(holder, { since: now, reported: false });
    }
    const unreported = this.#olderThan(now - REPORTED_AFTER_MS, (seen) => !seen.reported);
    if (unreported.size > 0) {
      for (const holder of unreported) (this.#seen.get(holder) as Seen).reported = true;
      this.#report({ event: "settle.waiting", holders: await this.#log.describe(unreported) });
    }
    const given = this.#olderThan(now - PASSED_OVER_AFTER_MS, () => true);
    if (given.size > 0) {
      this.#report({ event: "settle.gave_up", holders: await this.#log.describe(given) });
      for (const holder of given) lowWaterMark.passOver(holder);
    }
  }

  #olderThan(since: number, matches: (seen: Seen) => boolean): Set<string> {
    return new Set(
      [...this.#seen].filter(([, seen]) => seen.since < since && matches(seen)).map(([holder]) => holder),
    );
  }
}
