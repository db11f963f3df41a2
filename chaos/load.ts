/**
 * The orchestrator of the chaos run: several connections that merge work items in every way a transaction can go, and
 * that come back when the server was away.
 */
import { setTimeout as delay } from "node:timers/promises";
import type pg from "pg";
import { mulberry32, pick, type Random } from "../demo/random.ts";
import { item, merge, transition } from "./merges.ts";
import { OLD, stayOpen } from "./old-transactions.ts";
import { Orchestrator } from "./orchestrator.ts";
import { lockRows } from "./row-locks.ts";
import { mergeDeleted } from "./tables.ts";
import type { Variant } from "./variant.ts";

const WRITERS = 6;
const THINKS_MS = 90;
const HESITATES_MS = 400;
/** A prepared transaction waits this long for its second half. */
const PREPARED_FOR_MS = 700;
/** What is older than so many work items is deleted now and then. */
const DELETES_BEHIND = 30;

type Deed = (client: pg.Client, random: Random) => Promise<void>;

export class Load {
  readonly orchestrator: Orchestrator;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>[];

  constructor(url: string, seed: number, variant: Variant) {
    const orchestrator = new Orchestrator(url, this.#stop.signal);
    this.orchestrator = orchestrator;
    const choices = deeds(variant);
    const chance = (index: number): Random => mulberry32(seed * 31 + index);
    this.#running = Array.from({ length: WRITERS }, (_, index) => {
      const random = chance(index);
      return orchestrator.repeat(1, async (client) => {
        await pick(random, choices)(client, random);
        if (random() < 0.7) await client.query("NOTIFY events_outbox");
        await orchestrator.pause(THINKS_MS * random());
      });
    });
    const locks = chance(WRITERS);
    if (variant.rowLocks === "yes")
      this.#running.push(
        orchestrator.repeat(2, (merging, locking) => lockRows(orchestrator, locks, merging, locking)),
      );
    const old = chance(WRITERS + 1);
    if (variant.oldTransactions === "yes")
      this.#running.push(orchestrator.repeat(1, (client) => stayOpen(orchestrator, old, client)));
  }

  /** Ends the load; what it prepared is ended too. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#running);
    const client = await this.orchestrator.connect();
    await endPrepared(client, "ROLLBACK");
    await client.end();
  }
}

/** Ends every prepared transaction there is. */
export async function endPrepared(
  client: pg.ClientBase,
  how: "COMMIT" | "ROLLBACK",
  but = "",
): Promise<void> {
  const { rows } = await client.query<{ gid: string }>(
    "SELECT gid FROM pg_prepared_xacts WHERE database = current_database() AND gid <> $1",
    [but],
  );
  for (const { gid } of rows) await client.query(`${how} PREPARED '${gid}'`).catch(() => undefined);
}

function hesitate(random: Random): Promise<void> {
  return delay(HESITATES_MS * random() ** 2);
}

function inTransaction(deed: Deed, end: "COMMIT" | "ROLLBACK" = "COMMIT"): Deed {
  return async (client, random) => {
    await client.query("BEGIN");
    await deed(client, random);
    await client.query(end);
  };
}

const several: Deed = async (client, random) => {
  for (let count = 1 + Math.floor(random() * 4); count > 0; count -= 1) {
    await merge(client, random);
    if (random() < 0.3) await hesitate(random);
  }
};

/** Its id is drawn long before its row is there, or anything else tells of it. */
const drawnEarly: Deed = async (client, random) => {
  const { rows } = await client.query<{ id: string }>(
    "SELECT nextval(pg_get_serial_sequence('events_outbox', 'id'))::text AS id",
  );
  await hesitate(random);
  await client.query(
    `INSERT INTO events_outbox (id, kind, work_item_id, payload) VALUES ($1, 'phase.transition', $2, '{"target": "merged"}')`,
    [rows[0]?.id, await item(client, random)],
  );
  await hesitate(random);
};

const late: Deed = async (client, random) => {
  await merge(client, random);
  await hesitate(random);
};

const savepoints: Deed = async (client, random) => {
  await client.query("SAVEPOINT one");
  await merge(client, random);
  await client.query(random() < 0.7 ? "ROLLBACK TO one" : "RELEASE one");
  await hesitate(random);
  await merge(client, random);
};

/** The same work item again, at once or by another session. */
const repeat: Deed = async (client) => {
  const { rows } = await client.query<{ id: string }>(
    "SELECT id::text FROM work_items ORDER BY id DESC LIMIT 1",
  );
  if (rows[0] !== undefined) await transition(client, rows[0].id);
};

const mergedTwice: Deed = async (client, random) => {
  const itemId = await item(client, random);
  await transition(client, itemId);
  await hesitate(random);
  await transition(client, itemId);
};

const unusable: Deed = async (client, random) => {
  const choice = Math.floor(random() * 5);
  if (choice === 0) return transition(client, null);
  if (choice === 1) return transition(client, String(10 ** 12 + Math.floor(random() * 10 ** 6)));
  const [project, attempts] = [["", 1] as const, [null, 1] as const, ["atlas", 0] as const][choice - 2] ?? [];
  const { rows } = await client.query<{ id: string }>(
    "INSERT INTO work_items (project, attempts) VALUES ($1, $2) RETURNING id::text",
    [project, attempts],
  );
  await transition(client, rows[0]?.id ?? null);
};

const prepared: Deed = async (client, random) => {
  const name = `chaos-${Math.floor(random() * 2 ** 32)}`;
  await client.query("BEGIN");
  await merge(client, random);
  await client.query(`PREPARE TRANSACTION '${name}'`);
  await delay(PREPARED_FOR_MS * random());
  await client.query(`${random() < 0.7 ? "COMMIT" : "ROLLBACK"} PREPARED '${name}'`);
};

const noise: Deed = async (client, random) => {
  await client.query(
    `INSERT INTO events_outbox (kind, payload)
     VALUES ('phase.transition', '{"target": "review"}'), ('agent.note', '["merged"]'), ('metric.somebody_elses', '{}')`,
  );
  await client.query("SELECT pg_notify('events_outbox', $1)", ["\u2028".repeat(Math.floor(random() * 100))]);
};

/** What a writer did not live to end. */
const janitor: Deed = (client) => endPrepared(client, "COMMIT", OLD);

/** A work item that merged long ago merges again. */
const again: Deed = async (client, random) => {
  const { rows } = await client.query<{ id: string }>(
    "SELECT id::text FROM work_items WHERE id > $1::float8 * (SELECT max(id) FROM work_items) ORDER BY id LIMIT 1",
    [random()],
  );
  if (rows[0] !== undefined) await transition(client, rows[0].id);
};

const underLowId: Deed = async (client, random) => {
  await client.query(
    `INSERT INTO events_outbox (id, kind, work_item_id, payload) VALUES (nextval('chaos.low_ids'), 'phase.transition', $1, '{"target": "merged"}')`,
    [await item(client, random)],
  );
};

const deleteOld: Deed = async (client, random) => {
  await client.query(
    "DELETE FROM work_items WHERE id = (SELECT floor($1::float8 * (max(id) - $2)) FROM work_items)",
    [random(), DELETES_BEHIND],
  );
};

function deeds({ foreignKey, lowIds }: Variant): readonly (readonly [Deed, number])[] {
  return [
    [merge, 10],
    [inTransaction(several), 8],
    [inTransaction(several, "ROLLBACK"), 4],
    [inTransaction(late), 5],
    [inTransaction(drawnEarly), 5],
    [inTransaction(savepoints), 3],
    [repeat, 1],
    [inTransaction(mergedTwice), 2],
    [unusable, 2],
    [prepared, 2],
    [noise, 2],
    [janitor, 1],
    [again, 1],
    [underLowId, lowIds === "yes" ? 1 : 0],
    [deleteOld, foreignKey === "set-null" ? 3 : 0],
    [mergeDeleted, foreignKey === "not-valid" ? 1 : 0],
  ];
}
