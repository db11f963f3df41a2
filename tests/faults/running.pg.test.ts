/** What happens to a database while the daemon runs: it comes back by itself, or stays silent and says why. */
import { describe, expect, it } from "vitest";
import {
  comparable,
  countRecorded,
  snapshotFromLog,
  startDaemon,
  type TestDaemon,
} from "../support/daemon.ts";
import { createDatabase, type TestDatabase } from "../support/database.ts";
import { violations } from "../support/oracle.ts";
import { event, hold, merge, merges, notify, REWORKED, times } from "../support/orchestrator.ts";
import { startProxy } from "../support/proxy.ts";
import { startServer } from "../support/server.ts";
import { until } from "../support/until.ts";

const LOCK_KEY = `('x' || left(encode(sha256('damascus-metrics:public.events_outbox'), 'hex'), 16))::bit(64)::bigint`;

async function expectRight(database: TestDatabase, daemon: TestDaemon): Promise<void> {
  await daemon.converged();
  expect(await violations(database.admin)).toEqual([]);
  expect(comparable(daemon.memory())).toEqual(comparable(await snapshotFromLog(database)));
}

describe("the server", () => {
  it.each(["fast", "immediate"] as const)(
    "restarted again and again (%s): reconnects, restores, goes on",
    async (mode) => {
      await using server = await startServer();
      await using database = await createDatabase({ adminUrl: server.url() });
      await using daemon = startDaemon(database, { listens: true });
      await daemon.event("listen.connected");
      for (let round = 0; round < 3; round += 1) {
        await merges(database.admin, times(20));
        const mark = daemon.mark();
        await server.restart(mode);
        await daemon.event("restore.completed", undefined, mark);
        await daemon.event("listen.connected", undefined, mark);
      }
      await merge(database.admin);
      await expectRight(database, daemon);
      expect(daemon.memory()?.as_of.seq).toBe(61);
    },
  );

  it("sends single backends away: nothing is lost", async () => {
    await using database = await createDatabase();
    await using daemon = startDaemon(database);
    await daemon.ready();
    for (let round = 0; round < 5; round += 1) {
      const mark = daemon.mark();
      await merge(database.admin);
      await database.admin.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1",
        [database.role],
      );
      await daemon.event("restore.completed", undefined, mark);
    }
    await expectRight(database, daemon);
    expect(daemon.all("db.disconnected")).toHaveLength(5);
  });
});

describe("notifications", () => {
  it("wake it long before the poll interval", async () => {
    await using database = await createDatabase();
    await using daemon = startDaemon(database, { listens: true, pollIntervalMs: 600_000 });
    await daemon.event("listen.connected");
    await daemon.event("comparison.completed");
    const { eventId } = await merge(database.admin);
    await notify(database.admin);
    await daemon.event("merge.recorded", (one) => one.event_id === eventId);
    expect(await violations(database.admin)).toEqual([]);
  });

  it("are not needed: polling finds every merge", async () => {
    await using database = await createDatabase();
    await using daemon = startDaemon(database);
    await daemon.ready();
    for (let count = 0; count < 5; count += 1) {
      const { eventId } = await merge(database.admin);
      await daemon.event("merge.recorded", (one) => one.event_id === eventId);
    }
    expect(daemon.all("merge.recorded")).toHaveLength(5);
  });

  it("in a flood of junk do no harm and are answered by few looks", async () => {
    await using database = await createDatabase();
    let looks = 0;
    await using daemon = startDaemon(database, {
      listens: true,
      pollIntervalMs: 600_000,
      wrap: (log) => ({
        ...log,
        look: (head, after, folded) => {
          looks += 1;
          return log.look(head, after, folded);
        },
      }),
    });
    await daemon.event("listen.connected");
    await daemon.event("comparison.completed");
    const before = looks;
    await database.admin.query(
      `SELECT pg_notify('events_outbox', repeat(chr(1 + (i * 7919) % 50000), 1 + i % 900) || i)
         FROM generate_series(1, 10000) i WHERE (1 + (i * 7919) % 50000) NOT BETWEEN 55296 AND 57343`,
    );
    const { eventId } = await merge(database.admin);
    await notify(database.admin, '{"id": "not a number"}');
    await daemon.event("merge.recorded", (one) => one.event_id === eventId);
    expect(looks - before).toBeLessThan(1_000);
    expect(daemon.all("listen.lost")).toEqual([]);
    await expectRight(database, daemon);
  });

  it("that cannot arrive any more, on a connection that looks alive, are missed soon: it connects anew", async () => {
    await using database = await createDatabase();
    await using proxy = await startProxy(database.daemonUrl);
    await using daemon = startDaemon(database, {
      url: proxy.url(database.daemonUrl),
      listens: true,
      selfCheck: { everyMs: 50, withinMs: 200 },
      statementTimeoutMs: 500,
    });
    await daemon.event("listen.connected");
    await daemon.ready();
    const mark = daemon.mark();
    proxy.onMessage = ({ type, text }) =>
      type !== "startup" && text.includes("damascus_metrics_") ? "blackhole" : "pass";
    await until("the listener gave up", () =>
      daemon.events
        .slice(mark)
        .some(({ event: name }) => name === "listen.lost" || name === "listen.degraded"),
    );
    await merge(database.admin);
    await daemon.converged();
    proxy.onMessage = () => "pass";
    await daemon.event("listen.connected", undefined, mark);
    expect(await violations(database.admin)).toEqual([]);
  });
});

describe("the log", () => {
  it("truncated with its identity restarted: told, and counted anew", async () => {
    await using database = await createDatabase();
    await using daemon = startDaemon(database);
    await merges(database.admin, times(60));
    await daemon.converged();
    await database.admin.query("TRUNCATE events_outbox, work_items RESTART IDENTITY");
    await merges(database.admin, times(55, REWORKED));
    await daemon.event("history.reset");
    await expectRight(database, daemon);
    expect(daemon.memory()).toMatchObject({ as_of: { seq: 55 } });
  });

  it("that loses its newest rows is read again, and the merges are recorded once more", async () => {
    await using database = await createDatabase();
    await using daemon = startDaemon(database);
    await merges(database.admin, times(10));
    await daemon.converged();
    await database.admin.query(
      "DELETE FROM events_outbox WHERE kind LIKE 'metric.%' AND (payload->'merge'->>'event_id')::int > 7",
    );
    await daemon.event("history.reset");
    await expectRight(database, daemon);
    expect(daemon.memory()).toMatchObject({ as_of: { seq: 10 } });
  });

  it.each([
    ["edited", `UPDATE events_outbox SET payload = jsonb_set(payload, '{numerator}', '3')`, "contradiction"],
    [
      "a newer version's",
      `UPDATE events_outbox SET payload = jsonb_set(payload, '{schema_version}', '99')`,
      "newer_schema",
    ],
  ])("whose newest row is %s: nothing more is written until it is mended", async (_, change, reason) => {
    await using database = await createDatabase();
    await using daemon = startDaemon(database);
    await merges(database.admin, times(10));
    await daemon.converged();
    await database.admin.query("CREATE TABLE kept AS SELECT id, payload FROM events_outbox");
    await database.admin.query(
      `${change} WHERE id = (SELECT max(id) FROM events_outbox WHERE kind LIKE 'metric.%')`,
    );
    expect(await daemon.event("db.unfit")).toMatchObject({ reason });
    await merge(database.admin);
    const mark = daemon.mark();
    await daemon.event("db.unfit", undefined, mark);
    await daemon.event("db.unfit", undefined, daemon.mark());
    expect((await countRecorded(database)).due).toBe(1);
    expect(daemon.memory()).toBeNull();
    await database.admin.query(
      "UPDATE events_outbox e SET payload = kept.payload FROM kept WHERE kept.id = e.id",
    );
    await expectRight(database, daemon);
    expect(daemon.memory()).toMatchObject({ as_of: { seq: 11 } });
  });

  it("with a newer version's row written beside it, while merges come: silent from then on", async () => {
    await using database = await createDatabase();
    await using daemon = startDaemon(database);
    await merge(database.admin);
    await daemon.converged();
    await event(database.admin, {
      kind: "metric.new_idea",
      payload: '{"schema_version": 99, "key": "new|1"}',
    });
    await merge(database.admin);
    expect(await daemon.event("db.unfit")).toMatchObject({ reason: "newer_schema" });
    expect((await countRecorded(database)).due).toBe(1);
  });

  it("holds rows of kind metric.* that are not ours: ignored, told, and in nobody's way", async () => {
    await using database = await createDatabase();
    const { itemId } = await merge(database.admin);
    for (const [kind, payload] of [
      ["metric.first_pass_merge_rate", '{"value": 0.99}'],
      ["metric.first_pass_merge_rate", '"text"'],
      ["metric.merge_skipped", '{"reason": "because"}'],
      ["metric.threshold_crossed", "[]"],
      ["metric.checkpoint", '{"schema_version": 1, "key": "checkpoint|1", "seq": "many", "low_mark": 7}'],
      ["metric.checkpoint", "null"],
      ["metric.something", "{}"],
    ] as const) {
      await event(database.admin, { kind, itemId, payload });
      await event(database.admin, { kind, payload });
    }
    await using daemon = startDaemon(database);
    await daemon.event("journal.unmarked_rows_ignored");
    await merges(database.admin, times(2));
    await expectRight(database, daemon);
    expect(daemon.memory()).toMatchObject({ as_of: { seq: 3 }, skipped: { total: 0 } });
  });

  it("holds json that its own operators refuse: the merges beside it are recorded, and the odd ones too", async () => {
    await using database = await createDatabase({ payloadType: "json" });
    const items = await merges(database.admin, times(5));
    const odd = async (payload: string, itemId: string | null = null): Promise<string> =>
      event(database.admin, { kind: "phase.transition", itemId, payload });
    await odd('{"target": "merged\\u0000"}');
    await odd('{"target": "\\ud800"}');
    await odd('{"note": "\\u0000", "target": "review"}');
    const made = await database.admin.query<{ id: string }>(
      "INSERT INTO work_items (project, attempts) VALUES ('odd', 2) RETURNING id::text",
    );
    await odd('{"note": "\\u0000", "target": "merged"}', made.rows[0]?.id ?? "");
    await event(database.admin, {
      kind: "metric.first_pass_merge_rate",
      itemId: items[2]?.itemId ?? "",
      payload: '{"note": "\\u0000"}',
    });
    await event(database.admin, { kind: "metric.checkpoint", payload: '{"seq": "\\u0000"}' });
    await using daemon = startDaemon(database);
    await merges(database.admin, times(3));
    await expectRight(database, daemon);
    expect(daemon.all("merge.recorded").map((one) => one.project)).toEqual([
      ...times(5).map(() => "atlas"),
      "odd",
      ...times(3).map(() => "atlas"),
    ]);
    await daemon.stop();
    await using next = startDaemon(database);
    await expectRight(database, next);
  });
});

describe("locks", () => {
  it("the writers' lock in a stranger's hands: told with his name, and recorded when he lets go", async () => {
    await using database = await createDatabase();
    await using daemon = startDaemon(database, { lockTimeoutMs: 100 });
    await daemon.ready();
    await using stranger = await hold(database);
    await stranger.client.query("SET LOCAL application_name = 'stranger'");
    const { rows } = await stranger.client.query<{ pid: number }>(
      `SELECT pg_backend_pid() AS pid, pg_advisory_xact_lock(${LOCK_KEY})`,
    );
    await merge(database.admin);
    expect(await daemon.event("writer.blocked")).toMatchObject({
      holders: [{ pid: rows[0]?.pid, application: "stranger", role: new URL(database.url).username }],
    });
    await stranger.rollback();
    await expectRight(database, daemon);
  });

  it("the table locked against everybody, then changed: waited for, and gone on with", async () => {
    await using database = await createDatabase();
    await using daemon = startDaemon(database, { lockTimeoutMs: 100 });
    await merges(database.admin, times(5));
    await daemon.converged();
    await using migration = await hold(database);
    await migration.client.query("ALTER TABLE events_outbox ADD COLUMN trace text");
    await migration.client.query("ALTER TABLE work_items ALTER attempts TYPE bigint");
    await daemon.event("db.disconnected");
    await migration.commit();
    await merge(database.admin);
    await database.admin.query("VACUUM FULL events_outbox");
    await database.admin.query("VACUUM FREEZE events_outbox");
    await merge(database.admin);
    await expectRight(database, daemon);
    expect(daemon.memory()).toMatchObject({ as_of: { seq: 7 } });
  });

  it("of ours hinder nobody: with a write under way the orchestrator inserts, changes, deletes and notifies", async () => {
    await using database = await createDatabase();
    const inserted = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    await using daemon = startDaemon(database, {
      wrap: (log) => ({
        ...log,
        append: async (rows, after) => {
          const appended = await log.append(rows, after);
          inserted.resolve();
          await goOn.promise;
          return appended;
        },
      }),
    });
    await merge(database.admin);
    await inserted.promise;
    await using other = await hold(database);
    await other.client.query("SET LOCAL lock_timeout = '100ms'");
    await merge(other.client);
    await other.client.query("UPDATE work_items SET attempts = attempts");
    await other.client.query("UPDATE events_outbox SET kind = kind WHERE kind = 'phase.transition'");
    await other.client.query("DELETE FROM events_outbox WHERE kind = 'nothing'");
    await notify(other.client);
    await other.commit();
    expect(await countRecorded(database)).toMatchObject({ seq: 0 });
    goOn.resolve();
    await expectRight(database, daemon);
  });

  it("running out of privileges while it runs: silent, told, and ready again when they are back", async () => {
    await using database = await createDatabase();
    await using daemon = startDaemon(database);
    await merge(database.admin);
    await daemon.converged();
    await database.admin.query(`REVOKE INSERT (payload) ON events_outbox FROM ${database.role}`);
    await merge(database.admin);
    expect(await daemon.event("db.unfit")).toMatchObject({
      reason: "unfit_schema",
      problems: [expect.stringContaining("no INSERT on public.events_outbox (payload)")],
    });
    await database.admin.query(`GRANT INSERT (payload) ON events_outbox TO ${database.role}`);
    await expectRight(database, daemon);
  });
});
