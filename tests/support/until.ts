/** Waiting for what cannot announce itself: asks again and again, and says what it waited for when it gives up. */
import { setTimeout as delay } from "node:timers/promises";

/** Between two questions: more and more, as asking may be much work for a server that others wait for. */
const FIRST_MS = 10;
const MOST_MS = 100;
/** Ends a test that would wait indefinitely; no test is about how long something takes on a busy machine. */
export const WITHIN_MS = 45_000;

/** Resolves with the first answer that is neither false, null nor undefined. Throws when none comes in time. */
export async function until<T>(
  what: string,
  ask: () => T | Promise<T>,
  withinMs = WITHIN_MS,
): Promise<Exclude<T, false | null | undefined>> {
  const deadline = performance.now() + withinMs;
  let pauseMs = FIRST_MS;
  for (;;) {
    const answer = await ask();
    if (answer !== false && answer != null) return answer as Exclude<T, false | null | undefined>;
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
    await delay(pauseMs);
    pauseMs = Math.min(1.5 * pauseMs, MOST_MS);
  }
}
