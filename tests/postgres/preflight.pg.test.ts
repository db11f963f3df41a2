/** What the daemon refuses to write to, in one line for each problem, and what it only warns of. */
import { describe, expect, it } from "vitest";
import { UnfitDatabase } from "../../src/outbox/outbox-log.ts";
import { snapshotFromLog, startDaemon } from "../support/daemon.ts";
import { createDatabase, type TestDatabase } from "../support/database.ts";
import { times } from "../support/orchestrator.ts";
import { recorded } from "../support/recorded.ts";

async function problemsOf(database: TestDatabase): Promise<readonly string[]> {
  await using daemon = startDaemon(database);
  const reason: unknown = await daemon.running.catch((error: unknown) => error);
  if (!(reason instanceof UnfitDatabase)) throw new Error(`not refused as unfit: ${String(reason)}`);
  return reason.problems;
}

async function warningsOf(database: TestDatabase): Promise<string[]> {
  await using daemon = startDaemon(database);
  await daemon.ready();
  return daemon.all("db.warning").map(({ warning }) => warning);
}

const ROLE = "$role";

describe("refuses", () => {
  it.each([
    ["no work_items", "DROP TABLE work_items", [/^table public\.work_items does not exist: /]],
    ["no events_outbox", "DROP TABLE events_outbox", [/^table public\.events_outbox does not exist: /]],
    [
      "a column missing",
      "ALTER TABLE work_items DROP attempts",
      [/^column public\.work_items\.attempts does not exist/],
    ],
    [
      "a column missing in the log",
      "ALTER TABLE events_outbox RENAME created_at TO happened_at",
      [/^column public\.events_outbox\.created_at does not exist/],
    ],
    [
      "a payload that is text",
      "ALTER TABLE events_outbox ALTER payload DROP DEFAULT; ALTER TABLE events_outbox ALTER payload TYPE text",
      [/^column public\.events_outbox\.payload is text, needed: json or jsonb/],
    ],
    [
      "ids of another type",
      "ALTER TABLE events_outbox ALTER id TYPE integer",
      [/events_outbox\.id is int4, needed: int8/],
    ],
    [
      "work items that do not compare",
      "ALTER TABLE events_outbox ALTER work_item_id TYPE text",
      [/^events_outbox\.work_item_id is text but work_items\.id is int8/],
    ],
    [
      "no SELECT on the items",
      `REVOKE SELECT ON work_items FROM ${ROLE}`,
      [/^no SELECT on public\.work_items \(id, project, attempts, last_verdict\): GRANT SELECT ON/],
    ],
    [
      "no SELECT on a column",
      `REVOKE SELECT ON work_items FROM ${ROLE}; GRANT SELECT (id, project, attempts) ON work_items TO ${ROLE}`,
      [/^no SELECT on public\.work_items \(last_verdict\): GRANT/],
    ],
    [
      "no INSERT",
      `REVOKE INSERT (kind, work_item_id, payload) ON events_outbox FROM ${ROLE}`,
      [
        /^no INSERT on public\.events_outbox \(kind, work_item_id, payload\): GRANT INSERT \(kind, work_item_id, payload\) ON/,
      ],
    ],
    [
      "no INSERT on a column",
      `REVOKE INSERT (work_item_id) ON events_outbox FROM ${ROLE}`,
      [/^no INSERT on public\.events_outbox \(work_item_id\): GRANT INSERT/],
    ],
    [
      "no USAGE on the sequence",
      `REVOKE USAGE ON SEQUENCE events_outbox_id_seq FROM ${ROLE}`,
      [/^no USAGE on sequence public\.events_outbox_id_seq: GRANT/],
    ],
    [
      "no USAGE on the schema",
      `REVOKE USAGE ON SCHEMA public FROM PUBLIC; REVOKE USAGE ON SCHEMA public FROM ${ROLE}`,
      [/^no USAGE on schema public: GRANT/],
    ],
    [
      "a view in the table's place",
      `ALTER TABLE work_items RENAME TO items; CREATE VIEW work_items AS SELECT * FROM items; GRANT SELECT ON work_items TO ${ROLE}`,
      [/^public\.work_items is not a table but a view: point METRICS_SCHEMA/],
    ],
    [
      "row security in force",
      "ALTER TABLE events_outbox ENABLE ROW LEVEL SECURITY",
      [/^row security is in force on public\.events_outbox/],
    ],
    [
      "a kind too short for ours",
      "ALTER TABLE events_outbox ALTER kind TYPE varchar(20)",
      [/^column public\.events_outbox\.kind holds 20 characters, 28 are needed: ALTER TABLE/],
    ],
    [
      "a column that has to be given",
      "ALTER TABLE events_outbox ADD tenant text NOT NULL",
      [/^column public\.events_outbox\.tenant is NOT NULL without a default/],
    ],
    [
      "ids from no sequence",
      "ALTER TABLE events_outbox ALTER id SET DEFAULT 7; ALTER SEQUENCE events_outbox_id_seq OWNED BY NONE",
      [/^public\.events_outbox\.id draws from no sequence/],
    ],
    [
      "ids from two sequences",
      `CREATE SEQUENCE second OWNED BY events_outbox.id; GRANT USAGE ON SEQUENCE second TO ${ROLE}`,
      [/^public\.events_outbox\.id draws from 2 sequences, .* all but one of public\.\w+, public\.\w+$/],
    ],
    [
      "a sequence that goes round",
      "ALTER SEQUENCE events_outbox_id_seq CYCLE",
      [/^sequence public\.events_outbox_id_seq does not only ascend/],
    ],
    [
      "a sequence that descends",
      "ALTER SEQUENCE events_outbox_id_seq INCREMENT BY -1 MINVALUE -1000 START 1",
      [/^sequence public\.events_outbox_id_seq does not only ascend/],
    ],
    [
      "kinds that are the same to a nondeterministic collation",
      "CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false); ALTER TABLE events_outbox ALTER kind TYPE text COLLATE loose",
      [
        /^column public\.events_outbox\.kind has a nondeterministic collation.*: ALTER TABLE public\.events_outbox ALTER kind TYPE text COLLATE "C"$/,
      ],
    ],
    [
      "text ids whose collation has another version than its indexes were built with",
      `ALTER TABLE events_outbox ALTER work_item_id TYPE text COLLATE "en-x-icu"; ALTER TABLE work_items ALTER id DROP IDENTITY; ALTER TABLE work_items ALTER id TYPE text;
       UPDATE pg_collation SET collversion = '1.0' WHERE collname = 'en-x-icu'`,
      [
        /^collation pg_catalog\."en-x-icu", which compares the ids of work items, has version \S+, but indexes were built with version 1\.0 and may miss rows: REINDEX TABLE public\.events_outbox; REINDEX TABLE public\.work_items; ALTER COLLATION pg_catalog\."en-x-icu" REFRESH VERSION$/,
      ],
    ],
    [
      "several things, all at once",
      `ALTER TABLE work_items DROP project; REVOKE INSERT (kind) ON events_outbox FROM ${ROLE}`,
      [/no INSERT on public\.events_outbox \(kind\)/, /work_items\.project does not exist/],
    ],
  ] as const)("%s", async (_, change, lines) => {
    await using database = await createDatabase();
    await database.admin.query(change.replaceAll(ROLE, database.role));
    const problems = await problemsOf(database);
    expect(problems).toEqual(lines.map((line) => expect.stringMatching(line)));
    expect(problems.join("")).not.toContain("\n");
  });

  it("a role whose name must be quoted, and says so in what is to be granted", async () => {
    await using database = await createDatabase();
    const role = `${database.role}-Read`;
    await database.admin.query(`CREATE ROLE "${role}" LOGIN PASSWORD 'secret'`);
    const url = new URL(database.daemonUrl);
    url.username = role;
    url.password = "secret";
    try {
      await using daemon = startDaemon(database, { url: url.href });
      await expect(daemon.running).rejects.toMatchObject({
        problems: expect.arrayContaining([expect.stringContaining(`ON public.work_items TO "${role}"`)]),
      });
    } finally {
      await database.admin.query(`DROP ROLE "${role}"`);
    }
  });

  it("a database of another encoding", async () => {
    await using database = await createDatabase();
    const name = `${database.name}_latin`;
    await database.admin.query(
      `CREATE DATABASE ${name} TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'`,
    );
    const url = new URL(database.daemonUrl);
    url.pathname = `/${name}`;
    try {
      await using daemon = startDaemon(database, { url: url.href });
      await expect(daemon.running).rejects.toMatchObject({
        problems: expect.arrayContaining([
          expect.stringMatching(/has encoding LATIN1, and project names need UTF8/),
        ]),
      });
    } finally {
      await database.admin.query(`DROP DATABASE ${name} WITH (FORCE)`);
    }
  });
});

/** A database whose own collation has changed. */
async function changed(idType: "text" | "bigint"): Promise<TestDatabase> {
  const database = await createDatabase({ idType, locale: "en-US" });
  await database.admin.query(
    `UPDATE pg_database SET datcollversion = '1.0' WHERE datname = '${database.name}'`,
  );
  return database;
}

describe("a database whose own collation has another version than its indexes were built with", () => {
  it("text ids: refused, with what to run", async () => {
    await using database = await changed("text");
    expect(await problemsOf(database)).toEqual([
      expect.stringMatching(
        /^the collation of database \w+, which .*; REINDEX TABLE public\.work_items; ALTER DATABASE \w+ REFRESH VERSION$/,
      ),
    ]);
  });

  it("ids that are numbers: the server's own warning is passed on", async () => {
    await using database = await changed("bigint");
    expect(await warningsOf(database)).toEqual([
      expect.stringMatching(
        /^notice of the server at connect: database "\w+" has a collation version mismatch/,
      ),
    ]);
  });
});

describe("a database that is set read-only", () => {
  it.each([
    ["as a whole", (database: TestDatabase) => `DATABASE ${database.name}`],
    ["for our role", (database: TestDatabase) => `ROLE ${database.role}`],
  ])("%s is waited for, as a standby is, and read meanwhile", async (_, of) => {
    await using database = await createDatabase();
    await recorded(database, times(3));
    await database.admin.query(`ALTER ${of(database)} SET default_transaction_read_only = on`);
    await using daemon = startDaemon(database);
    expect(await daemon.event("db.unfit")).toMatchObject({
      reason: "read_only_server",
      problems: [
        expect.stringMatching(
          /^the database is read-only \(default_transaction_read_only is on .*RESET default_transaction_read_only\)$/,
        ),
      ],
    });
    await daemon.event("db.unfit", undefined, daemon.mark());
    expect((await snapshotFromLog(database)).as_of.seq).toBe(3);
    await database.admin.query(
      `BEGIN READ WRITE; ALTER ${of(database)} RESET default_transaction_read_only; COMMIT`,
    );
    await daemon.ready();
  });
});

describe("warns of", () => {
  it.each([
    ["nothing, ordinarily", "SELECT 1", []],
    [
      "nothing where a sequence begins at 0",
      "ALTER SEQUENCE events_outbox_id_seq MINVALUE 0 RESTART WITH 0",
      [],
    ],
    ["a sequence with a cache", "ALTER SEQUENCE events_outbox_id_seq CACHE 20", [/has CACHE 20/]],
    [
      "a missing index",
      "DROP INDEX events_outbox_work_item_kind_created",
      [/has no index that begins with work_item_id/],
    ],
    [
      "ids without an index",
      "ALTER TABLE events_outbox DROP CONSTRAINT events_outbox_pkey, ADD PRIMARY KEY (created_at, id)",
      [/has no index that begins with id: .*; CREATE INDEX ON public\.events_outbox \(id\)$/],
    ],
    ["a table that a crash empties", "ALTER TABLE events_outbox SET UNLOGGED", [/is UNLOGGED/]],
    [
      "deletes that take the work item from rows",
      "ALTER TABLE events_outbox ADD FOREIGN KEY (work_item_id) REFERENCES work_items ON DELETE SET NULL",
      [/removes the work item from rows/],
    ],
    [
      "deletes that cascade into the log",
      "ALTER TABLE events_outbox ADD FOREIGN KEY (work_item_id) REFERENCES work_items ON DELETE CASCADE",
      [/cascades deletes/],
    ],
  ] as const)("%s", async (_, change, lines) => {
    await using database = await createDatabase();
    await database.admin.query(change);
    expect(await warningsOf(database)).toEqual(lines.map((line) => expect.stringMatching(line)));
  });
});

describe("is not led astray by", () => {
  it("objects of the same names earlier in the search path", async () => {
    await using database = await createDatabase();
    await database.admin.query(
      `CREATE SCHEMA ${database.role} AUTHORIZATION ${database.role};
       CREATE TABLE ${database.role}.events_outbox (LIKE public.events_outbox);
       CREATE FUNCTION public.starts_with(text, varchar) RETURNS boolean LANGUAGE sql AS 'SELECT 1/0 = 1';
       CREATE FUNCTION public.left(text, bigint) RETURNS text LANGUAGE sql AS 'SELECT (1/0)::text';
       INSERT INTO public.work_items (project, attempts) VALUES ('atlas', 1);
       INSERT INTO public.events_outbox (kind, work_item_id, payload) VALUES ('phase.transition', 1, '{"target": "merged"}')`,
    );
    await using daemon = startDaemon(database);
    await daemon.converged();
    expect(daemon.all("merge.recorded")).toHaveLength(1);
  });

  it("settings of the role or the database", async () => {
    await using database = await createDatabase();
    for (const setting of [
      "default_transaction_isolation = 'repeatable read'",
      "statement_timeout = '1ms'",
      "search_path = ''",
      "datestyle = 'German'",
      "intervalstyle = 'sql_standard'",
      "timezone = 'Asia/Kathmandu'",
      "extra_float_digits = -15",
      "bytea_output = 'escape'",
      "standard_conforming_strings = on",
    ]) {
      await database.admin.query(`ALTER ROLE ${database.role} SET ${setting}`);
    }
    await database.admin.query(
      `INSERT INTO work_items (project, attempts) SELECT 'atlas', 1 FROM generate_series(1, 60);
       INSERT INTO events_outbox (kind, work_item_id, payload, created_at)
         SELECT 'phase.transition', id, '{"target": "merged"}', '2026-11-22 10:06:27.384Z' FROM work_items`,
    );
    await using daemon = startDaemon(database);
    await daemon.converged();
    expect(daemon.memory()?.as_of).toMatchObject({ seq: 60, merged_at: "2026-11-22T10:06:27.384Z" });
  });
});
