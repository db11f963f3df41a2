/** Transactions that stay open, or prepared, for seconds: across retention, restarts and each other's checkpoints. */
import type pg from "pg";
import type { Random } from "../demo/random.ts";
import { merge } from "./merges.ts";
import type { Orchestrator } from "./orchestrator.ts";

const OPEN_MS = { least: 1_000, most: 9_000 };
const PREPARED_MS = 6_000;
const RESTS_MS = 5_000;
/** Prepared transactions of this name are left alone by the load's janitor. */
export const OLD = "chaos-old";

export async function stayOpen(orchestrator: Orchestrator, random: Random, client: pg.Client): Promise<void> {
  // What a connection that broke left behind.
  await client.query(`COMMIT PREPARED '${OLD}'`).catch(() => undefined);
  await client.query("BEGIN");
  for (let count = 1 + Math.floor(3 * random()); count > 0; count -= 1) {
    await merge(client, random);
    await orchestrator.pause(300 * random());
  }
  await orchestrator.pause(OPEN_MS.least + (OPEN_MS.most - OPEN_MS.least) * random());
  if (random() < 0.4) {
    await client.query(`PREPARE TRANSACTION '${OLD}'`);
    await orchestrator.pause(PREPARED_MS * random());
    await client.query(`COMMIT PREPARED '${OLD}'`);
  } else await client.query(random() < 0.9 ? "COMMIT" : "ROLLBACK");
  await orchestrator.pause(RESTS_MS * random());
}
