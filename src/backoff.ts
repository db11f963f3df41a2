/**
 * How long to wait before another attempt: doubling from `firstMs` up to `capMs`, each time a random half to whole of
 * it, so that several daemons do not come back in step, at the cap neither.
 */
export type Backoff = { readonly firstMs: number; readonly capMs: number };

/** @param attempt failures in a row so far, from 1. @param random a number in [0, 1). @returns milliseconds. */
export function backoffDelay(backoff: Backoff, attempt: number, random: number): number {
  const whole = Math.min(backoff.capMs, backoff.firstMs * 2 ** Math.min(attempt - 1, 30));
  return Math.round(whole * (0.5 + random / 2));
}

/** Waits, but no longer than until `stop`. */
export async function pause(ms: number, stop: AbortSignal): Promise<void> {
  if (stop.aborted) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      stop.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    stop.addEventListener("abort", done, { once: true });
  });
}
