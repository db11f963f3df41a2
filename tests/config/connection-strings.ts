/**
 * Connection strings and libpq's variables as people have them, and what becomes of each: where it leads, or what is said
 * against it. `config --check` and a real server are asked with the same table.
 *
 * {HOST}, {PORT}, {USER}, {PASSWORD} and {DATABASE} stand for what a test has.
 */

/** What was set, and whether it leads to that place, or what is said against it. */
export type Case = readonly [
  what: string,
  env: Readonly<Record<string, string>>,
  becomes: "leads there" | RegExp,
];

const AT = "{USER}:{PASSWORD}@{HOST}:{PORT}/{DATABASE}";
const url = (text: string): Record<string, string> => ({ DATABASE_URL: text });
const PARTS = {
  PGHOST: "{HOST}",
  PGPORT: "{PORT}",
  PGUSER: "{USER}",
  PGPASSWORD: "{PASSWORD}",
  PGDATABASE: "{DATABASE}",
};
const ONE_HOST = /one host: metrics connects to a single server, so name the primary/;

export const CASES: readonly Case[] = [
  ["a URL", url(`postgresql://${AT}`), "leads there"],
  ["the short scheme", url(`postgres://${AT}?sslmode=disable`), "leads there"],
  [
    "all of it as parameters",
    url("postgresql://?host={HOST}&port={PORT}&user={USER}&password={PASSWORD}&dbname={DATABASE}"),
    "leads there",
  ],
  [
    "a parameter given twice: the last counts",
    url(`postgresql://${AT}?host=nowhere.invalid&host={HOST}`),
    "leads there",
  ],
  [
    "parts of the URL, the rest from variables",
    { ...PARTS, PGHOST: "nowhere.invalid", ...url("postgresql://{HOST}") },
    "leads there",
  ],
  ["variables alone", PARTS, "leads there"],
  ["an empty variable, which counts as not set", { ...PARTS, PGSERVICE: "", PGOPTIONS: "" }, "leads there"],
  [
    "a name that ours replaces",
    url(`postgresql://${AT}?application_name=mine&fallback_application_name=x`),
    "leads there",
  ],
  ["the same by PGAPPNAME", { ...url(`postgresql://${AT}`), PGAPPNAME: "mine" }, "leads there"],
  ["options of the session", url(`postgresql://${AT}?options=-c%20geqo%3Doff`), "leads there"],
  ["the same by PGOPTIONS", { ...url(`postgresql://${AT}`), PGOPTIONS: "-c geqo=off" }, "leads there"],
  ["connect_timeout", url(`postgresql://${AT}?connect_timeout=7`), "leads there"],
  ["keepalives", url(`postgresql://${AT}?keepalives=1&keepalives_idle=30`), "leads there"],
  [
    "what we do anyway",
    url(
      `postgresql://${AT}?target_session_attrs=any&gssencmode=disable&client_encoding=UTF8&sslsni=1&load_balance_hosts=disable&channel_binding=prefer&sslnegotiation=postgres`,
    ),
    "leads there",
  ],
  ["no sslmode, as in JDBC", url(`postgresql://${AT}?ssl=false`), "leads there"],

  [
    "several hosts in the URL",
    url("postgresql://{USER}:{PASSWORD}@{HOST}:{PORT},other:5432/{DATABASE}"),
    ONE_HOST,
  ],
  ["several hosts without ports", url("postgresql://{USER}:{PASSWORD}@{HOST},other/{DATABASE}"), ONE_HOST],
  [
    "several hosts as parameter",
    url("postgresql://{USER}:{PASSWORD}@/{DATABASE}?host={HOST},other"),
    ONE_HOST,
  ],
  [
    "several hosts in PGHOST",
    { ...PARTS, PGHOST: "{HOST},other" },
    /^PGHOST is "HOST,other": it must be one host/,
  ],
  ["several ports", { ...PARTS, PGPORT: "5432,5433" }, /^PGPORT is "5432,5433": it must be one port/],
  [
    "a service",
    url("postgresql://?service=orders"),
    /^service in DATABASE_URL is "orders": it must be left out: write what the service file says/,
  ],
  [
    "PGSERVICE",
    { ...url(`postgresql://${AT}`), PGSERVICE: "orders" },
    /^PGSERVICE is "orders": it must be left out/,
  ],
  [
    "target_session_attrs",
    url(`postgresql://${AT}?target_session_attrs=read-write`),
    /target_session_attrs in DATABASE_URL .* waits by itself while that is a standby/,
  ],
  [
    "PGTARGETSESSIONATTRS",
    { ...PARTS, PGTARGETSESSIONATTRS: "primary" },
    /^PGTARGETSESSIONATTRS is "primary"/,
  ],
  [
    "hostaddr",
    url(`postgresql://${AT}?hostaddr=10.0.0.7`),
    /hostaddr in DATABASE_URL is .*write the address as host/,
  ],
  [
    "gssencmode=require",
    url(`postgresql://${AT}?gssencmode=require`),
    /must be disable: metrics does not speak GSSAPI/,
  ],
  [
    "channel_binding=require without TLS",
    url(`postgresql://${AT}?channel_binding=require`),
    /^channel_binding=require needs TLS: set sslmode=verify-full/,
  ],
  [
    "sslnegotiation=direct without TLS",
    url(`postgresql://${AT}?sslnegotiation=direct`),
    /^sslnegotiation=direct needs TLS/,
  ],
  [
    "sslmode=allow",
    url(`postgresql://${AT}?sslmode=allow`),
    /^sslmode in DATABASE_URL is "allow": it must be verify-full, or disable/,
  ],
  [
    "sslmode=no-verify",
    url(`postgresql://${AT}?sslmode=no-verify`),
    /no-verify would accept any server's certificate/,
  ],
  ["PGSSLMODE", { ...PARTS, PGSSLMODE: "no-verify" }, /^PGSSLMODE is "no-verify"/],
  ["ssl=no-verify", url(`postgresql://${AT}?ssl=no-verify`), /accept any server's certificate/],
  [
    "uselibpqcompat",
    url(`postgresql://${AT}?uselibpqcompat=true&sslmode=require`),
    /accept any server's certificate/,
  ],
  ["requirepeer", url(`postgresql://${AT}?requirepeer=postgres`), /^requirepeer in DATABASE_URL/],
  ["replication", url(`postgresql://${AT}?replication=database`), /metrics reads tables/],
  [
    "client_encoding",
    { ...PARTS, PGCLIENTENCODING: "LATIN1" },
    /^PGCLIENTENCODING is "LATIN1": it must be UTF8/,
  ],
  ["require_auth", url(`postgresql://${AT}?require_auth=scram-sha-256`), /^require_auth in DATABASE_URL/],
  ["keepalives_count", url(`postgresql://${AT}?keepalives_count=3`), /checks its connections itself/],
  [
    "a file that is missing",
    url(`postgresql://${AT}?sslmode=verify-full&sslrootcert=/nonexistent`),
    /^sslrootcert in DATABASE_URL is "\/nonexistent": the file cannot be read \(no such file or folder\)/,
  ],
  [
    "PGSSLROOTCERT that is missing",
    { ...PARTS, PGSSLROOTCERT: "/nonexistent" },
    /^PGSSLROOTCERT is "\/nonexistent": the file cannot be read/,
  ],
  [
    "Prisma's schema",
    url(`postgresql://${AT}?schema=public`),
    /^schema in DATABASE_URL is not PostgreSQL's: leave it out; METRICS_SCHEMA/,
  ],
  [
    "Prisma's pgbouncer",
    url(`postgresql://${AT}?pgbouncer=true`),
    /^pgbouncer in DATABASE_URL is not PostgreSQL's/,
  ],
  ["a misspelt parameter", url(`postgresql://${AT}?sslmod=disable`), /did you mean sslmode\?/],
  [
    "an unknown parameter",
    url(`postgresql://${AT}?q3m=1`),
    /has a parameter that PostgreSQL does not know: leave it out/,
  ],
  ["a password with a question mark", url("postgresql://{USER}:12?34@{HOST}/{DATABASE}"), /percent-encoded/],
  ["a password with a hash", url("postgresql://{USER}:12#34@{HOST}/{DATABASE}"), /percent-encoded/],
  [
    "JDBC's URL",
    url(`jdbc:postgresql://{HOST}:{PORT}/{DATABASE}`),
    /^DATABASE_URL is JDBC's: leave out jdbc:/,
  ],
  [
    "SQLAlchemy's URL",
    url(`postgresql+asyncpg://${AT}`),
    /names the driver asyncpg: leave out \+asyncpg, and begin with postgresql:\/\//,
  ],
  ["quotes", url(`"postgresql://${AT}"`), /^DATABASE_URL is in quotes: remove them/],
  [
    "a list of parameters",
    url("host={HOST} port={PORT} user={USER} dbname={DATABASE}"),
    /is a list of parameters: write it as a URL/,
  ],
  [
    "another database's",
    url("mysql://{USER}:{PASSWORD}@{HOST}/{DATABASE}"),
    /begins with mysql:\/\/ and must begin with postgresql:\/\//,
  ],
  ["its own name before it", url(`DATABASE_URL=postgresql://${AT}`), /begins with its own name/],
  ["a command", url(`psql postgresql://${AT}`), /is a command: leave out psql/],
  ["no host", url("postgresql:///{DATABASE}"), /^DATABASE_URL names no host.*host=\/run\/postgresql/],
  [
    "a port that is none",
    url("postgresql://{HOST}:99999/{DATABASE}"),
    /^port in DATABASE_URL is "99999": it must be a whole number from 1 to 65535/,
  ],
];

/** The case with what stands for it put in: `ours` by the words that stand for them. */
function filled(text: string, ours: Readonly<Record<string, string>>): string {
  return Object.entries(ours).reduce((so, [word, value]) => so.replaceAll(`{${word}}`, value), text);
}

export function environmentOf([, env]: Case, ours: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(env).map(([name, value]) => [name, filled(value, ours)]));
}
