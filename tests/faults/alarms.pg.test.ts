/** `metrics verify` where nothing is wrong, however odd the log looks: no difference. And what is wrong there is still found. */
import type pg from "pg";
import { beforeAll, describe, expect, it } from "vitest";
import { readVerification } from "../../src/cli/read-verification.ts";
import type { Verification } from "../../src/core/verification.ts";
import { configOf, startDaemon } from "../support/daemon.ts";
import { createDatabase, type TestDatabase } from "../support/database.ts";
import { eventful, hold, merge, merges, times, transitions } from "../support/orchestrator.ts";
import { sharedDatabase } from "../support/shared-database.ts";

function verify({ daemonUrl }: Pick<TestDatabase, "daemonUrl">): Promise<Verification> {
  const options = { timeoutMs: 10_000, limit: 50, progress: () => undefined };
  return readVerification(configOf(daemonUrl), options);
}

/** Written an hour ago, as by a transaction that has been open for so long. */
const AN_HOUR_OLD =
  "UPDATE events_outbox SET created_at = now() - interval '1 hour' WHERE kind = 'phase.transition'";

/** A merge of an hour ago that has not committed, and a daemon that has recorded five merges beside it. */
async function lateCommit() {
  await using stack = new AsyncDisposableStack();
  const database = stack.use(await createDatabase());
  const late = stack.use(await hold(database));
  await merge(late.client);
  await late.client.query(AN_HOUR_OLD);
  const daemon = stack.use(startDaemon(database));
  await merges(database.admin, times(5));
  await daemon.event("merge.recorded", ({ seq }) => seq === 5);
  const all = stack.move();
  return { database, late, daemon, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

describe("a transaction of an hour ago that has only just committed", () => {
  it("is recorded by the daemon meanwhile, or waits", async () => {
    await using scene = await lateCommit();
    const { database, late } = scene;
    await late.commit();
    const { differences, counts } = await verify(database);
    expect(differences.first).toStrictEqual([]);
    expect(counts.committed).toBe(6);
  });

  it("is looked for again where it was recorded between two statements", async () => {
    await using scene = await lateCommit();
    const { database, late } = scene;
    const commits: Promise<void>[] = [];
    // When the journal has been read, the merges have not.
    const progress = (share: number) => {
      if (share >= 0.5 && commits.length === 0) commits.push(late.commit());
    };
    const verification = await readVerification(configOf(database.daemonUrl), {
      timeoutMs: 10_000,
      limit: 9,
      progress,
    });
    await Promise.all(commits);
    expect(verification.differences.first).toStrictEqual([]);
  });

  it("waits where no daemon runs, as a checkpoint says that it is not recorded", async () => {
    await using scene = await lateCommit();
    const { database, late, daemon } = scene;
    await daemon.stop();
    await late.commit();
    expect(await verify(database)).toMatchObject({ verified: true, counts: { waiting: 1, merges: 5 } });
  });
});

it("a work item that became null after its merge was recorded, in the transition and in our rows", async () => {
  await using database = await createDatabase();
  const [first, second, third] = await merges(database.admin, times(10));
  await merge(database.admin, { attempts: 0 });
  // A later arrival of the third, which nothing but its work item tells.
  await transitions(database.admin, [third?.itemId ?? ""]);
  await merge(database.admin);
  await database.admin.query(AN_HOUR_OLD);
  await using daemon = startDaemon(database);
  await daemon.converged();
  await daemon.stop();
  await database.admin.query("UPDATE events_outbox SET work_item_id = NULL WHERE work_item_id = ANY($1)", [
    [first?.itemId, third?.itemId],
  ]);
  await database.admin.query(
    "UPDATE events_outbox SET work_item_id = NULL WHERE kind = 'metric.merge_skipped'",
  );
  await database.admin.query("DELETE FROM work_items WHERE id = ANY($1)", [[first?.itemId, third?.itemId]]);
  expect(await verify(database)).toMatchObject({
    verified: true,
    counts: { merges: 11, skipped: 1, duplicates: 1 },
  });
  await database.admin.query(
    "UPDATE events_outbox SET work_item_id = $1 WHERE work_item_id IS NULL AND kind = 'metric.first_pass_merge_rate'",
    [second?.itemId],
  );
  const { differences } = await verify(database);
  expect(differences.by_kind).toMatchObject({ work_item: 2 });
});

describe("ids at the ends of a bigint", () => {
  it("are read by verify as any others", async () => {
    await using database = await createDatabase();
    await merges(database.admin, times(5));
    await using daemon = startDaemon(database);
    await daemon.converged();
    await daemon.stop();
    await database.admin.query(
      `INSERT INTO work_items (id, project, attempts) SELECT 100 + n, 'atlas', 1 FROM generate_series(1, 5) n;
       INSERT INTO events_outbox (id, kind, work_item_id, payload)
       SELECT id, 'phase.transition', 100 + place, '{"target": "merged"}'
         FROM unnest('{-9223372036854775808, -5, 0, 9223372036854775806, 9223372036854775807}'::bigint[])
              WITH ORDINALITY AS given (id, place)`,
    );
    expect(await verify(database)).toMatchObject({ verified: true, counts: { committed: 10, waiting: 5 } });
  });
});

describe("retention", () => {
  const database = sharedDatabase();

  /** Days over which the log is spread: the cut goes through the middle of them. */
  const CUT = "'2026-06-15 12:00Z'";

  beforeAll(async () => {
    await merges(database.admin, eventful());
    // Ids and times overlap: transactions that took longer have earlier dates than their neighbours.
    await database.admin.query(
      `UPDATE events_outbox SET created_at = timestamptz '2026-06-01Z' + id * interval '3 hours' - (id * 7919 % 30) * interval '1 hour'
        WHERE kind = 'phase.transition'`,
    );
    await using daemon = startDaemon(database);
    await daemon.converged();
    await daemon.stop();
    // A minute after all that was recorded before.
    await database.admin.query(
      `UPDATE events_outbox e SET created_at = t.at FROM
         (SELECT id, max((payload->'merge'->>'merged_at')::timestamptz) OVER (ORDER BY id) + interval '1 minute' AS at
            FROM events_outbox WHERE kind LIKE 'metric.%') t WHERE t.id = e.id`,
    );
  });

  /** Verifies after statements that are undone by others. */
  async function after(
    statements: readonly string[],
    see: (verification: Verification) => void,
  ): Promise<void> {
    const client: pg.PoolClient = await database.admin.connect();
    try {
      await client.query("CREATE TABLE kept AS TABLE events_outbox");
      for (const one of statements) expect((await client.query(one)).rowCount).toBeGreaterThan(0);
      see(await verify(database));
    } finally {
      await client.query("TRUNCATE events_outbox; INSERT INTO events_outbox TABLE kept; DROP TABLE kept");
      client.release();
    }
  }

  const BY_AGE = `created_at < ${CUT}`;
  const BY_ID = `id <= (SELECT percentile_disc(0.4) WITHIN GROUP (ORDER BY id) FROM events_outbox)`;
  const BY_ID_OF_OTHERS = "id <= 120";
  const OURS = "kind LIKE 'metric.%'";
  const RETENTIONS: readonly (readonly [what: string, condition: string])[] = [
    ["of all rows by age", BY_AGE],
    ["of all rows by id", BY_ID],
    ["of metric.* rows alone by age", `${BY_AGE} AND ${OURS}`],
    ["of metric.* rows alone by id", `${BY_ID} AND ${OURS}`],
    ["of all metric.* rows but the newest checkpoint", `${OURS} AND kind <> 'metric.checkpoint'`],
    ["of all other rows by age", `${BY_AGE} AND NOT ${OURS}`],
    ["of all other rows by id", `${BY_ID_OF_OTHERS} AND NOT ${OURS}`],
    ["of all other rows", `NOT ${OURS}`],
  ];

  it.each(RETENTIONS)("%s leaves no difference", async (_, condition) => {
    await after([`DELETE FROM events_outbox WHERE ${condition}`], ({ differences }) => {
      expect(differences.first).toStrictEqual([]);
    });
  });

  it.each(RETENTIONS.filter(([what]) => !what.includes("checkpoint")))(
    "%s leaves no difference where no checkpoint is left either",
    async (_, condition) => {
      const statements = [
        "DELETE FROM events_outbox WHERE kind = 'metric.checkpoint'",
        `DELETE FROM events_outbox WHERE ${condition}`,
      ];
      await after(statements, ({ differences }) => {
        expect(differences.first).toStrictEqual([]);
      });
    },
  );

  /** The transition of the newest merge but five, which no retention takes alone. */
  const NEWEST = "id = (SELECT max(id) - 5 FROM events_outbox WHERE kind = 'phase.transition')";

  it.each([
    ["of all rows by age", BY_AGE],
    ["of metric.* rows alone by age", `${BY_AGE} AND ${OURS}`],
    ["of metric.* rows alone by id", `${BY_ID} AND ${OURS}`],
    ["of all other rows by age", `${BY_AGE} AND NOT ${OURS}`],
    ["of all other rows by id", `${BY_ID_OF_OTHERS} AND NOT ${OURS}`],
  ])("%s hides no merge that was invented", async (_, condition) => {
    const gone = await database.admin.query<{ id: string }>(
      `SELECT id::text FROM events_outbox WHERE ${NEWEST}`,
    );
    const statements = [
      `DELETE FROM events_outbox WHERE ${NEWEST}`,
      `DELETE FROM events_outbox WHERE ${condition}`,
    ];
    await after(statements, ({ differences }) => {
      expect(differences.first).toMatchObject([{ kind: "merge_unknown", event_id: gone.rows[0]?.id }]);
    });
  });

  it("that took nothing hides nothing", async () => {
    await after(["DELETE FROM events_outbox WHERE id = 20"], ({ differences }) => {
      expect(differences.first).toMatchObject([{ kind: "merge_unknown", event_id: "20" }]);
    });
  });
});

it("a partition by date that is detached, with ids and dates that overlap, leaves no difference", async () => {
  await using database = await createDatabase();
  await database.admin.query(
    `DROP TABLE events_outbox;
     CREATE SEQUENCE outbox_ids;
     CREATE TABLE events_outbox (
       id bigint NOT NULL DEFAULT nextval('outbox_ids'), kind text NOT NULL, work_item_id bigint,
       payload jsonb NOT NULL DEFAULT '{}', created_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (id, created_at)
     ) PARTITION BY RANGE (created_at);
     CREATE TABLE old PARTITION OF events_outbox FOR VALUES FROM (MINVALUE) TO (now() - interval '1 day');
     CREATE TABLE new PARTITION OF events_outbox FOR VALUES FROM (now() - interval '1 day') TO (MAXVALUE);
     CREATE INDEX ON events_outbox (work_item_id, kind, created_at);
     GRANT USAGE ON SEQUENCE outbox_ids TO ${database.role};
     GRANT SELECT, INSERT (kind, work_item_id, payload) ON events_outbox TO ${database.role}`,
  );
  await merges(database.admin, times(60));
  await database.admin.query(
    "UPDATE events_outbox SET created_at = now() - interval '2 days' WHERE id <= 20 OR id IN (25, 33, 47)",
  );
  await using daemon = startDaemon(database);
  await daemon.converged();
  await daemon.stop();
  await database.admin.query("ALTER TABLE events_outbox DETACH PARTITION old");
  expect(await verify(database)).toMatchObject({
    verified: true,
    counts: { merges: 60, without_transition: 23 },
  });
});
