/** What people can meet at a database, produced on the real thing: each is reported with its own advice and reason. */
import { execFile } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ENTRY, environment } from "../../demo/command.ts";
import { advice } from "../../src/cli/read-log.ts";
import { DatabaseFailure } from "../../src/outbox/outbox-log.ts";
import { connectTo } from "../support/connection.ts";
import { snapshotFromLog, startDaemon } from "../support/daemon.ts";
import { createDatabase, type TestDatabase } from "../support/database.ts";
import { merge } from "../support/orchestrator.ts";
import { startPooler } from "../support/pooler.ts";
import { findProgram } from "../support/programs.ts";
import { expectRight } from "../support/right.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { until } from "../support/until.ts";

const PGBOUNCER = findProgram("pgbouncer", "../sbin/pgbouncer");
const folder = mkdtempSync(join(tmpdir(), "damascus-advice-"));
let server: TestServer;
let database: TestDatabase;

beforeAll(async () => {
  server = await startServer({ password: "of the superuser" });
  database = await createDatabase({ adminUrl: server.url() });
});

afterAll(async () => {
  await database.drop();
  await server[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

/** @returns what `metrics snapshot` says, which exits with 3. */
async function adviceOf(change: (url: URL) => void, env: NodeJS.ProcessEnv = {}): Promise<string> {
  const url = new URL(database.daemonUrl);
  change(url);
  const { code, err } = await new Promise<{ code: unknown; err: string }>((resolve) => {
    execFile(
      process.execPath,
      [ENTRY, "snapshot"],
      { env: { ...environment(url.href), HOME: folder, ...env } },
      (error, _, text) => resolve({ code: error?.code ?? 0, err: text }),
    );
  });
  expect(code).toBe(3);
  return err;
}

function passFile(content: string, mode: number): string {
  const file = join(folder, `pass-${mode.toString(8)}`);
  writeFileSync(file, content);
  chmodSync(file, mode);
  return file;
}

const noPassword = (url: URL): void => {
  url.password = "";
};

/** The failure of a statement under a setting of our role. */
async function failing(setting: string, statement: string): Promise<string> {
  await database.admin.query(`ALTER ROLE ${database.role} SET ${setting}`);
  const connection = await connectTo(database);
  try {
    await connection.run(statement);
    return "no failure";
  } catch (error) {
    return error instanceof DatabaseFailure ? advice(error.failure) : String(error);
  } finally {
    connection.destroy();
    await database.admin.query(`ALTER ROLE ${database.role} RESET ALL`);
  }
}

describe("a login:", () => {
  it("no password anywhere", async () => {
    expect(await adviceOf(noPassword)).toMatch(
      /set PGPASSWORD_FILE, or PGPASSFILE .*NO_PASSWORD: the server asks for a password/,
    );
  });

  it("a password file that others may read is ignored, and that is said", async () => {
    const PGPASSFILE = passFile("*:*:*:*:secret\n", 0o644);
    const text = await adviceOf(noPassword, { PGPASSFILE });
    expect(text).toMatch(
      /NO_PASSWORD: .*PGPASSFILE ".*" is ignored, as others may read it \(mode 0644\): chmod 600 it/,
    );
    expect(text).not.toContain("secret");
  });

  it("a password file without a line for this database", async () => {
    const text = await adviceOf(noPassword, { PGPASSFILE: passFile("elsewhere:*:*:*:x\n", 0o600) });
    expect(text).toMatch(/NO_PASSWORD: .*has no line for/);
  });

  it("a wrong password (28P01)", async () => {
    expect(
      await adviceOf((url) => {
        url.password = "wrong";
      }),
    ).toMatch(/check the user and the password \(28P01: /);
  });

  it("a database that does not exist (3D000)", async () => {
    expect(
      await adviceOf((url) => {
        url.pathname = "/nothing";
      }),
    ).toMatch(/check the name in DATABASE_URL \(3D000: /);
  });

  it("TLS asked of a server without it", async () => {
    expect(await adviceOf((url) => url.searchParams.set("sslmode", "verify-full"))).toMatch(
      /the server does not support TLS: enable it on the server, or use sslmode=disable .*\(NO_TLS: /,
    );
  });

  it("PgBouncer pooling statement by statement (08P01)", async (ctx) => {
    if (PGBOUNCER === null) return ctx.skip("pgbouncer is not installed");
    await using own = await createDatabase();
    await using pooler = await startPooler(PGBOUNCER, own.daemonUrl, { pool_mode: "statement" });
    const pooled = { ...own, daemonUrl: pooler.url };
    // Reading says each transaction in one message, which even this lets pass; writing does not.
    expect(await snapshotFromLog(pooled)).toMatchObject({ as_of: { seq: 0 } });
    await using daemon = startDaemon(pooled);
    const { failure } = await daemon.event("db.refused");
    expect(advice(failure)).toMatch(/it must pool by transaction or session .*\(08P01: /);
  });
});

describe("a limit of the server's:", () => {
  it("temp_file_limit (53400)", async () => {
    const sorting =
      "SELECT count(*) FROM (SELECT repeat(n::text, 20) FROM generate_series(1, 300000) n ORDER BY 1 OFFSET 1) s";
    expect(await failing("temp_file_limit = '64kB'", sorting)).toMatch(
      /raise it for the daemon's role \(53400: /,
    );
  });

  it("transaction_timeout (25P04)", async (ctx) => {
    const { rows } = await database.admin.query<{ server_version_num: string }>("SHOW server_version_num");
    if (Number(rows[0]?.server_version_num) < 170_000)
      return ctx.skip("this PostgreSQL has no transaction_timeout");
    expect(await failing("transaction_timeout = '50ms'", "SELECT pg_sleep(10)")).toMatch(
      /set them to a second or more for the daemon's role \(25P04: /,
    );
  });
});

describe("the first error of a connection is the reported reason:", () => {
  it("idle_session_timeout (57P05), by a connection that did nothing", async () => {
    await database.admin.query(`ALTER ROLE ${database.role} SET idle_session_timeout = '300ms'`);
    await using daemon = startDaemon(database, { pollIntervalMs: 600_000 });
    const { failure } = await daemon.event("db.disconnected");
    expect(failure.code).toBe("57P05");
    await database.admin.query(`ALTER ROLE ${database.role} RESET ALL`);
  });

  it("idle_in_transaction_session_timeout (25P03), by the statement after it", async () => {
    const connection = await connectTo(database);
    await connection.run("BEGIN; SET LOCAL idle_in_transaction_session_timeout = '50ms'");
    await until("the server has ended it", async () => {
      const { rows } = await database.admin.query("SELECT FROM pg_stat_activity WHERE usename = $1", [
        database.role,
      ]);
      return rows.length === 0;
    });
    const failure = await connection.run("SELECT 1").catch((error: unknown) => error);
    expect(failure).toMatchObject({ failure: { code: "25P03" } });
  });
});

it("a trigger of the orchestrator's that refuses a merge is named by its function, and is not a lost connection", async () => {
  await using own = await createDatabase();
  await using daemon = startDaemon(own);
  await daemon.ready();
  await own.admin.query(`
    CREATE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not here'; END $$;
    CREATE TRIGGER guard BEFORE INSERT ON events_outbox FOR EACH ROW
      WHEN (NEW.payload->'merge'->>'attempts' = '7') EXECUTE FUNCTION guard()`);
  await merge(own.admin, { attempts: 7 });
  const { failure } = await daemon.event("merge.refused");
  expect(failure).toMatchObject({
    code: "P0001",
    message: expect.stringMatching(/^not here \(function (public\.)?guard\)$/),
  });
  expect(daemon.all("db.disconnected")).toEqual([]);
  await own.admin.query("DROP TRIGGER guard ON events_outbox");
  await expectRight(own, daemon);
});

it("a revoked privilege is a refusal, not a lost connection", async () => {
  await using own = await createDatabase();
  await using daemon = startDaemon(own);
  await daemon.ready();
  await own.admin.query(`REVOKE SELECT ON work_items FROM ${own.role}`);
  await merge(own.admin);
  const { failure } = await daemon.event("db.refused");
  expect(failure.code).toBe("42501");
  expect(daemon.all("db.disconnected")).toEqual([]);
  await own.admin.query(`GRANT SELECT ON work_items TO ${own.role}`);
  await expectRight(own, daemon);
});
