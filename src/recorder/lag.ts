/** The lag: for how long there may have been merges that are not recorded. A high lag and its end are reported. */
import type { Clock } from "../clock.ts";
import type { Report } from "../events/daemon-event.ts";

const HIGH_LAG_MS = 60_000;
const CHECKED_EVERY_MS = 1_000;

export function lagOf({ clock, report }: { readonly clock: Clock; readonly report: Report }) {
  /** Since when merges may be unrecorded; null while there are none. */
  let since: number | null = clock.monotonic();
  let wasHigh = false;

  function seconds(): number {
    return since === null ? 0 : (clock.monotonic() - since) / 1000;
  }

  function check(): void {
    const isHigh = seconds() * 1000 > HIGH_LAG_MS;
    if (isHigh === wasHigh) return;
    wasHigh = isHigh;
    report(isHigh ? { event: "lag.high", seconds: Math.round(seconds()) } : { event: "lag.recovered" });
  }

  return {
    /** 0 when every merge is recorded. */
    seconds,
    /** The log is about to be polled and may hold merges that are not recorded. */
    begin(): void {
      since ??= clock.monotonic();
    },
    /** Every merge is recorded. */
    end(): void {
      since = null;
      check();
    },
    /** Checks from time to time, as the lag grows without any merge, until the returned function is called. */
    watch(): () => void {
      const timer = setInterval(check, CHECKED_EVERY_MS);
      return () => clearInterval(timer);
    },
  };
}
