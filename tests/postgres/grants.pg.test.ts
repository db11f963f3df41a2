/** What the role of config/grants.sql can do, and what it cannot: both lists are the specification. */
import pg from "pg";
import { beforeAll, describe, expect, it } from "vitest";
import { createDatabase } from "../support/database.ts";
import { grants } from "../support/orchestrator-schema.ts";
import { sharedDatabase } from "../support/shared-database.ts";

const DENIED = "42501";

for (const sequence of ["serial", "identity"] as const) {
  describe(`the daemon's role, ids drawn by ${sequence}`, () => {
    const database = sharedDatabase({ sequence });
    let daemon: pg.Client;

    beforeAll(async () => {
      await database.admin.query("INSERT INTO work_items (id, project, attempts) VALUES (1, 'atlas', 1)");
      await database.admin.query(
        `INSERT INTO events_outbox (kind, work_item_id, payload) VALUES ('phase.transition', 1, '{"target":"merged"}')`,
      );
      daemon = new pg.Client({ connectionString: database.daemonUrl });
      await daemon.connect();
      return () => daemon.end();
    });

    it.each([
      ["read the work items", "SELECT id, project, attempts, last_verdict FROM public.work_items"],
      ["read the log", "SELECT id, kind, payload, created_at FROM public.events_outbox"],
      [
        "append an event and learn its id",
        "INSERT INTO public.events_outbox (kind, work_item_id, payload) VALUES ('metric.x', 1, '{}') RETURNING id",
      ],
      ["see who holds the table", "SELECT pid, mode FROM pg_locks JOIN pg_stat_activity USING (pid)"],
      ["take the writers' lock", "SELECT pg_advisory_xact_lock(1)"],
      ["listen", "LISTEN events_outbox"],
      ["notify", "SELECT pg_notify('damascus_metrics_ping', '')"],
    ])("can %s", async (_what, sql) => {
      await expect(daemon.query(sql)).resolves.toBeDefined();
    });

    it.each([
      ["choose an event's id", "INSERT INTO events_outbox (id, kind) VALUES (999, 'metric.x')"],
      ["date an event", "INSERT INTO events_outbox (kind, created_at) VALUES ('metric.x', '2020-01-01')"],
      ["change an event", "UPDATE events_outbox SET kind = kind"],
      ["remove an event", "DELETE FROM events_outbox"],
      ["empty the log", "TRUNCATE events_outbox"],
      ["lock the log against writers", "DO $$ BEGIN LOCK TABLE events_outbox IN SHARE MODE; END $$"],
      ["lock an event", "SELECT FROM events_outbox FOR UPDATE"],
      ["move the id sequence", "SELECT setval('events_outbox_id_seq', 1)"],
      ["add a work item", "INSERT INTO work_items (project) VALUES ('atlas')"],
      ["change a work item", "UPDATE work_items SET attempts = 1"],
      ["remove a work item", "DELETE FROM work_items"],
      ["read the costs", "SELECT * FROM cost_ledger"],
      ["create a table", "CREATE TABLE public.mine ()"],
      ["create a schema", "CREATE SCHEMA mine"],
      [
        "create a trigger",
        "CREATE TRIGGER t AFTER INSERT ON events_outbox EXECUTE FUNCTION suppress_redundant_updates_trigger()",
      ],
      ["create an index", "CREATE INDEX ON events_outbox (kind)"],
      ["create a role", "CREATE ROLE someone_else"],
      ["create a database", "CREATE DATABASE mine"],
      ["read the server's files", "SELECT pg_read_file('postgresql.conf')"],
      ["run a program", "COPY (SELECT 1) TO PROGRAM 'true'"],
    ])("cannot %s", async (_what, sql) => {
      await expect(daemon.query(sql)).rejects.toMatchObject({ code: DENIED });
    });

    it("has no attribute beyond login, and at most 20 connections", async () => {
      const found = await database.admin.query(
        `SELECT rolcanlogin, rolsuper, rolcreatedb, rolcreaterole, rolinherit, rolreplication, rolbypassrls, rolconnlimit
           FROM pg_roles WHERE rolname = $1`,
        [database.role],
      );
      expect(found.rows).toEqual([
        {
          rolcanlogin: true,
          rolsuper: false,
          rolcreatedb: false,
          rolcreaterole: false,
          rolinherit: false,
          rolreplication: false,
          rolbypassrls: false,
          rolconnlimit: 20,
        },
      ]);
    });
  });
}

it("running the grants again takes back what was granted or altered beyond them, and keeps the rest", async () => {
  await using database = await createDatabase();
  const { admin, role } = database;
  await admin.query(`GRANT UPDATE, DELETE, TRUNCATE ON events_outbox TO ${role}`);
  await admin.query(`GRANT UPDATE ON SEQUENCE events_outbox_id_seq TO ${role}`);
  await admin.query(`ALTER ROLE ${role} CREATEROLE INHERIT`);

  await admin.query(grants(role));

  const rights = await admin.query(
    `SELECT has_table_privilege($1, 'events_outbox', 'SELECT') AS reads,
            has_column_privilege($1, 'events_outbox', 'payload', 'INSERT') AS appends,
            has_table_privilege($1, 'events_outbox', 'UPDATE, DELETE, TRUNCATE') AS changes,
            has_sequence_privilege($1, 'events_outbox_id_seq', 'USAGE') AS draws,
            has_sequence_privilege($1, 'events_outbox_id_seq', 'UPDATE') AS moves,
            (SELECT rolcreaterole OR rolinherit FROM pg_roles WHERE rolname = $1) AS more`,
    [role],
  );
  expect(rights.rows).toEqual([
    { reads: true, appends: true, changes: false, draws: true, moves: false, more: false },
  ]);
});

it("grants the sequence of an id whose default merely names it", async () => {
  await using database = await createDatabase();
  const { admin, role } = database;
  await admin.query("CREATE SEQUENCE elsewhere START 1000");
  await admin.query("ALTER TABLE events_outbox ALTER id SET DEFAULT nextval('elsewhere')");
  await admin.query("ALTER SEQUENCE events_outbox_id_seq OWNED BY NONE");

  await admin.query(grants(role));

  const daemon = new pg.Client({ connectionString: database.daemonUrl });
  await daemon.connect();
  const appended = await daemon.query("INSERT INTO events_outbox (kind) VALUES ('metric.x') RETURNING id");
  await daemon.end();
  expect(appended.rows).toEqual([{ id: "1000" }]);
});
