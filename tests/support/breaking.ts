/** Edits of recorded rows, as SQL, and whether a replay refuses them. */
import { readLog } from "../../src/cli/read-log.ts";
import { lookAt } from "../../src/cli/read-snapshot.ts";
import type { Config } from "../../src/config.ts";

/** The rows of the merge with this seq of the global scope. @param more narrows them down. */
export const OF_SEQ = (seq: number, more = "true"): string =>
  `kind LIKE 'metric.%' AND payload->'merge'->>'event_id' = (SELECT payload->'merge'->>'event_id' FROM events_outbox
     WHERE kind = 'metric.first_pass_merge_rate' AND payload->>'seq' = '${seq}') AND ${more}`;

export const FIRST_PASS = "kind = 'metric.first_pass_merge_rate'";

/** Another value at this path (`a,b`) of the payloads of these rows. */
export const set = (path: string, value: string, where: string): string =>
  `UPDATE events_outbox SET payload = jsonb_set(payload, '{${path}}', '${value}') WHERE ${where}`;

async function* noCheckpoints(): AsyncGenerator<never> {}

/** Whether a replay of every row, without a checkpoint, refuses the log. */
export async function isRefused(config: Config): Promise<boolean> {
  try {
    await readLog(config, "snapshot", { timeoutMs: 30_000 }, (access) => {
      const long = { merges: Number.POSITIVE_INFINITY, checked: 0 };
      return lookAt({ ...access, reader: { ...access.reader, long, checkpoints: noCheckpoints } }, config);
    });
    return false;
  } catch (error) {
    if (error instanceof Error && error.message.includes("Nothing is recorded until this is repaired"))
      return true;
    throw error;
  }
}
