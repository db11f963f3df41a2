/** The orchestrator of a soak: merges at a steady rate and in bursts, told or not, late, rolled back. Chance is seeded. */
import { setTimeout as delay } from "node:timers/promises";
import type pg from "pg";
import type { Random } from "../demo/random.ts";
import { merge } from "./merges.ts";
import { connected, type Database } from "./server.ts";

/** How a merge came about: what its lag may be depends on it. */
export type Manner = "notified" | "silent" | "held open" | "burst";

export type SoakLoad = {
  /** Merges per second. */
  readonly rate: number;
  readonly burst: number;
  readonly burstEveryMs: number;
};

export interface SoakOrchestrator {
  /** How each committed merge came about, by its event. */
  readonly committed: ReadonlyMap<string, Manner>;
  readonly rolledBack: number;
  /** Works until `stop`, and until what it holds open has ended. */
  run(stop: AbortSignal): Promise<void>;
}

const TICK_MS = 20;
const LONGEST_HOLD_MS = 3_000;
const OTHER_EVENTS = `
  INSERT INTO events_outbox (kind, work_item_id, payload)
  SELECT 'agent.finished', step, '{"agent": "builder-3", "tokens": 1712, "usd": 0.0123}' FROM generate_series(1, 13) step`;

export function soakOrchestrator(database: Database, random: Random, load: SoakLoad): SoakOrchestrator {
  const committed = new Map<string, Manner>();
  const held = new Set<Promise<void>>();
  let rolledBack = 0;

  async function one(client: pg.Client): Promise<void> {
    await client.query(OTHER_EVENTS);
    const lot = random();
    if (lot < 0.05) {
      const ended = hold(database, random() * LONGEST_HOLD_MS, random() < 0.5);
      held.add(ended);
      void ended.finally(() => held.delete(ended));
      return;
    }
    const manner = lot < 0.15 ? "silent" : "notified";
    const { eventIds } = await merge(client, 1, manner === "silent" ? { channel: "unheard" } : {});
    for (const id of eventIds) committed.set(id, manner);
  }

  async function hold({ ownerUrl }: Database, forMs: number, commits: boolean): Promise<void> {
    const client = await connected(ownerUrl);
    try {
      const { eventIds } = await merge(client, 1, { end: () => delay(forMs, commits) });
      if (commits) for (const id of eventIds) committed.set(id, "held open");
      else rolledBack += 1;
    } finally {
      await client.end();
    }
  }

  return {
    committed,
    get rolledBack() {
      return rolledBack;
    },
    async run(stop) {
      const client = await connected(database.ownerUrl);
      const startedAt = performance.now();
      let made = 0;
      let nextBurst = startedAt + load.burstEveryMs;
      while (!stop.aborted) {
        const now = performance.now();
        if (now >= nextBurst) {
          nextBurst = now + load.burstEveryMs * (0.5 + random());
          const { eventIds } = await merge(client, load.burst);
          for (const id of eventIds) committed.set(id, "burst");
        }
        for (; made < ((now - startedAt) / 1_000) * load.rate; made += 1) await one(client);
        await delay(TICK_MS);
      }
      await Promise.all(held);
      await client.end();
    },
  };
}
