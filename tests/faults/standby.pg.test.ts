/** Failover: a standby is waited for, and after its promotion nothing keyed by an id is believed any more. */
import { cp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import pg from "pg";
import { expect, it } from "vitest";
import { readHistory } from "../../src/cli/read-history.ts";
import { readSnapshot } from "../../src/cli/read-snapshot.ts";
import { readVerification } from "../../src/cli/read-verification.ts";
import { comparable, configOf, snapshotFromLog, startDaemon } from "../support/daemon.ts";
import { createDatabase, type TestDatabase } from "../support/database.ts";
import { violations } from "../support/oracle.ts";
import { merge, merges, notify, REWORKED, times } from "../support/orchestrator.ts";
import { startProxy } from "../support/proxy.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { until } from "../support/until.ts";

/** A cold copy of a stopped primary, started as a standby of it. */
async function standbyOf(primary: TestServer): Promise<TestServer> {
  const dataDir = `${primary.dataDir}-standby`;
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

function poolOn(url: string): pg.Pool & AsyncDisposable {
  const pool = new pg.Pool({ connectionString: url });
  return Object.assign(pool, { [Symbol.asyncDispose]: () => pool.end() });
}

async function promote(standby: TestServer): Promise<void> {
  const client = new pg.Client({ connectionString: standby.url() });
  await client.connect();
  await client.query("SELECT pg_promote()");
  await client.end();
}

it("a standby takes no writes: the daemon reports it, waits, and continues after its promotion", async () => {
  await using primary = await startServer();
  const database: TestDatabase = await createDatabase({ adminUrl: primary.url() });
  await merges(database.admin, times(30));
  await database.admin.end();
  await primary.stop();
  await using standby = await standbyOf(primary);
  await using daemon = startDaemon(database, {
    url: onServer(database.daemonUrl, standby),
    listens: true,
    pollIntervalMs: 600_000,
  });
  expect(await daemon.event("db.unfit")).toMatchObject({ reason: "read_only_server" });
  await until("it has asked again", () => daemon.all("db.unfit").length >= 4);
  expect(daemon.all("db.unfit").every((one) => one.reason === "read_only_server")).toBe(true);
  expect(daemon.all("db.unfit").every((one) => one.retry_in_ms > 0)).toBe(true);
  expect(daemon.all("daemon.ready")).toEqual([]);
  await promote(standby);
  await daemon.ready();
  expect(daemon.all("merge.recorded")).toHaveLength(30);
  // Notifications come again too: nothing else tells of this one for ten minutes.
  await daemon.event("listen.connected");
  await daemon.event("reconciliation.completed");
  await using admin = poolOn(onServer(database.url, standby));
  const { eventId } = await merge(admin);
  await notify(admin);
  await daemon.event("merge.recorded", (one) => one.event_id === eventId);
  expect(await violations(admin)).toEqual([]);
});

it("reading verbs work on a standby, where no lock of the primary is seen", async () => {
  await using primary = await startServer();
  const database: TestDatabase = await createDatabase({ adminUrl: primary.url() });
  await merges(database.admin, times(30));
  await using daemon = startDaemon(database);
  await daemon.converged();
  await daemon.stop();
  await merge(database.admin);
  await database.admin.end();
  await primary.stop();
  await using standby = await standbyOf(primary);
  const config = configOf(onServer(database.daemonUrl, standby));
  const asked = { timeoutMs: 10_000, metric: null, projects: [], progress: () => undefined };
  expect(await readSnapshot(config, asked)).toMatchObject({ as_of: { seq: 30 }, lag: { merges: 1 } });
  expect(await readVerification(config, { ...asked, limit: 9 })).toMatchObject({
    verified: true,
    counts: { merges: 30, waiting: 1 },
  });
  expect((await readHistory(config, { ...asked, last: 40 })).series[0]?.points).toHaveLength(30);
});

it("a standby that takes the primary's place while the daemon runs: nothing is written until its promotion, then the daemon continues", async () => {
  await using primary = await startServer();
  const database: TestDatabase = await createDatabase({ adminUrl: primary.url() });
  await using proxy = await startProxy(primary.url());
  await using daemon = startDaemon(database, { url: proxy.url(database.daemonUrl) });
  await merges(database.admin, times(30));
  await daemon.converged();
  await database.admin.end();
  await primary.stop();
  await using standby = await standbyOf(primary);
  const mark = daemon.mark();
  proxy.moveTo(standby.url());
  expect(await daemon.event("db.unfit", undefined, mark)).toMatchObject({ reason: "read_only_server" });
  expect(daemon.memory()).toBeNull();
  await promote(standby);
  await daemon.event("restore.completed", ({ seq }) => seq === 30, mark);
  await using admin = poolOn(onServer(database.url, standby));
  const { eventId } = await merge(admin);
  expect(await daemon.event("merge.recorded", (one) => one.event_id === eventId)).toMatchObject({ seq: 31 });
  expect(await violations(admin)).toEqual([]);
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
  // A rehearsal draws ids as well: the survivor goes on from where they were.
  const { rows: drawn } = await database.admin.query<{ id: string }>(
    "SELECT last_value AS id FROM events_outbox_id_seq",
  );
  const lost = await merges(database.admin, times(20));
  await daemon.converged();
  expect(daemon.memory()).toMatchObject({ as_of: { seq: 50 } });
  await database.admin.end();
  await primary.stop("immediate");
  await promote(standby);
  await using admin = poolOn(onServer(database.url, standby));
  await admin.query("SELECT setval('events_outbox_id_seq', $1)", [drawn[0]?.id]);
  const others = await merges(admin, times(25, REWORKED));
  expect(others.slice(0, 20)).toEqual(lost);
  proxy.moveTo(standby.url());
  const after: TestDatabase = { ...database, admin, daemonUrl: onServer(database.daemonUrl, standby) };
  const log = await until("the survivor's merges are recorded", async () => {
    const snapshot = await snapshotFromLog(after);
    return snapshot.lag.merges === 0 && snapshot.as_of.seq === 55 ? snapshot : null;
  });
  expect(await violations(after.admin)).toEqual([]);
  await until("memory is what the log gives", () => daemon.memory()?.as_of.seq === 55);
  expect(comparable(daemon.memory())).toEqual(comparable(log));
});
