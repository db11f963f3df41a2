/** Which server answers: identified by the time since when it runs. */
import { DatabaseFailure } from "../outbox/outbox-log.ts";

/**
 * Since when a server runs, in seconds. Behind a pooler a connection outlives its server: the next server may be a
 * standby that lacked the newest commits, and it gives their ids again.
 */
export const STARTED = "extract(epoch FROM pg_postmaster_start_time())::text";

/** @throws DatabaseFailure when another server answers than before: the connection must be made anew. */
export function expectServer(started: string | null | undefined, before: string): void {
  if (started !== before)
    throw new DatabaseFailure({
      code: "SERVER_REPLACED",
      message: "the server restarted, or another server answers",
    });
}
