-- The password of the daemon's role, from the secret that the daemon reads as well. With a changed secret, run it again:
--   docker compose exec db psql -U damascus -f /docker-entrypoint-initdb.d/30-metrics-password.sql
\set password `cat /run/secrets/metrics_password`
ALTER ROLE damascus_metrics PASSWORD :'password';
