/** A fresh database for a test or a test file: the orchestrator's tables and our role's grants. */
import { randomBytes } from "node:crypto";
import pg from "pg";
import { inject } from "vitest";
import { grants, orchestratorSchema, type SchemaVariant } from "./orchestrator-schema.ts";

export interface DatabaseOptions extends SchemaVariant {
  /** A superuser's URL of another server than the run's shared one (see startServer). */
  readonly adminUrl?: string | undefined;
  /** An ICU locale that texts are compared by. Default: byte by byte. */
  readonly locale?: string | undefined;
}

export interface TestDatabase extends AsyncDisposable {
  readonly name: string;
  /** As superuser: the orchestrator's side. */
  readonly url: string;
  /** As the least-privilege role of config/grants.sql. */
  readonly daemonUrl: string;
  /** Name of that role here. */
  readonly role: string;
  /** A pool as superuser: `query` for a statement, `connect` to hold a transaction open. */
  readonly admin: pg.Pool;
  /** Ends all connections and removes the database and its role. */
  drop(): Promise<void>;
}

/** Makes a database, about 50 ms for the ordinary one (copied from the run's template). */
export async function createDatabase(options: DatabaseOptions = {}): Promise<TestDatabase> {
  const shared = inject("postgres");
  const adminUrl = options.adminUrl ?? shared.adminUrl;
  const name = `${shared.run}_${randomBytes(5).toString("hex")}`;
  const role = name;
  const password = randomBytes(9).toString("hex");
  const copied = options.adminUrl === undefined && options.locale === undefined && isOrdinary(options);

  await asAdmin(adminUrl, (client) =>
    client.query(createStatement(name, copied ? shared.template : undefined, options.locale)),
  );
  const url = urlOf(adminUrl, name);
  const admin = new pg.Pool({ connectionString: url, max: 8 });
  // A test that stops the server or kills backends loses idle connections: the next query gets a new one.
  admin.on("error", () => {});
  if (!copied) await admin.query(orchestratorSchema(options));
  await admin.query(grants(role));
  await admin.query(`ALTER ROLE ${role} PASSWORD '${password}'`);

  async function drop(): Promise<void> {
    await admin.end();
    await asAdmin(adminUrl, async (client) => {
      await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
      await client.query(`DROP ROLE IF EXISTS ${role}`);
    });
  }

  return {
    name,
    url,
    daemonUrl: urlOf(url, name, { user: role, password }),
    role,
    admin,
    drop,
    [Symbol.asyncDispose]: drop,
  };
}

function isOrdinary({ idType, payloadType, sequence }: SchemaVariant): boolean {
  return (
    (idType ?? "bigint") === "bigint" &&
    (payloadType ?? "jsonb") === "jsonb" &&
    (sequence ?? "serial") === "serial"
  );
}

function createStatement(name: string, template: string | undefined, locale?: string): string {
  const icu = locale === undefined ? "" : ` LOCALE_PROVIDER icu ICU_LOCALE '${locale}'`;
  return template === undefined
    ? `CREATE DATABASE ${name} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'${icu}`
    : // The default writes every page to the WAL, which takes three times as long.
      `CREATE DATABASE ${name} TEMPLATE ${template} STRATEGY file_copy`;
}

function urlOf(base: string, database: string, login?: { user: string; password: string }): string {
  const url = new URL(base);
  url.pathname = `/${database}`;
  if (login !== undefined) {
    url.username = login.user;
    url.password = login.password;
  }
  return url.href;
}

async function asAdmin(adminUrl: string, use: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client({ connectionString: adminUrl });
  await client.connect();
  try {
    await use(client);
  } finally {
    await client.end();
  }
}
