/** The names of our connections in `pg_stat_activity`. Daemons are counted by them. */

/** The beginning of every daemon's name. PostgreSQL keeps 63 bytes of a name. */
export const DAEMON_NAME = "damascus-metrics/run:";

/** The name of a daemon's connections. @param instance distinguishes daemons. */
export function daemonName(instance: string): string {
  return `${DAEMON_NAME}${instance}`;
}

/** The name of the connection of a command that only reads. */
export function applicationName(verb: string): string {
  return `damascus-metrics/${verb}`;
}
