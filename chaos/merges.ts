/** Work items that merge, with facts by chance. */
import type pg from "pg";
import type { Random } from "../demo/random.ts";

const PROJECTS = ["atlas", "borealis", "__proto__", "名前\u202e", "one\ntwo", "c".repeat(512)];

export async function item(client: pg.Client, random: Random): Promise<string> {
  const { rows } = await client.query<{ id: string }>(
    "INSERT INTO work_items (project, attempts, last_verdict, phase) VALUES ($1, $2, $3, 'merged') RETURNING id::text",
    [
      PROJECTS[Math.floor(random() ** 2 * PROJECTS.length)],
      random() < 0.75 ? 1 : 2 + Math.floor(random() * 8),
      random() < 0.08 ? "rebase_conflict" : "approve",
    ],
  );
  return rows[0]?.id ?? "";
}

export async function transition(client: pg.Client, itemId: string | null): Promise<void> {
  await client.query(
    `INSERT INTO events_outbox (kind, work_item_id, payload) VALUES ('phase.transition', $1, '{"target": "merged"}')`,
    [itemId],
  );
}

export async function merge(client: pg.Client, random: Random): Promise<void> {
  await transition(client, await item(client, random));
}
