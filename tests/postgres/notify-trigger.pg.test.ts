/** config/notify-trigger.sql: tells of merges and of nothing else, costs nothing else, and never fails an insert. */
import { readFileSync } from "node:fs";
import pg from "pg";
import { expect, it } from "vitest";
import { startDaemon } from "../support/daemon.ts";
import { createDatabase, type TestDatabase } from "../support/database.ts";
import { event, hold, merge, merges, times } from "../support/orchestrator.ts";
import { until } from "../support/until.ts";

const TRIGGER = readFileSync(new URL("../../config/notify-trigger.sql", import.meta.url), "utf8");

/** Counts what arrives on the channel. */
async function listener(database: TestDatabase) {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  const heard: (string | undefined)[] = [];
  client.on("notification", ({ payload }) => {
    heard.push(payload);
  });
  await client.query("LISTEN events_outbox");
  return {
    /** The notifications since the last call. Those of a transaction arrive before any of a later one. */
    heard: async (): Promise<number> => {
      await database.admin.query("NOTIFY events_outbox, 'end'");
      await until("the mark is heard", async () => heard.includes("end"));
      return heard.splice(0).length - 1;
    },
    [Symbol.asyncDispose]: () => client.end(),
  };
}

it.each([{ payloadType: "jsonb" }, { payloadType: "json" }] as const)(
  "notifies of a merge at its commit, once per transaction, and of nothing else ($payloadType)",
  async (variant) => {
    await using database = await createDatabase(variant);
    await database.admin.query(TRIGGER);
    await database.admin.query(TRIGGER);
    await using ear = await listener(database);

    await merge(database.admin);
    expect(await ear.heard()).toBe(1);

    await merges(database.admin, times(50));
    expect(await ear.heard()).toBe(1);

    await using open = await hold(database);
    await merge(open.client);
    expect(await ear.heard()).toBe(0);
    await open.commit();
    expect(await ear.heard()).toBe(1);

    for (const [kind, payload] of [
      ["phase.transition", '{"target": "review"}'],
      ["phase.transition", '{"source": "merged", "target": "done"}'],
      ["phase.transition", '{"target": {"merged": true}}'],
      ["item.noted", '{"target": "merged"}'],
      ["metric.first_pass_merge_rate", '{"target": "merged"}'],
    ] as const) {
      await event(database.admin, { kind, payload });
      expect(await ear.heard()).toBe(0);
    }
  },
);

it("lets an insert pass whose payload PostgreSQL cannot read", async () => {
  await using database = await createDatabase({ payloadType: "json" });
  await database.admin.query(TRIGGER);
  await using ear = await listener(database);
  await event(database.admin, {
    kind: "phase.transition",
    payload: '{"target": "merged", "note": "\\u0000"}',
  });
  await event(database.admin, { kind: "phase.transition", payload: '{"target": "\\u0000 merged"}' });
  expect(await ear.heard()).toBeLessThanOrEqual(1);
  const { rows } = await database.admin.query("SELECT FROM events_outbox");
  expect(rows).toHaveLength(2);
});

it("wakes a daemon that would not have looked for ten minutes, and its own rows do not wake it", async () => {
  await using database = await createDatabase();
  await database.admin.query(TRIGGER);
  await using daemon = startDaemon(database, { listens: true, pollIntervalMs: 600_000 });
  await daemon.event("listen.connected");
  await daemon.ready();
  await using ear = await listener(database);
  await merge(database.admin);
  await daemon.event("merge.recorded");
  expect(await ear.heard()).toBe(1);
});

it("can be removed as its comment says", async () => {
  await using database = await createDatabase();
  await database.admin.query(TRIGGER);
  const undo = TRIGGER.split("\n")
    .filter((line) => line.startsWith("--   DROP "))
    .map((line) => line.slice(2));
  await database.admin.query(undo.join("\n"));
  await using ear = await listener(database);
  await merge(database.admin);
  expect(await ear.heard()).toBe(0);
});
