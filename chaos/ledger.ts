/**
 * The ledger: a copy of every transition and every row of ours, which the run keeps in a schema of its own. Retention
 * takes nothing from it, so that the verdict covers what the log no longer holds. A trigger of the outbox writes it in
 * the same transaction; it draws from a sequence of its own and takes no lock that another transaction waits for.
 *
 * In schema `chaos` the ledger is also called `events_outbox`: with this schema as its search path the oracle judges it.
 */
import pg from "pg";

const SCHEMA = `
  CREATE SCHEMA chaos;
  CREATE SEQUENCE chaos.low_ids INCREMENT -1 START 0 MINVALUE -1000000 MAXVALUE 0;
  CREATE TABLE chaos.ledger (
    place bigserial PRIMARY KEY, id bigint NOT NULL, kind text NOT NULL, item text, payload jsonb NOT NULL,
    created_at timestamptz NOT NULL, tx text NOT NULL, event_id text, merge_item text
  );
  CREATE INDEX ON chaos.ledger (id);
  -- The verdict compares each row with its merge, by event and by work item.
  CREATE INDEX ON chaos.ledger (event_id);
  CREATE INDEX ON chaos.ledger (merge_item);
  CREATE INDEX ON chaos.ledger ((id::text)) WHERE kind = 'phase.transition' AND payload->>'target' = 'merged';
  -- When retention took a row, as a place in the ledger.
  CREATE TABLE chaos.pruned (id bigint PRIMARY KEY, at bigint NOT NULL DEFAULT nextval('chaos.ledger_place_seq'));
  -- Merges that daemons reported as presumed to be recorded.
  CREATE TABLE chaos.presumed (event_id text PRIMARY KEY);

  CREATE FUNCTION chaos.write() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
  BEGIN
    IF NEW.kind = 'phase.transition' OR NEW.kind LIKE 'metric.%' THEN
      INSERT INTO chaos.ledger (id, kind, item, payload, created_at, tx, event_id, merge_item)
      VALUES (NEW.id, NEW.kind, NEW.work_item_id::text, NEW.payload, NEW.created_at, pg_current_xact_id()::text,
              NEW.payload->'merge'->>'event_id', NEW.payload->'merge'->>'work_item_id');
    END IF;
    RETURN NULL;
  END $$;
  CREATE TRIGGER chaos_ledger AFTER INSERT ON public.events_outbox FOR EACH ROW EXECUTE FUNCTION chaos.write();
  ALTER TABLE public.events_outbox ENABLE ALWAYS TRIGGER chaos_ledger;

  CREATE VIEW chaos.events_outbox AS
    SELECT id, kind, item AS work_item_id, payload, created_at, tx AS xmin FROM chaos.ledger;
  CREATE VIEW chaos.merges AS
    SELECT place, id, id::text AS event_id, item, coalesce('item ' || item, 'event ' || id) AS identity, created_at
      FROM chaos.ledger WHERE kind = 'phase.transition' AND payload->>'target' = 'merged';
  -- One row of each recorded or skipped merge.
  CREATE VIEW chaos.records AS
    SELECT place, id, kind, event_id, merge_item, (payload->>'seq')::bigint AS seq
      FROM chaos.ledger WHERE kind IN ('metric.first_pass_merge_rate', 'metric.merge_skipped');
  -- Merges that no row has ever recorded, by their event or their work item.
  CREATE VIEW chaos.unrecorded AS
    SELECT m.*, m.item IS NOT NULL AND NOT EXISTS (SELECT FROM public.work_items w WHERE w.id::text = m.item) AS deleted
      FROM chaos.merges m
     WHERE NOT EXISTS (SELECT FROM chaos.records r WHERE r.event_id = m.event_id)
       AND NOT EXISTS (SELECT FROM chaos.records r WHERE r.merge_item = m.item)
       AND NOT EXISTS (SELECT FROM chaos.presumed p WHERE p.event_id = m.event_id)`;

export async function makeLedger(admin: pg.ClientBase): Promise<void> {
  await admin.query(SCHEMA);
}

/** Connections that see the ledger in the outbox's place. */
export function ledgerPool(ownerUrl: string): pg.Pool {
  const pool = new pg.Pool({ connectionString: ownerUrl, options: "-c search_path=chaos", max: 4 });
  // The server goes away while it is asked, too.
  pool.on("error", () => undefined);
  pool.on("connect", (client) => client.on("error", () => undefined));
  return pool;
}

/** Merges whose presumption was reported count no longer as due. */
export async function presume(pool: pg.Pool, eventIds: readonly string[]): Promise<void> {
  if (eventIds.length === 0) return;
  await pool.query("INSERT INTO chaos.presumed SELECT unnest($1::text[]) ON CONFLICT DO NOTHING", [eventIds]);
}

/** What a failover loses, the ledger never had. */
export const FORGET_ABOVE = "DELETE FROM chaos.ledger WHERE id > $1";
