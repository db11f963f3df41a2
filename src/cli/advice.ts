/** What somebody at a terminal may do about a failure of the database. */
import type { Failure } from "../daemon-event.ts";

type Advice = { readonly codes: RegExp; readonly says: string };

/** The first that fits is given. Codes are SQLSTATEs, names of the system's and of TLS's errors, and words of `failureOf`. */
const BY_CODE: readonly Advice[] = [
  {
    codes: /^(ERR_TLS|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_)/,
    says: "the server's certificate is not trusted: check its name, its dates, and sslrootcert in DATABASE_URL",
  },
  {
    codes: /^NO_TLS$/,
    says: "the server speaks no TLS: set it up there, or use sslmode=disable within a network that you trust",
  },
  {
    codes: /^(CONNECT_TIMEOUT|ETIMEDOUT)$/,
    says: "the database did not answer in time: check host and port in DATABASE_URL, a firewall on the way, or try a longer --timeout",
  },
  {
    codes: /^ANSWER_TIMEOUT$/,
    says: "the database fell silent: check that its host and the network to it are well, and try again",
  },
  {
    codes: /^57P/,
    says: "the server starts up, shuts down or ended the connection: try again in a moment",
  },
  {
    codes: /^(ECONN|ENOTFOUND|EAI_|EHOST|ENET|CONNECTION|08)/,
    says: "the database cannot be reached: check that it is running and that DATABASE_URL is right",
  },
  {
    codes: /^28P01$/,
    says: "the database refused the login: check the user and the password",
  },
  {
    codes: /^28/,
    says: "the database refused the login: check the user, pg_hba.conf, and whether the server wants TLS (sslmode)",
  },
  { codes: /^3D000$/, says: "the database does not exist: check the name in DATABASE_URL" },
  { codes: /^57014$/, says: "the database did not answer in time: try a longer --timeout" },
  {
    codes: /^55P03$/,
    says: "somebody changes a table and locks it: try again, or a longer --timeout",
  },
  {
    codes: /^53300$/,
    says: "no connection is left: end one, or raise max_connections or the role's CONNECTION LIMIT",
  },
  { codes: /^53/, says: "the server has run out of memory or disk: make room there" },
  {
    codes: /^42/,
    says: "the log cannot be read: check METRICS_SCHEMA and the grants (config/grants.sql)",
  },
];

/** One line: what is wrong, what to do, and in brackets the failure's own words. */
export function advice({ code, message }: Failure): string {
  const says =
    BY_CODE.find(({ codes }) => codes.test(code))?.says ??
    "the database failed: try again, and if it stays, see the server's log";
  return `${says} (${code}: ${message})`;
}
