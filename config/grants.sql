-- The database role of damascus-metrics, with the least it needs: read the work, append to the log, nothing else.
--
-- Run it once as the tables' owner (or a superuser) in the orchestrator's database; run it again at any time: it takes
-- away whatever was granted beyond this list. Plain SQL, for psql and for any driver. Where the tables are not in
-- schema public (METRICS_SCHEMA), replace public here by its name, in double quotes where that has capitals, dots or hyphens.
--
-- The password is not set here, so that it stands in no file. Set it once afterwards, in psql:
--   \password damascus_metrics
-- and hand it to the daemon as a secret (DATABASE_URL_FILE, PGPASSFILE).

BEGIN;

-- The role. NOINHERIT: membership in another role, granted later by accident, gives it nothing. CONNECTION LIMIT: a
-- mistake on our side must not use up the orchestrator's connections. Altered only when it differs, because on a
-- managed server not even the administrator may name some of these attributes.
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'damascus_metrics') THEN
    CREATE ROLE damascus_metrics
      LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT NOREPLICATION NOBYPASSRLS CONNECTION LIMIT 20;
  ELSIF EXISTS (
    SELECT FROM pg_catalog.pg_roles
    WHERE rolname = 'damascus_metrics'
      AND (rolsuper OR rolcreatedb OR rolcreaterole OR rolinherit OR rolreplication OR rolbypassrls
           OR NOT rolcanlogin OR rolconnlimit <> 20)
  ) THEN
    ALTER ROLE damascus_metrics
      LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT NOREPLICATION NOBYPASSRLS CONNECTION LIMIT 20;
  END IF;
END
$$;

-- Behind a partition that ended our half of a connection, the server would keep its own for hours: it would count against
-- the limit above, and `snapshot` would count a daemon that is gone. So it asks whether we are still there.
ALTER ROLE damascus_metrics SET tcp_keepalives_idle = 20;
ALTER ROLE damascus_metrics SET tcp_keepalives_interval = 5;
ALTER ROLE damascus_metrics SET tcp_keepalives_count = 3;
ALTER ROLE damascus_metrics SET tcp_user_timeout = '35s';

-- To get in. Usually PUBLIC may connect already; a hardened database has revoked that.
DO $$
BEGIN
  EXECUTE pg_catalog.format('GRANT CONNECT ON DATABASE %I TO damascus_metrics', pg_catalog.current_database());
END
$$;
GRANT USAGE ON SCHEMA public TO damascus_metrics;

-- Back to nothing first, so that the list below is all there is.
REVOKE ALL ON TABLE public.work_items, public.events_outbox FROM damascus_metrics;

-- The facts of a merge (project, attempts, last_verdict), read once when it is recorded.
GRANT SELECT ON TABLE public.work_items TO damascus_metrics;

-- The merges, and our own metric.* rows: the checkpoint after a restart and the fence between several daemons.
GRANT SELECT ON TABLE public.events_outbox TO damascus_metrics;

-- To append metric.* events. By column: id and created_at always come from the table's defaults and cannot be forged.
GRANT INSERT (kind, work_item_id, payload) ON TABLE public.events_outbox TO damascus_metrics;

-- To draw the id of an appended event (a serial column asks for this; an identity column does not, and it does no harm
-- there), and to read which id was drawn last. Not UPDATE: that would allow setval(). Not on work_items: we never add one.
DO $$
DECLARE
  id_sequence pg_catalog.regclass;
BEGIN
  FOR id_sequence IN
    -- Owned by the column (serial, identity), or merely named by its default.
    SELECT pg_catalog.pg_get_serial_sequence('public.events_outbox', 'id')::pg_catalog.regclass
    UNION
    SELECT used.refobjid::pg_catalog.regclass
    FROM pg_catalog.pg_attribute AS a
    JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    JOIN pg_catalog.pg_depend AS used
      ON used.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND used.objid = d.oid
    JOIN pg_catalog.pg_class AS s ON s.oid = used.refobjid AND s.relkind = 'S'
    WHERE a.attrelid = 'public.events_outbox'::pg_catalog.regclass AND a.attname = 'id'
      AND used.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
  LOOP
    CONTINUE WHEN id_sequence IS NULL;
    EXECUTE pg_catalog.format('REVOKE ALL ON SEQUENCE %s FROM damascus_metrics', id_sequence);
    EXECUTE pg_catalog.format('GRANT USAGE, SELECT ON SEQUENCE %s TO damascus_metrics', id_sequence);
  END LOOP;
END
$$;

-- Deliberately missing: UPDATE, DELETE and TRUNCATE (the log is append-only), cost_ledger (not read), and CREATE on
-- anything. LISTEN, NOTIFY, advisory locks, pg_locks and pg_stat_activity need no grant.

COMMIT;
