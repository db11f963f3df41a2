/** Each failure of the database that an operator may meet is reported with what to do about it. */
import { expect, test } from "vitest";
import { advice } from "../../src/cli/read-log.ts";

test.each([
  ["ECONNREFUSED", "check that it is running and that DATABASE_URL is right"],
  ["ENOTFOUND", "check that it is running and that DATABASE_URL is right"],
  ["CONNECTION", "check that it is running and that DATABASE_URL is right"],
  ["CONNECT_TIMEOUT", "check host and port in DATABASE_URL and any firewall, or try a longer --timeout"],
  ["ETIMEDOUT", "check host and port in DATABASE_URL and any firewall, or try a longer --timeout"],
  ["ANSWER_TIMEOUT", "check that its host and the network to it are well"],
  ["NO_TLS", "sslmode=disable on a network that you trust"],
  ["08006", "check that it is running and that DATABASE_URL is right"],
  ["57P01", "try again in a moment"],
  ["57P03", "try again in a moment"],
  ["28P01", "check the user and the password"],
  ["28000", "check the user, pg_hba.conf, and whether the server requires TLS"],
  ["CERT_HAS_EXPIRED", "check its host name, its dates, and sslrootcert"],
  ["ERR_TLS_CERT_ALTNAME_INVALID", "check its host name, its dates, and sslrootcert"],
  ["DEPTH_ZERO_SELF_SIGNED_CERT", "check its host name, its dates, and sslrootcert"],
  ["3D000", "check the name in DATABASE_URL"],
  ["57014", "try a longer --timeout"],
  ["55P03", "try again, or try a longer --timeout"],
  ["40P01", "try again, or try a longer --timeout"],
  ["53300", "raise max_connections or the role's CONNECTION LIMIT"],
  ["53100", "make room there"],
  ["42501", "check METRICS_SCHEMA and the grants"],
  ["XX000", "see the server's log"],
  ["XX001", "restore the damaged data from a backup"],
  ["53400", "raise it for the daemon's role"],
  ["25P04", "set them to a second or more for the daemon's role"],
  ["25P03", "set them to a second or more for the daemon's role"],
  ["57P05", "SET idle_session_timeout = 0 for the daemon's role"],
  ["08P01", "it must pool by transaction or session"],
  ["NO_PASSWORD", "set PGPASSWORD_FILE, or PGPASSFILE"],
  ["SETTINGS", "restore it or correct the setting"],
  ["PROTOCOL_VIOLATION", "check any pooler or proxy in between"],
  ["SERVER_REPLACED", "the daemon reconnects and reads the log again"],
  ["23514", "allow rows of kind metric.*"],
  ["P0001", "let it pass rows of kind metric.*"],
  ["22P02", "see what the message names"],
  ["25006", "point DATABASE_URL at the primary"],
])("%s is reported with what to do, and in its own words", (code, what) => {
  const line = advice({ code, message: "its own words" });
  expect(line).toContain(what);
  expect(line).toMatch(new RegExp(` \\(${code}: its own words\\)$`));
});
