/** What wakes it up, and what does not: notifications are a hint, and nothing is lost without them. */
import { describe, expect, it } from "vitest";
import { startDaemon } from "../support/daemon.ts";
import { createDatabase } from "../support/database.ts";
import { violations } from "../support/oracle.ts";
import { merge, notify } from "../support/orchestrator.ts";
import { startProxy } from "../support/proxy.ts";
import { expectRight } from "../support/right.ts";
import { until } from "../support/until.ts";

describe("notifications", () => {
  it("wake it long before the poll interval", async () => {
    await using database = await createDatabase();
    await using daemon = startDaemon(database, { listens: true, pollIntervalMs: 600_000 });
    await daemon.event("listen.connected");
    await daemon.event("reconciliation.completed");
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
        poll: (known) => {
          looks += 1;
          return log.poll(known);
        },
      }),
    });
    await daemon.event("listen.connected");
    await daemon.event("reconciliation.completed");
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
