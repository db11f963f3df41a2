/** Behind a pooler in transaction mode each transaction may run on another backend: nothing of a session can be relied on. */
import { expect, it } from "vitest";
import { comparable, snapshotFromLog, startDaemon } from "../support/daemon.ts";
import { createDatabase, type TestDatabase } from "../support/database.ts";
import { violations } from "../support/oracle.ts";
import { hold, merge, merges, notify, times } from "../support/orchestrator.ts";
import { startPooler } from "../support/pooler.ts";
import { findProgram } from "../support/programs.ts";
import { startServer } from "../support/server.ts";
import { until } from "../support/until.ts";
import { startWatched } from "../support/watched-daemon.ts";

const PGBOUNCER = findProgram("pgbouncer", "../sbin/pgbouncer");

it.for([
  ["the last backend used", 0],
  ["each backend in turn", 1],
] as const)(
  "PgBouncer in transaction mode, giving %s: degraded to polling, reported once, and the numbers are right",
  async ([, server_round_robin], ctx) => {
    if (PGBOUNCER === null) return ctx.skip("pgbouncer is not installed");
    await using database = await createDatabase();
    await using pooler = await startPooler(PGBOUNCER, database.daemonUrl, { server_round_robin });
    const options = { url: pooler.url, listens: true, selfCheck: { everyMs: 20, withinMs: 100 } };
    await using one = startDaemon(database, options);
    await using other = startDaemon(database, options);
    await one.event("listen.degraded");
    await other.event("listen.degraded");
    await merges(database.admin, times(60));
    for (let count = 0; count < 20; count += 1) {
      await merge(database.admin);
      await notify(database.admin);
    }
    for (const daemon of [one, other]) {
      await daemon.converged();
      expect(comparable(daemon.memory())).toEqual(comparable(await snapshotFromLog(database)));
      expect(daemon.all("db.disconnected")).toEqual([]);
      const listening = daemon.events.map((told) => told.event).filter((name) => name.startsWith("listen."));
      expect(listening).toEqual(["listen.degraded"]);
    }
    expect(await violations(database.admin)).toEqual([]);
  },
);

it.for(["stopped fast", "stopped at once", "a process crashed"] as const)(
  "a connection to PgBouncer outlives the server (%s): a prepared transaction is waited for under its new name",
  async (mode, ctx) => {
    if (PGBOUNCER === null) return ctx.skip("pgbouncer is not installed");
    await using server = await startServer();
    await using database = await createDatabase({ adminUrl: server.url() });
    await using pooler = await startPooler(PGBOUNCER, database.daemonUrl, { server_login_retry: 1 });
    await using daemon = await startWatched(database, { url: pooler.url, statementTimeoutMs: 30_000 });
    await using late = await hold(database);
    const low = await merge(late.client);
    const high = await merge(database.admin);
    await daemon.looks();
    await daemon.event("merge.recorded", (one) => one.event_id === high.eventId);
    await late.prepare();
    await daemon.looks();
    await pooler.pause();
    if (mode === "a process crashed") await crash(database);
    else await server.restart(mode === "stopped fast" ? "fast" : "immediate");
    await pooler.resume();
    await daemon.looks();
    await daemon.looks();
    await late.finish("COMMIT");
    await daemon.looks();
    const found = await daemon.event("merge.recorded", (one) => one.event_id === low.eventId);
    expect(found).toMatchObject({ seq: 2, late: true, found_by: "poll" });
    // A server that recovers from a crash of one of its processes is the same one: nothing tells that it did.
    const noticed = mode === "a process crashed" ? [] : [{ failure: { code: "SERVER_REPLACED" } }];
    expect(daemon.all("db.disconnected")).toMatchObject(noticed);
    expect(await violations(database.admin)).toEqual([]);
  },
);

/** One of the server's processes dies, so it ends all of them and recovers. */
async function crash(database: TestDatabase): Promise<void> {
  const { rows } = await database.admin.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
  process.kill(rows[0]?.pid ?? 0, "SIGKILL");
  await until("the server has recovered", () =>
    database.admin.query("SELECT 1").then(
      () => true,
      () => false,
    ),
  );
}
