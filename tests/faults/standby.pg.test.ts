/** Failover: a standby is waited for, and after its promotion nothing keyed by an id is believed any more. */
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { expect, it } from "vitest";
import { comparable, snapshotFromLog, startDaemon } from "../support/daemon.ts";
import { createDatabase, type TestDatabase } from "../support/database.ts";
import { violations } from "../support/oracle.ts";
import { merges, REWORKED, times } from "../support/orchestrator.ts";
import { startProxy } from "../support/proxy.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { until } from "../support/until.ts";

/** A cold copy of a stopped primary, started as a standby of it. */
async function standbyOf(primary: TestServer): Promise<TestServer> {
  const dataDir = await mkdtemp(join(tmpdir(), "damascus-standby-"));
  await rm(dataDir, { recursive: true });
  await cp(primary.dataDir, dataDir, { recursive: true });
  await writeFile(join(dataDir, "standby.signal"), "");
  return startServer({
    dataDir,
    settings: { primary_conninfo: `host=127.0.0.1 port=${primary.port} user=postgres`, hot_standby: "on" },
  });
}

/** The test's database on another server. */
function onServer(url: string, server: TestServer): string {
  const moved = new URL(url);
  moved.port = String(server.port);
  return moved.href;
}

async function promote(standby: TestServer): Promise<void> {
  const client = new pg.Client({ connectionString: standby.url() });
  await client.connect();
  await client.query("SELECT pg_promote()");
  await client.end();
}

it("a standby takes no writes: told, waited for, and gone on with after its promotion", async () => {
  await using primary = await startServer();
  const database: TestDatabase = await createDatabase({ adminUrl: primary.url() });
  await merges(database.admin, times(30));
  await primary.stop();
  await using standby = await standbyOf(primary);
  await using daemon = startDaemon(database, { url: onServer(database.daemonUrl, standby) });
  expect(await daemon.event("db.unfit")).toMatchObject({ reason: "read_only_server" });
  await promote(standby);
  await daemon.ready();
  expect(daemon.all("merge.recorded")).toHaveLength(30);
  await database.admin.end();
});

it("a failover that lost commits: their ids come again with other merges, and those are recorded", async () => {
  await using primary = await startServer();
  const database = await createDatabase({ adminUrl: primary.url() });
  await merges(database.admin, times(30));
  await using before = startDaemon(database);
  await before.converged();
  await before.crash();
  await primary.stop();
  // What the copy has is what survives.
  await using standby = await standbyOf(primary);
  await primary.start();
  await using proxy = await startProxy(primary.url());
  await using daemon = startDaemon(database, { url: proxy.url(database.daemonUrl) });
  await daemon.ready();
  await merges(database.admin, times(20));
  await daemon.converged();
  expect(daemon.memory()).toMatchObject({ as_of: { seq: 50 } });
  await database.admin.end();
  await primary.stop("immediate");
  await promote(standby);
  await using survivor = {
    admin: new pg.Pool({ connectionString: onServer(database.url, standby) }),
    [Symbol.asyncDispose]: () => survivor.admin.end(),
  };
  await merges(survivor.admin, times(25, REWORKED));
  proxy.moveTo(standby.url());
  const after: TestDatabase = {
    ...database,
    admin: survivor.admin,
    daemonUrl: onServer(database.daemonUrl, standby),
  };
  const log = await until("the survivor's merges are recorded", async () => {
    const snapshot = await snapshotFromLog(after);
    return snapshot.lag.merges === 0 && snapshot.as_of.seq === 55 ? snapshot : null;
  });
  expect(await violations(after.admin)).toEqual([]);
  await until("memory is what the log gives", () => daemon.memory()?.as_of.seq === 55);
  expect(comparable(daemon.memory())).toEqual(comparable(log));
});
