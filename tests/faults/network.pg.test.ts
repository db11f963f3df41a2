/** Networks that are slow, silent or full of junk: latency and nothing else. */
import { describe, expect, it } from "vitest";
import { startDaemon } from "../support/daemon.ts";
import { createDatabase } from "../support/database.ts";
import { startNetwork, type Weather } from "../support/network.ts";
import { merge, merges, notify, REWORKED, times } from "../support/orchestrator.ts";
import { type FrontendMessage, isAppend, isCommit, startProxy } from "../support/proxy.ts";
import { expectRight } from "../support/right.ts";
import { until } from "../support/until.ts";

describe("slow:", () => {
  // Answers from afar come no sooner for smaller batches: 201 merges take four, or more on a busy machine. Judged by
  // their whole time each would be half as large as the one before, and 180 would be needed.
  it.each<[string, Weather, number]>([
    ["some bytes at a time", "crumbs", 201],
    ["with a latency of 100 ms", "slow", 40],
  ])(
    "%s, a backlog drains and new merges are recorded, without a failure or two looks at once",
    async (_, weather, mostTransactions) => {
      await using database = await createDatabase();
      await using network = await startNetwork(database.daemonUrl);
      await merges(database.admin, [...times(150), ...times(50, REWORKED)]);
      network.weather = weather;
      let looking = 0;
      let most = 0;
      let transactions = 0;
      await using daemon = startDaemon(database, {
        url: network.url(database.daemonUrl),
        wrap: (log) => ({
          ...log,
          append: (rows) => {
            transactions += 1;
            return log.append(rows);
          },
          poll: async (known) => {
            looking += 1;
            most = Math.max(most, looking);
            try {
              return await log.poll(known);
            } finally {
              looking -= 1;
            }
          },
        }),
      });
      await daemon.ready();
      await merge(database.admin);
      await expectRight(database, daemon);
      expect(most).toBe(1);
      expect(transactions).toBeLessThanOrEqual(mostTransactions);
      expect(daemon.all("db.disconnected")).toEqual([]);
    },
  );
});

describe("silent, and what was sent arrives later:", () => {
  it.each([
    ["the look", ({ text }: FrontendMessage) => text.includes("EXECUTE metrics_seen")],
    ["the lock", ({ text }: FrontendMessage) => text.includes("pg_advisory_xact_lock")],
    ["the insert", isAppend],
    ["the commit", isCommit],
  ])("at %s, which is given up in time, though it will be done later", async (_, which) => {
    await using database = await createDatabase();
    await using proxy = await startProxy(database.daemonUrl);
    await using network = await startNetwork(proxy.url(database.daemonUrl));
    await using daemon = startDaemon(database, {
      url: network.url(database.daemonUrl),
      statementTimeoutMs: 300,
      lockTimeoutMs: 300,
      connectTimeoutMs: 300,
    });
    await daemon.event("reconciliation.completed");
    let silent = false;
    proxy.onMessage = (message) => {
      if (!silent && which(message)) {
        silent = true;
        network.weather = "silent";
      }
      return "pass";
    };
    const mark = daemon.mark();
    await merge(database.admin);
    await until("silence", () => silent);
    expect(network.weather).toBe("silent");
    // The new connection meets the same silence.
    await daemon.event("db.connect_failed", ({ attempt }) => attempt === 2, mark);
    network.weather = "clear";
    await daemon.event("restore.completed", undefined, mark);
    await merge(database.admin);
    await expectRight(database, daemon);
  });

  it("to the listener alone: merges are found within the poll interval meanwhile, and it connects anew", async () => {
    await using database = await createDatabase();
    await using proxy = await startProxy(database.daemonUrl);
    await using daemon = startDaemon(database, {
      url: proxy.url(database.daemonUrl),
      listens: true,
      pollIntervalMs: 200,
      selfCheck: { everyMs: 50, withinMs: 200 },
    });
    await daemon.event("listen.connected");
    await daemon.event("reconciliation.completed");
    const mark = daemon.mark();
    let silent = false;
    proxy.onMessage = ({ text }) => {
      if (silent || !text.startsWith("NOTIFY")) return "pass";
      silent = true;
      return "blackhole";
    };
    await until("the listener hears nothing", () => silent);
    const { eventId } = await merge(database.admin);
    await notify(database.admin);
    await daemon.event("merge.recorded", (one) => one.event_id === eventId, mark);
    await daemon.event("listen.connected", undefined, mark);
    expect(daemon.all("db.disconnected")).toEqual([]);
    await expectRight(database, daemon);
  });
});

it("100,000 notifications of junk from a stranger cost a bounded number of looks, and no merge", async () => {
  await using database = await createDatabase();
  await using daemon = startDaemon(database, { listens: true });
  await daemon.event("listen.connected");
  await daemon.event("reconciliation.completed");
  const heapBefore = process.memoryUsage().heapUsed;
  const stranger = await database.admin.connect();
  try {
    for (let round = 0; round < 10; round += 1) {
      await stranger.query(
        `SELECT pg_notify('events_outbox', repeat(chr(1 + (i * 7919) % 50000), 1 + i % 90) || i)
           FROM generate_series(1, 10000) i`,
      );
      await merge(stranger);
    }
  } finally {
    stranger.release();
  }
  await expectRight(database, daemon);
  expect(daemon.all("listen.lost")).toEqual([]);
  expect(daemon.all("db.disconnected")).toEqual([]);
  expect(process.memoryUsage().heapUsed - heapBefore).toBeLessThan(200_000_000);
});
