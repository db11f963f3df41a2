-- Optional: a notification for every merge, for an orchestrator that does not send one itself.
--
-- Without it damascus-metrics finds every merge by polling (METRICS_POLL_INTERVAL); with it, within milliseconds. The
-- daemon never installs this. Run it once as the owner of events_outbox; run it again at any time. Where the table is not
-- in schema public, replace "public" here; where METRICS_NOTIFY_CHANNEL is not events_outbox, replace it in the
-- function. To take it away again:
--   DROP TRIGGER events_outbox_notify_merge ON public.events_outbox;
--   DROP FUNCTION public.events_outbox_notify_merge();
--
-- What it costs the orchestrator: a comparison of `kind` for each inserted row. Only for transitions to merged the
-- function runs and a notification is queued, one per transaction however many merges it has. PostgreSQL commits transactions that
-- notify one after the other, which does not matter at the pace of merges. Metric rows never notify: a daemon
-- does not wake itself.
--
-- It must never fail an insert. A payload of type json may hold an escape that PostgreSQL refuses to read (\u0000): the
-- function then stays silent, and polling finds the merge if it is one.

BEGIN;

CREATE OR REPLACE FUNCTION public.events_outbox_notify_merge() RETURNS trigger
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  BEGIN
    IF NEW.payload->>'target' = 'merged' THEN
      -- The payload is empty, so that the notifications of one transaction become one. It is a hint to look.
      PERFORM pg_notify('events_outbox', '');
    END IF;
  EXCEPTION WHEN data_exception THEN
    NULL;
  END;
  RETURN NULL;
END
$$;

DROP TRIGGER IF EXISTS events_outbox_notify_merge ON public.events_outbox;
CREATE TRIGGER events_outbox_notify_merge
  AFTER INSERT ON public.events_outbox
  FOR EACH ROW
  -- As text first, which cannot fail: other transitions do not even call the function.
  WHEN (NEW.kind = 'phase.transition' AND NEW.payload::text LIKE '%merged%')
  EXECUTE FUNCTION public.events_outbox_notify_merge();

COMMIT;
