/** RANGE partitions of the outbox: new ones made ahead, the oldest one detached. */
import type pg from "pg";

/** Ids, or seconds, of one partition. */
const SIZE = { id: 2_000, age: 4 };
/** So many lie ahead of the newest row: old transactions may keep the administrator from making more for a minute. */
const AHEAD = 40;
const DIGITS = 10;

/** A foreign key locks the referenced table too: both in the order in which the orchestrator does. */
export const LOCK_IN_ORDER =
  "LOCK TABLE work_items IN SHARE ROW EXCLUSIVE MODE; LOCK TABLE events_outbox IN ACCESS EXCLUSIVE MODE";

export type PartitionedBy = keyof typeof SIZE;

/** Makes partitions until enough lie ahead; each in a transaction of its own, as each locks the whole table. */
export async function widenAhead(admin: pg.ClientBase, by: PartitionedBy): Promise<void> {
  const now = await current(admin, by);
  const newest = (await partitionNames(admin)).at(-1);
  for (let next = newest === undefined ? now : numberOf(newest) + 1; next <= now + AHEAD; next += 1) {
    await admin.query(
      `BEGIN; ${LOCK_IN_ORDER};
       CREATE TABLE events_outbox_p${String(next).padStart(DIGITS, "0")} PARTITION OF events_outbox
        FOR VALUES FROM (${newest === undefined && next === now ? "MINVALUE" : bound(by, next)}) TO (${bound(by, next + 1)});
       COMMIT`,
    );
  }
}

/** Oldest first. */
export async function partitionNames(admin: pg.ClientBase): Promise<string[]> {
  const { rows } = await admin.query<{ name: string }>(
    `SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'public.events_outbox'::regclass ORDER BY 1`,
  );
  return rows.map(({ name }) => name);
}

/** The partition that takes in the next rows: ids are drawn by rows that are refused, too. */
export async function current(admin: pg.ClientBase, by: PartitionedBy): Promise<number> {
  const { rows } = await admin.query<{ number: string }>(
    by === "id"
      ? `SELECT (coalesce(pg_sequence_last_value(pg_get_serial_sequence('events_outbox', 'id')), 0) / ${SIZE.id})::text AS number`
      : `SELECT floor(extract(epoch FROM now()) / ${SIZE.age})::bigint::text AS number`,
  );
  return Number(rows[0]?.number ?? 0);
}

export function numberOf(partition: string): number {
  return Number(partition.slice(-DIGITS));
}

function bound(by: PartitionedBy, number: number): string {
  return by === "id" ? String(number * SIZE.id) : `to_timestamp(${number * SIZE.age})`;
}
