/** Valid connection strings lead where they say. (`tests/config/connection.test.ts` has the refused ones of the table.) */
import { execFile } from "node:child_process";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { ENTRY, environment } from "../../demo/command.ts";
import { readSnapshot } from "../../src/cli/read-snapshot.ts";
import { loadConfig } from "../../src/config.ts";
import { CASES, environmentOf } from "../config/connection-strings.ts";
import { spawnDaemon } from "../support/daemon-process.ts";
import { createDatabase, type TestDatabase } from "../support/database.ts";
import { startServer, type TestServer } from "../support/server.ts";

/** One that asks for a password, and has a user whose password must be encoded in a URL. */
const PASSWORD = "p@ss/w:rd";
let server: TestServer;
let database: TestDatabase;

beforeAll(async () => {
  server = await startServer({ password: "of the superuser" });
  database = await createDatabase({ adminUrl: server.url() });
  await database.admin.query(`ALTER ROLE ${database.role} PASSWORD '${PASSWORD}'`);
});

afterAll(async () => {
  await database.drop();
  await server[Symbol.asyncDispose]();
});

function metrics(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  const { DATABASE_URL: _, ...clean } = environment("");
  return new Promise((resolve) => {
    execFile(process.execPath, [ENTRY, ...args], { env: { ...clean, ...env } }, (error, out, err) =>
      resolve({ code: Number(error?.code ?? 0), out, err }),
    );
  });
}

function ours(one: (typeof CASES)[number]): Record<string, string> {
  const { hostname, port } = new URL(database.url);
  return {
    HOST: hostname,
    PORT: port,
    USER: database.role,
    PASSWORD: "PGPASSWORD" in one[1] ? PASSWORD : encodeURIComponent(PASSWORD),
    DATABASE: database.name,
  };
}

describe("a connection string", () => {
  beforeEach(() => {
    // The driver reads libpq's variables too.
    for (const name of Object.keys(process.env))
      if (/^PG|^DATABASE_URL/.test(name)) vi.stubEnv(name, undefined);
    return () => vi.unstubAllEnvs();
  });

  it.each(CASES.filter(([, , becomes]) => becomes === "leads there"))("%s leads there", async (...one) => {
    for (const [name, value] of Object.entries(environmentOf(one, ours(one)))) vi.stubEnv(name, value);
    const read = await readSnapshot(loadConfig(process.env), { timeoutMs: 5_000 });
    expect(read.as_of.seq).toBe(0);
  });
});

it("a valid connection string is taken by the command, a refused one ends it with exit code 2, and neither is printed", async () => {
  const one = CASES.find(([, , becomes]) => becomes === "leads there");
  if (one === undefined) throw new Error("there are valid ones");
  const env = environmentOf(one, ours(one));
  expect(await metrics(["config", "--check"], env)).toMatchObject({ code: 0, err: "" });
  const read = await metrics(["snapshot", "--json"], env);
  expect(read).toMatchObject({ code: 0, err: "" });
  expect(read.out).not.toContain(PASSWORD);
  const refused = { DATABASE_URL: `${env["DATABASE_URL"]}?sslmode=allow` };
  for (const verb of ["config --check", "snapshot --json"]) {
    const { code, out, err } = await metrics(verb.split(" "), refused);
    expect(code).toBe(2);
    expect(`${out}${err}`).not.toMatch(new RegExp(`${PASSWORD}|${encodeURIComponent(PASSWORD)}`));
  }
});

it("daemons are counted, whatever application_name the URL has", async () => {
  const url = new URL(database.daemonUrl);
  url.password = encodeURIComponent(PASSWORD);
  url.searchParams.set("application_name", "mine");
  await using daemon = spawnDaemon(url.href);
  await daemon.line("daemon.ready");
  const { out } = await metrics(["snapshot", "--json"], { DATABASE_URL: url.href });
  expect(JSON.parse(out)).toMatchObject({ daemon: { running: 1 } });
});
