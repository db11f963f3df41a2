/**
 * Row locks of the orchestrator that a foreign key makes us wait for: a merged item locked for seconds, and the pattern
 * that deadlocks with a session that holds one item and waits for another.
 */
import type pg from "pg";
import type { Random } from "../demo/random.ts";
import { item, transition } from "./merges.ts";
import type { Orchestrator } from "./orchestrator.ts";

/** Enough for one insert of ours to record several of them. */
const ITEMS = 5;
const HOLDS_MS = 3_000;
/** Up to half a deadlock_timeout later than the daemon's own look for deadlocks, which would have found none. */
const WANTS_NEXT_MS = { least: 400, most: 1_500 };
const QUEUES_MS = 25;
const RESTS_MS = 300;

/** Merges some items; locks the last before anybody can have recorded it, then holds it, or wants another one too. */
export async function lockRows(
  orchestrator: Orchestrator,
  random: Random,
  merging: pg.Client,
  locking: pg.Client,
): Promise<void> {
  const items: string[] = [];
  while (items.length < ITEMS) items.push(await item(merging, random));
  const [first = "", last = ""] = [items[Math.floor(random() * (ITEMS - 1))], items.at(-1)];
  await merging.query("BEGIN");
  for (const id of items) await transition(merging, id);
  await locking.query("BEGIN");
  const lock = (id: string): Promise<unknown> =>
    locking.query("SELECT FROM work_items WHERE id = $1 FOR UPDATE", [id]);
  const locked = lock(last);
  locked.catch(() => undefined);
  // It waits for the merging transaction, and is served at its end.
  await orchestrator.pause(QUEUES_MS);
  await merging.query("COMMIT; NOTIFY events_outbox");
  await locked;
  if (random() < 0.5) await orchestrator.pause(HOLDS_MS * random());
  else {
    const { least, most } = WANTS_NEXT_MS;
    await orchestrator.pause(least + (most - least) * random());
    await lock(first);
    await orchestrator.pause(100 * random());
  }
  await locking.query("COMMIT");
  await orchestrator.pause(RESTS_MS * random());
}
