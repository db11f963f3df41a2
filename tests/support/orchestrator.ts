/** The orchestrator's side of a test: merges with given facts, transactions held open, notifications. Plain SQL. */
import { randomBytes } from "node:crypto";
import type pg from "pg";
import type { TestDatabase } from "./database.ts";

export type GivenFacts = {
  readonly project?: string | null;
  readonly attempts?: number | null;
  readonly lastVerdict?: string | null;
};

/** A merge as the log has it: ids as text. */
export type MergeIds = { readonly itemId: string; readonly eventId: string };

/** What a client or a pool can do. */
export type Queryable = Pick<pg.ClientBase, "query">;

const ORDINARY = { project: "atlas", attempts: 1, lastVerdict: "approve" };

/** Facts by their usual names in tests. */
export const REWORKED: GivenFacts = { attempts: 2 };
export const CONFLICT: GivenFacts = { lastVerdict: "rebase_conflict" };

/** The same facts several times. */
export function times(count: number, facts: GivenFacts = {}): GivenFacts[] {
  return Array.from({ length: count }, () => facts);
}

/** Both gates cross in both directions; atlas gets a state of its own, the other project stays young. */
export function eventful(other = "zeus"): GivenFacts[] {
  return [...times(60), ...times(20, REWORKED), ...times(30), ...times(12, CONFLICT), ...times(110)].map(
    (facts, index) => (index % 4 === 3 ? { ...facts, project: other } : facts),
  );
}

/** One work item and its transition to merged, in whatever transaction is open. */
export async function merge(on: Queryable, facts: GivenFacts = {}): Promise<MergeIds> {
  const [ids] = await merges(on, [facts]);
  if (ids === undefined) throw new Error("no merge was inserted");
  return ids;
}

/** Several, their ids ascending in the order given. */
export async function merges(on: Queryable, facts: readonly GivenFacts[]): Promise<MergeIds[]> {
  const all = facts.map((given) => ({ ...ORDINARY, ...given }));
  const items = await on.query<{ id: string }>(
    `INSERT INTO work_items (project, attempts, last_verdict, phase, merged_at)
     SELECT project, attempts, verdict, 'merged', now()
       FROM unnest($1::text[], $2::int[], $3::text[]) WITH ORDINALITY AS given (project, attempts, verdict, place)
      ORDER BY place RETURNING id::text`,
    [all.map((one) => one.project), all.map((one) => one.attempts), all.map((one) => one.lastVerdict)],
  );
  const itemIds = items.rows.map((row) => row.id);
  const eventIds = await transitions(on, itemIds);
  return itemIds.map((itemId, index) => ({ itemId, eventId: eventIds[index] ?? "" }));
}

/** Transitions to merged of work items that there are, or are not. Null: of none. */
export async function transitions(on: Queryable, itemIds: readonly (string | null)[]): Promise<string[]> {
  const idType = await typeOf(on, "work_item_id");
  const payloadType = await typeOf(on, "payload");
  const { rows } = await on.query<{ id: string }>(
    `INSERT INTO events_outbox (kind, work_item_id, payload)
     SELECT 'phase.transition', item::${idType}, '{"source": "review", "target": "merged"}'::${payloadType}
       FROM unnest($1::text[]) WITH ORDINALITY AS given (item, place) ORDER BY place RETURNING id::text`,
    [itemIds],
  );
  return rows.map((row) => row.id);
}

async function typeOf(on: Queryable, column: string): Promise<string> {
  const { rows } = await on.query<{ type: string }>(
    `SELECT format_type(atttypid, atttypmod) AS type FROM pg_attribute
      WHERE attrelid = 'events_outbox'::regclass AND attname = $1`,
    [column],
  );
  return rows[0]?.type ?? "";
}

/** Any row of the outbox. @returns its id. */
export async function event(
  on: Queryable,
  row: { readonly kind: string; readonly itemId?: string | null; readonly payload: string },
): Promise<string> {
  const { rows } = await on.query<{ id: string }>(
    "INSERT INTO events_outbox (kind, work_item_id, payload) VALUES ($1, $2, $3) RETURNING id::text",
    [row.kind, row.itemId ?? null, row.payload],
  );
  return rows[0]?.id ?? "";
}

/** A transaction that stays open, or prepared, until it is told how to end; rolled back when the test forgets to. */
export interface HeldTransaction extends AsyncDisposable {
  readonly client: pg.PoolClient;
  commit(): Promise<void>;
  rollback(): Promise<void>;
  /** PREPARE TRANSACTION: it lives on without a session. */
  prepare(): Promise<void>;
  /** Ends it when it is prepared. */
  finish(how: "COMMIT" | "ROLLBACK"): Promise<void>;
}

export async function hold(database: TestDatabase): Promise<HeldTransaction> {
  const client = await database.admin.connect();
  await client.query("BEGIN");
  // Names of prepared transactions are the whole server's.
  const name = `${database.name}_${randomBytes(4).toString("hex")}`;
  let open = true;
  let prepared = false;
  const end = async (statement: string): Promise<void> => {
    if (!open) return;
    open = false;
    try {
      await client.query(statement);
    } finally {
      client.release();
    }
  };
  const finish = async (how: "COMMIT" | "ROLLBACK"): Promise<void> => {
    if (!prepared) return;
    prepared = false;
    await database.admin.query(`${how} PREPARED '${name}'`);
  };
  return {
    client,
    commit: () => end("COMMIT"),
    rollback: () => end("ROLLBACK"),
    prepare: async () => {
      await end(`PREPARE TRANSACTION '${name}'`);
      prepared = true;
    },
    finish,
    [Symbol.asyncDispose]: async () => {
      await end("ROLLBACK");
      await finish("ROLLBACK");
    },
  };
}

/** Draws the next id of the outbox without using it. */
export async function drawId(on: Queryable): Promise<string> {
  const { rows } = await on.query<{ id: string }>(
    "SELECT nextval(pg_get_serial_sequence('events_outbox', 'id'))::text AS id",
  );
  return rows[0]?.id ?? "";
}

/** A transition to merged under an id that was drawn before. */
export async function mergeUnder(on: Queryable, eventId: string, facts: GivenFacts = {}): Promise<MergeIds> {
  const all = { ...ORDINARY, ...facts };
  const item = await on.query<{ id: string }>(
    "INSERT INTO work_items (project, attempts, last_verdict) VALUES ($1, $2, $3) RETURNING id::text",
    [all.project, all.attempts, all.lastVerdict],
  );
  const itemId = item.rows[0]?.id ?? "";
  await on.query(
    `INSERT INTO events_outbox (id, kind, work_item_id, payload)
     VALUES ($1, 'phase.transition', $2, '{"target": "merged"}')`,
    [eventId, itemId],
  );
  return { itemId, eventId };
}

export async function notify(on: Queryable, payload = "", channel = "events_outbox"): Promise<void> {
  await on.query("SELECT pg_notify($1, $2)", [channel, payload]);
}
