/** Transactions that keep the low-water mark from rising: reported after a minute, given up on after an hour. */
import type { LowWaterMark, TransactionName } from "../core/low-water-mark.ts";
import type { Session } from "./session.ts";

const REPORTED_AFTER_MS = 60_000;
const GIVEN_UP_AFTER_MS = 3_600_000;

/** @returns what to call after each poll. */
export function longTransactionWatch(session: Session, lowWaterMark: LowWaterMark): () => Promise<void> {
  const { report, clock } = session;
  const since = new Map<TransactionName, number>();
  const reported = new Set<TransactionName>();
  return async () => {
    const now = clock.monotonic();
    const { holders } = lowWaterMark;
    for (const name of since.keys()) if (!holders.has(name) && since.delete(name)) reported.delete(name);
    for (const name of holders) if (!since.has(name)) since.set(name, now);
    const olderThan = (ageMs: number) =>
      new Set([...holders].filter((name) => now - (since.get(name) ?? now) > ageMs));
    const unreported = olderThan(REPORTED_AFTER_MS).difference(reported);
    if (unreported.size > 0) {
      for (const name of unreported) reported.add(name);
      report({ event: "settle.waiting", holders: await session.log.describe(unreported) });
    }
    const givenUp = olderThan(GIVEN_UP_AFTER_MS);
    if (givenUp.size === 0) return;
    report({ event: "settle.gave_up", holders: await session.log.describe(givenUp) });
    for (const name of givenUp) lowWaterMark.giveUpOn(name);
  };
}
