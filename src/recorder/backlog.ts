/** Reports a backlog: merges on more than one page of the log, such as those of the past on first start. */
import { Progress } from "../progress.ts";
import type { Session } from "./session.ts";

/** The ids from < id ≤ upTo are to be read. */
export function backlogOf({ clock, report }: Session, from: bigint, upTo: bigint) {
  const startedAt = clock.monotonic();
  let recorded = 0;
  let isReported = false;
  const progress = new Progress(clock.monotonic, from, upTo, (figures) =>
    report({ event: "backlog.progress", ...figures, recorded }),
  );
  return {
    /** A page that ends here is about to be recorded. */
    begins(end: bigint): void {
      if (isReported || end >= upTo) return;
      isReported = true;
      report({ event: "backlog.started" });
    },
    /** Every merge up to here is recorded. @param merges recorded by this page. */
    passed(end: bigint, merges: number): void {
      recorded += merges;
      progress.at(end);
      if (!isReported || end < upTo) return;
      const took_ms = Math.round(clock.monotonic() - startedAt);
      report({ event: "backlog.completed", recorded, took_ms });
    },
  };
}
