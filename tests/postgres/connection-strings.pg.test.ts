/** Connection strings that are valid really lead where they say; the others are refused before anything is contacted. */
import { execFile } from "node:child_process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ENTRY, environment } from "../../demo/command.ts";
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

describe("each of them", () => {
  it("is valid and connects, or is invalid and connects nowhere", async () => {
    const wrong: string[] = [];
    const tryOne = async (one: (typeof CASES)[number]): Promise<void> => {
      const env = environmentOf(one, ours(one));
      const checked = await metrics(["config", "--check"], env);
      const read = await metrics(["snapshot", "--json"], env);
      const codes = one[2] === "leads there" ? [0, 0] : [2, 2];
      if (checked.code !== codes[0] || read.code !== codes[1])
        wrong.push(`${one[0]}: ${checked.code} ${checked.err} ${read.code} ${read.err}`);
      if (`${checked.err}${read.err}`.includes(PASSWORD)) wrong.push(`${one[0]} tells the password`);
    };
    const left = [...CASES];
    await Promise.all(
      [1, 2, 3].map(async () => {
        for (let one = left.pop(); one !== undefined; one = left.pop()) await tryOne(one);
      }),
    );
    expect(wrong).toEqual([]);
  });
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
