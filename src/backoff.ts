/**
 * How long to wait before the next attempt: the delay doubles from `firstMs` up to `capMs`, and each time a random half to
 * whole of it is taken, so that several daemons do not return in step, not even at the cap.
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
