/** The log changes under a running daemon: it counts anew what is left, ignores the change, or writes nothing and reports why. */
import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { barrier } from "../support/barrier.ts";
import { comparable, countRecorded, snapshotFromLog, startDaemon } from "../support/daemon.ts";
import { createDatabase } from "../support/database.ts";
import { event, merge, merges, REWORKED, times } from "../support/orchestrator.ts";
import { record } from "../support/recorded.ts";
import { expectRight } from "../support/right.ts";
import { stopsBeforeLook } from "../support/writer-gate.ts";

describe("the log", () => {
  it("truncated with its identity restarted: reported, and counted anew", async () => {
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

  it("whose newest ids are reused between two polls, as at a failover behind a pooler: read anew", async () => {
    await using database = await createDatabase();
    const reviews = async (): Promise<void> => {
      await database.admin.query(
        `INSERT INTO events_outbox (kind, payload)
         SELECT 'phase.transition', '{"target": "review"}' FROM generate_series(1, 40)`,
      );
    };
    const gate = barrier();
    let settled: bigint | null = null;
    await using daemon = startDaemon(database, {
      wrap: stopsBeforeLook(gate.wait, (folded) => settled !== null && folded >= settled),
    });
    await merge(database.admin);
    await daemon.converged();
    await reviews();
    settled = 45n;
    await gate.reached;
    await database.admin.query(
      "DELETE FROM events_outbox WHERE id > 5; SELECT setval(pg_get_serial_sequence('events_outbox', 'id'), 5)",
    );
    await merge(database.admin);
    await record(database);
    await reviews();
    await merge(database.admin);
    gate.open();
    await daemon.event("history.reset");
    await expectRight(database, daemon);
    expect(daemon.memory()).toMatchObject({ as_of: { seq: 3 } });
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
  ])("whose newest row is %s: nothing more is written until it is repaired", async (_, change, reason) => {
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

  it("that lost rows in the middle, before its checkpoint: no restore is reported as complete until they are restored", async () => {
    await using database = await createDatabase();
    await merges(database.admin, times(110));
    await record(database);
    await merges(database.admin, times(110));
    await using daemon = startDaemon(database, { auditIntervalMs: 30 });
    await daemon.converged();
    const away = "kind LIKE 'metric.%' AND payload->'merge'->>'event_id' IN ('20', '21')";
    await database.admin.query(`CREATE TABLE kept AS SELECT * FROM events_outbox WHERE ${away}`);
    await database.admin.query(`DELETE FROM events_outbox WHERE ${away}`);
    expect(await daemon.event("db.unfit")).toMatchObject({ reason: "contradiction" });
    await daemon.event("db.unfit", undefined, daemon.mark());
    await daemon.event("db.unfit", undefined, daemon.mark());
    expect(daemon.all("restore.completed")).toHaveLength(1);
    await database.admin.query("INSERT INTO events_outbox SELECT * FROM kept");
    await daemon.event("restore.completed", undefined, daemon.mark());
    await expectRight(database, daemon);
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

  it("holds unmarked rows of kind metric.*: ignored and reported, and merges are recorded", async () => {
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

  it("holds more rows of kind metric.* that are not ours than the fence reads at once: the next merge is recorded", async () => {
    await using database = await createDatabase();
    await using daemon = startDaemon(database);
    await merge(database.admin);
    await daemon.converged();
    await database.admin.query(
      "INSERT INTO events_outbox (kind, payload) SELECT 'metric.something', '{}' FROM generate_series(1, 2500)",
    );
    await merge(database.admin);
    await expectRight(database, daemon);
    expect(daemon.memory()).toMatchObject({ as_of: { seq: 2 } });
  });

  it("holds rows that bear a part of our marker: their work items are recorded, each once", async () => {
    await using database = await createDatabase();
    for (const [kind, payload] of [
      [
        "metric.first_pass_merge_rate",
        '{"schema_version": 0, "key": "k", "seq": 1, "merge": {"event_id": "1"}}',
      ],
      [
        "metric.first_pass_merge_rate",
        '{"schema_version": 1, "key": "k", "seq": 0, "merge": {"event_id": "1"}}',
      ],
      [
        "metric.first_pass_merge_rate",
        '{"schema_version": 1, "key": 5, "seq": 1, "merge": {"event_id": "1"}}',
      ],
      ["metric.first_pass_merge_rate", '{"schema_version": 1.5, "key": "k", "seq": 1}'],
      [
        "metric.first_pass_merge_rate",
        `{"schema_version": 1, "key": "${randomBytes(100_000).toString("base64")}", "seq": 1}`,
      ],
      ["metric.merge_skipped", '{"schema_version": 1, "key": "k"}'],
      [
        "metric.merge_skipped",
        '{"schema_version": 1, "key": "k", "merge": {"event_id": 1, "work_item_id": null}}',
      ],
      ["metric.merge_skipped", '{"schema_version": 1, "key": "k", "merge": {"event_id": "1"}}'],
    ] as const) {
      const { itemId } = await merge(database.admin);
      await event(database.admin, { kind, itemId, payload });
    }
    await using daemon = startDaemon(database, { auditIntervalMs: 30 });
    await daemon.event("reconciliation.completed");
    await daemon.event("reconciliation.completed", undefined, daemon.mark());
    expect(daemon.all("merge.recorded")).toHaveLength(8);
    expect(comparable(daemon.memory())).toEqual(comparable(await snapshotFromLog(database)));
  });

  it("came back through something that writes 1.0 for 1: the rows are ours all the same", async () => {
    await using database = await createDatabase();
    await merges(database.admin, times(3));
    await record(database);
    await database.admin.query(
      `UPDATE events_outbox SET payload = payload || '{"schema_version": 1.0}' || jsonb_build_object('seq', (payload->>'seq')::numeric(5, 1))
        WHERE kind LIKE 'metric.%'`,
    );
    await using daemon = startDaemon(database);
    await daemon.event("reconciliation.completed");
    expect(daemon.all("merge.recorded")).toEqual([]);
    expect(daemon.memory()?.as_of.seq).toBe(3);
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
