/** How our connections are named in `pg_stat_activity`, by which daemons are counted. */

/** What every daemon's name begins with. PostgreSQL keeps 63 bytes. */
export const DAEMON_NAME = "damascus-metrics/run:";

/** @param instance tells several daemons apart; all connections of one share it. */
export function daemonName(instance: string): string {
  return `${DAEMON_NAME}${instance}`;
}

export function applicationName(verb: string): string {
  return `damascus-metrics/${verb}`;
}
