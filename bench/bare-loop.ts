/**
 * The least that a reaction to a merge can be: hear, fetch, insert. No fence, no fold, no settling, nothing checked; two
 * of them would write everything twice. It looks for transitions to a target of its own, so that the
 * daemon, which runs at the same time, does not find them, and its rows are as many and as long as the daemon's.
 */
import { connected, type Database } from "./server.ts";

/** About what a metric row's payload takes. */
const METRIC_ROW_BYTES = 430;

export const BARE_TARGET = "bare";
export const BARE_CHANNEL = "bench_bare";

export interface BareLoop extends AsyncDisposable {
  recorded(eventId: string): Promise<number>;
}

export async function startBareLoop({ ownerUrl }: Database): Promise<BareLoop> {
  const listener = await connected(ownerUrl);
  const worker = await connected(ownerUrl);
  const payload = JSON.stringify({ like: "x".repeat(METRIC_ROW_BYTES) });
  const start = await worker.query<{ id: string }>(
    "SELECT coalesce(max(id), 0)::text AS id FROM events_outbox",
  );
  let last = start.rows[0]?.id ?? "0";
  const recordedAt = new Map<string, number>();
  const waiting = new Map<string, (at: number) => void>();
  let working = false;
  let again = false;

  async function work(): Promise<void> {
    if (working) {
      again = true;
      return;
    }
    working = true;
    do {
      again = false;
      const { rows } = await worker.query<{ id: string; work_item_id: string }>(
        `SELECT e.id::text, e.work_item_id::text, w.project, w.attempts, w.last_verdict, e.created_at
           FROM events_outbox e JOIN work_items w ON w.id = e.work_item_id
          WHERE e.id > $1 AND e.kind = 'phase.transition' AND e.payload->>'target' = '${BARE_TARGET}' ORDER BY e.id`,
        [last],
      );
      const newest = rows.at(-1);
      if (newest === undefined) continue;
      last = newest.id;
      await worker.query(
        `INSERT INTO events_outbox (kind, work_item_id, payload)
         SELECT 'bench.row', item::bigint, $2::jsonb FROM unnest($1::text[]) item, generate_series(1, 4)`,
        [rows.map((row) => row.work_item_id), payload],
      );
      const at = performance.now();
      for (const { id } of rows) {
        recordedAt.set(id, at);
        waiting.get(id)?.(at);
      }
    } while (again);
    working = false;
  }

  listener.on("notification", () => void work());
  await listener.query(`LISTEN ${BARE_CHANNEL}`);
  return {
    recorded: (eventId) =>
      new Promise((resolve) => {
        const at = recordedAt.get(eventId);
        if (at === undefined) waiting.set(eventId, resolve);
        else resolve(at);
      }),
    async [Symbol.asyncDispose]() {
      await listener.end();
      await worker.end();
    },
  };
}
