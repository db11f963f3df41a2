/** The server that demo and tests run on: it comes back with its data, and never outlives who started it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import pg from "pg";
import { expect, it } from "vitest";
import { startServer } from "../support/server.ts";

const HARNESS = new URL("../../demo/postgres-server.ts", import.meta.url).href;

it.each(["fast", "smart", "immediate"] as const)("a %s restart keeps port and data", async (mode) => {
  await using server = await startServer();
  await query(server.url(), "CREATE TABLE kept AS SELECT 7 AS value");
  const before = server.pid;

  await server.restart(mode);

  expect(server.pid).not.toBe(before);
  expect(await query(server.url(), "SELECT value FROM kept")).toEqual([{ value: 7 }]);
});

it("a killed postmaster is noticed, and starts again", async () => {
  await using server = await startServer();
  process.kill(server.pid ?? 0, "SIGKILL");
  await expect.poll(() => server.pid).toBeUndefined();

  await server.start();

  expect(await query(server.url(), "SELECT 1 AS one")).toEqual([{ one: 1 }]);
});

it("with a password, a login without it is refused", async () => {
  const password = "p'a:s/s@w %rd";
  await using server = await startServer({ password });

  expect(await query(server.url(), "SELECT 1 AS one")).toEqual([{ one: 1 }]);
  const stranger = new URL(server.url());
  stranger.password = "guess";
  await expect(query(stranger.href, "SELECT 1")).rejects.toMatchObject({ code: "28P01" });
});

it("a start that fails says why", async () => {
  await expect(startServer({ settings: { no_such_setting: 1 } })).rejects.toThrow(/no_such_setting/);
});

it.each(["SIGKILL", "SIGINT"] as const)("the server ends with its parent, even by %s", async (signal) => {
  const dataDir = await mkdtemp(join(tmpdir(), "damascus-test-"));
  const { parent, port } = await startInChild(dataDir);

  parent.kill(signal);
  await once(parent, "exit");

  await expect.poll(() => reachable(port), { timeout: 45_000 }).toBe(false);
  await rm(dataDir, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
});

it.skipIf(process.getuid?.() !== 0)(
  "root may keep the data in a folder that is closed to others",
  async () => {
    const closed = await mkdtemp(join(tmpdir(), "damascus-closed-"));
    await mkdir(join(closed, "clone"));
    await using server = await startServer({ dataDir: join(closed, "clone", "data") });

    expect(server.dataDir.startsWith(closed)).toBe(false);
    expect(await query(server.url(), "SELECT 1 AS one")).toEqual([{ one: 1 }]);
    await rm(closed, { recursive: true });
  },
);

async function startInChild(dataDir: string): Promise<{ parent: ReturnType<typeof spawn>; port: number }> {
  const options = { dataDir, binDir: process.env["TEST_PG_BIN"] || undefined };
  const script = `
    import { createServer } from ${JSON.stringify(HARNESS)};
    const server = await createServer(${JSON.stringify(options)});
    await server.start();
    console.log(server.port);
    setInterval(() => {}, 1000);`;
  const parent = spawn(process.execPath, ["--input-type=module", "--eval", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = (await once(createInterface({ input: parent.stdout }), "line")) as [string];
  const port = Number(line);
  expect(await reachable(port)).toBe(true);
  return { parent, port };
}

async function reachable(port: number): Promise<boolean> {
  return query(`postgres://postgres@127.0.0.1:${port}/postgres`, "SELECT 1").then(
    () => true,
    () => false,
  );
}

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => {});
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}
