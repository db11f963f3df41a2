/**
 * What triggers, rules, constraints and sequences of the orchestrator's do to our rows is found before any is written: each
 * is one line that names the object and what to do.
 */
import { describe, expect, it } from "vitest";
import { UnfitDatabase } from "../../src/outbox/outbox-log.ts";
import { countRecorded, startDaemon } from "../support/daemon.ts";
import { createDatabase } from "../support/database.ts";
import { violations } from "../support/oracle.ts";
import { type GivenFacts, hold, merge, merges, times } from "../support/orchestrator.ts";
import { PARTITIONED } from "../support/orchestrator-schema.ts";

/** @param body of a function that a trigger runs. */
function trigger(when: string, body: string, name = "guard"): string {
  return `CREATE FUNCTION ${name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${body} END $$;
    CREATE TRIGGER ${name}_rows ${when} ON events_outbox FOR EACH ROW EXECUTE FUNCTION ${name}();`;
}

const BEFORE = "BEFORE INSERT";
const AFTER = "AFTER INSERT";
const KIND = "NEW.kind LIKE 'metric.%'";

/** What is done to the tables, and what is said of it. */
const REFUSED: readonly (readonly [what: string, change: string, reason: string, line: RegExp])[] = [
  [
    "a trigger that drops rows",
    trigger(BEFORE, `IF ${KIND} THEN RETURN NULL; END IF; RETURN NEW;`),
    "append_changed",
    /^public\.events_outbox does not keep rows of kind metric\.\* as they are appended: it took 0 of \d+ rows: trigger guard_rows \(function public\.guard\); let rows of kind metric\.\* pass unchanged \(CREATE TRIGGER … WHEN/,
  ],
  [
    "a trigger that puts rows into another table",
    `CREATE TABLE metrics (LIKE events_outbox INCLUDING DEFAULTS); GRANT INSERT ON metrics TO $role;
     ${trigger(BEFORE, `IF ${KIND} THEN INSERT INTO public.metrics SELECT NEW.*; RETURN NULL; END IF; RETURN NEW;`)}`,
    "append_changed",
    /it took 0 of \d+ rows: trigger guard_rows/,
  ],
  [
    "a trigger that drops one kind alone",
    trigger(BEFORE, "IF NEW.kind = 'metric.threshold_crossed' THEN RETURN NULL; END IF; RETURN NEW;"),
    "append_changed",
    /it took \d+ of \d+ rows: trigger guard_rows/,
  ],
  [
    "a trigger that strips the payload",
    trigger(BEFORE, "NEW.payload := NEW.payload - 'merge'; RETURN NEW;"),
    "append_changed",
    /the payload of the row of kind metric\.first_pass_merge_rate changed: trigger guard_rows/,
  ],
  [
    "a trigger that wraps the payload",
    trigger(BEFORE, "NEW.payload := jsonb_build_object('data', NEW.payload); RETURN NEW;"),
    "append_changed",
    /the payload of the row of kind metric\.\w+ changed: trigger guard_rows/,
  ],
  [
    "a trigger that rewrites kinds",
    trigger(BEFORE, "NEW.kind := 'app.' || NEW.kind; RETURN NEW;"),
    "append_changed",
    /kind metric\.\w+ is stored as another kind: trigger guard_rows/,
  ],
  [
    "a trigger that rewrites work items",
    trigger(BEFORE, "NEW.work_item_id := NULL; RETURN NEW;"),
    "append_changed",
    /the work_item_id of the row of kind metric\.\w+ changed: trigger guard_rows/,
  ],
  [
    "a trigger that raises",
    trigger(BEFORE, `IF ${KIND} THEN RAISE EXCEPTION 'unknown kind'; END IF; RETURN NEW;`),
    "append_refused",
    /^public\.events_outbox refuses rows of kind metric\.\* \(P0001: unknown kind \(function guard\)\): trigger guard_rows \(function public\.guard\); let rows/,
  ],
  [
    "a trigger afterwards that raises",
    trigger(AFTER, "RAISE EXCEPTION 'no'; RETURN NULL;"),
    "append_refused",
    /\(P0001: no \(function guard\)\): trigger guard_rows/,
  ],
  [
    "a trigger afterwards that deletes rows",
    trigger(
      AFTER,
      `IF ${KIND} THEN DELETE FROM public.events_outbox WHERE id = NEW.id; END IF; RETURN NULL;`,
    ).replace("plpgsql", "plpgsql SECURITY DEFINER"),
    "append_changed",
    /the row of kind metric\.\w+ is missing: trigger guard_rows/,
  ],
  [
    "a trigger that asks for a table which is not there",
    trigger(AFTER, "PERFORM 1 FROM nowhere; RETURN NULL;"),
    "append_refused",
    /42P01: relation "nowhere" does not exist \(function guard\)\): trigger guard_rows/,
  ],
  [
    "a trigger that is put off to the end of the transaction",
    `CREATE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'late'; END $$;
     CREATE CONSTRAINT TRIGGER guard_rows AFTER INSERT ON events_outbox DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION guard();`,
    "append_refused",
    /\(P0001: late \(function guard\)\): trigger guard_rows/,
  ],
  [
    "a rule that does nothing instead",
    "CREATE RULE silence AS ON INSERT TO events_outbox WHERE NEW.kind LIKE 'metric.%' DO INSTEAD NOTHING",
    "append_refused",
    /0A000: cannot perform INSERT RETURNING .*: rule silence; .*DROP RULE/,
  ],
  [
    "a rule that writes elsewhere instead, and returns what it wrote",
    `CREATE TABLE metrics (LIKE events_outbox); CREATE SEQUENCE other START 100000; GRANT USAGE ON SEQUENCE other TO $role;
     CREATE RULE elsewhere AS ON INSERT TO events_outbox DO INSTEAD INSERT INTO metrics VALUES (nextval('other'), NEW.kind, NEW.work_item_id, NEW.payload, now()) RETURNING *`,
    "append_changed",
    /the row of kind metric\.\w+ is missing: rule elsewhere; /,
  ],
  [
    "a check of kinds",
    "ALTER TABLE events_outbox ADD CONSTRAINT known_kinds CHECK (kind LIKE 'phase.%' OR kind LIKE 'metric.f%')",
    "append_refused",
    /23514: .*: constraint known_kinds; let it allow rows of kind metric\.\*/,
  ],
  [
    "a check of sizes",
    "ALTER TABLE events_outbox ADD CONSTRAINT short CHECK (length(payload::text) < 300)",
    "append_refused",
    /23514: .*: constraint short; let it allow/,
  ],
  [
    "an index of payloads, which must be short",
    `CREATE FUNCTION long(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT string_agg(md5($1 || i), '') FROM generate_series(1, 100) i $$;
     CREATE INDEX whole ON events_outbox (long(payload::text)) WHERE kind LIKE 'metric.%'`,
    "append_refused",
    /54000: index row size .*: index whole; index an expression that is short/,
  ],
  [
    "one row of a kind for each work item",
    "CREATE UNIQUE INDEX once ON events_outbox (work_item_id, kind)",
    "append_refused",
    /23505: .*"once"\): index once; one merge appends several rows of one kind/,
  ],
  [
    "an exclusion",
    "ALTER TABLE events_outbox ADD CONSTRAINT apart EXCLUDE USING btree (work_item_id WITH =, kind WITH =)",
    "append_refused",
    /23P01: .*: (constraint|index) apart; one merge appends several rows/,
  ],
  [
    "a foreign key of kinds",
    `CREATE TABLE kinds (kind text PRIMARY KEY); INSERT INTO kinds VALUES ('phase.transition');
     ALTER TABLE events_outbox ADD CONSTRAINT listed FOREIGN KEY (kind) REFERENCES kinds`,
    "append_refused",
    /23503: .*: constraint listed; add the kinds metric\.\*/,
  ],
  [
    "a foreign key of kinds, put off to the end of the transaction",
    `CREATE TABLE kinds (kind text PRIMARY KEY); INSERT INTO kinds VALUES ('phase.transition');
     ALTER TABLE events_outbox ADD CONSTRAINT listed FOREIGN KEY (kind) REFERENCES kinds DEFERRABLE INITIALLY DEFERRED`,
    "append_refused",
    /23503: .*: constraint listed; add the kinds metric\.\*/,
  ],
  [
    "a sequence that was not carried over",
    `INSERT INTO events_outbox (id, kind) SELECT i, 'phase.note' FROM generate_series(1000, 1020) i; SELECT setval('events_outbox_id_seq', 999)`,
    "sequence_went_back",
    /^sequence public\.events_outbox_id_seq is behind public\.events_outbox: it gave an id that a row has already; .*: SELECT setval\('public\.events_outbox_id_seq', \(SELECT max\(id\) FROM public\.events_outbox\)\)$/,
  ],
  [
    "a sequence that was not carried over, where partitions hold an id twice",
    `${PARTITIONED}; INSERT INTO events_outbox (id, kind, created_at) SELECT i, 'phase.note', '2010-01-01' FROM generate_series(1000, 1020) i; SELECT setval('events_outbox_id_seq', 999)`,
    "sequence_went_back",
    /^sequence public\.events_outbox_id_seq is behind public\.events_outbox: it gave 1000; .*setval/,
  ],
  [
    "no partition for new rows, beside a trigger that does nothing",
    `${PARTITIONED}; ALTER TABLE events_outbox DETACH PARTITION outbox_now; ${trigger(BEFORE, "RETURN NEW;")}`,
    "append_refused",
    /^public\.events_outbox refuses rows of kind metric\.\* \(23514: .*\): no partition by RANGE \(created_at\) takes them; add the one that does \(CREATE TABLE … PARTITION OF public\.events_outbox …\), and make partitions ahead of time$/,
  ],
  [
    "a trigger of partitions that raises what a missing partition does",
    `${PARTITIONED}; ${trigger(BEFORE, `IF ${KIND} THEN RAISE check_violation USING MESSAGE = 'no'; END IF; RETURN NEW;`)}`,
    "append_refused",
    /23514: no \(function guard\)\): trigger guard_rows/,
  ],
  [
    "a check of partitions",
    `${PARTITIONED}; ALTER TABLE events_outbox ADD CONSTRAINT known_kinds CHECK (kind NOT LIKE 'metric.%')`,
    "append_refused",
    /23514: .*: constraint known_kinds; let it allow/,
  ],
  [
    "a sequence that has come to its end",
    "ALTER SEQUENCE events_outbox_id_seq MAXVALUE 5",
    "append_refused",
    /^sequence public\.events_outbox_id_seq has no id left .*: ALTER SEQUENCE public\.events_outbox_id_seq NO MAXVALUE/,
  ],
];

describe("refuses, at the start,", () => {
  it.each(REFUSED)("%s", async (_, change, reason, line) => {
    await using database = await createDatabase();
    await merge(database.admin);
    await database.admin.query(change.replaceAll("$role", database.role));
    await using daemon = startDaemon(database);
    const error: unknown = await daemon.running.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(UnfitDatabase);
    expect(error).toMatchObject({ reason, problems: [expect.stringMatching(line)] });
    // Where it is, what happened, and after it what to do, on one line.
    expect((error as UnfitDatabase).problems[0]).toMatch(
      /^(sequence )?public\.\w+ (refuses|does not keep|is behind|has no id) [^\n]+[:;] (let|add|one merge|index an|SELECT setval|ALTER SEQUENCE)[^\n]+$/,
    );
    const { rows } = await database.admin.query("SELECT FROM events_outbox WHERE kind LIKE 'metric.%'");
    expect(rows).toEqual([]);
  });
});

describe("works with", () => {
  it.each([
    [
      "a trigger afterwards that names a table without its schema",
      `CREATE TABLE audit (kind text); GRANT INSERT ON audit TO $role; ${trigger(AFTER, "INSERT INTO audit VALUES (NEW.kind); RETURN NULL;")}`,
    ],
    [
      "a trigger that lets our rows pass",
      trigger(
        BEFORE,
        `IF ${KIND} THEN RETURN NEW; END IF; NEW.payload := NEW.payload || '{"seen": true}'; RETURN NEW;`,
      ),
    ],
    [
      "a trigger that adds a field to every payload",
      trigger(BEFORE, `NEW.payload := NEW.payload || '{"tenant": "one"}'; RETURN NEW;`),
    ],
    [
      "ids that are always generated",
      "ALTER TABLE events_outbox ALTER id DROP DEFAULT; DROP SEQUENCE events_outbox_id_seq; ALTER TABLE events_outbox ALTER id ADD GENERATED ALWAYS AS IDENTITY (START 100)",
    ],
    ["a sequence with a cache", "ALTER SEQUENCE events_outbox_id_seq CACHE 20"],
    [
      "a column of the outbox that our role may not read",
      `ALTER TABLE events_outbox ADD secret text; REVOKE SELECT ON events_outbox FROM $role;
       GRANT SELECT (id, kind, work_item_id, payload, created_at) ON events_outbox TO $role`,
    ],
    [
      "a foreign key of work items",
      "ALTER TABLE events_outbox ADD FOREIGN KEY (work_item_id) REFERENCES work_items",
    ],
    [
      "a foreign key of work items that no row may lack",
      "ALTER TABLE events_outbox ALTER work_item_id SET NOT NULL; ALTER TABLE events_outbox ADD FOREIGN KEY (work_item_id) REFERENCES work_items",
    ],
    [
      "keys that are unique",
      "CREATE UNIQUE INDEX ON events_outbox ((payload->>'key')) WHERE kind LIKE 'metric.%'",
    ],
  ])("%s", async (_, change) => {
    await using database = await createDatabase();
    await database.admin.query(change.replaceAll("$role", database.role));
    // Nothing to rehearse with, to begin with.
    await using first = startDaemon(database);
    await merges(database.admin, times(3));
    await first.converged();
    await first.stop();
    await using second = startDaemon(database);
    await merges(database.admin, times(60));
    await second.converged();
    expect(await violations(database.admin)).toEqual([]);
    expect([...first.all("db.unfit"), ...second.all("merge.refused")]).toEqual([]);
  });
});

describe("a table that refuses everything while the daemon runs", () => {
  it.each([
    [
      "by a trigger",
      trigger(BEFORE, `IF ${KIND} THEN RAISE EXCEPTION 'frozen'; END IF; RETURN NEW;`),
      "DROP TRIGGER guard_rows ON events_outbox",
      /P0001: frozen .*trigger guard_rows/,
    ],
    [
      "by a check",
      "ALTER TABLE events_outbox ADD CONSTRAINT phases CHECK (kind LIKE 'phase.%') NOT VALID",
      "ALTER TABLE events_outbox DROP CONSTRAINT phases",
      /23514: .*constraint phases/,
    ],
    [
      "by a rule",
      "CREATE RULE silence AS ON INSERT TO events_outbox WHERE NEW.kind LIKE 'metric.%' DO INSTEAD NOTHING",
      "DROP RULE silence ON events_outbox",
      /0A000: .*rule silence/,
    ],
  ])("%s is unfit, not away, and no merge is blamed for it", async (_, change, undo, line) => {
    await using database = await createDatabase();
    await using daemon = startDaemon(database);
    await merges(database.admin, times(5));
    await daemon.converged();
    await using held = await hold(database);
    await merges(held.client, times(60));
    await held.client.query(change);
    await held.commit();
    const unfit = await daemon.event("db.unfit");
    expect(unfit).toMatchObject({ reason: "append_refused", problems: [expect.stringMatching(line)] });
    await daemon.event("db.unfit", undefined, daemon.mark());
    expect(daemon.all("merge.refused")).toEqual([]);
    expect(daemon.all("db.disconnected")).toEqual([]);
    await database.admin.query(undo);
    await daemon.converged();
    expect(await violations(database.admin)).toEqual([]);
  });

  it("one merge that it refuses is named with the constraint, and the others are recorded", async () => {
    await using database = await createDatabase();
    await database.admin.query(
      "ALTER TABLE events_outbox ADD CONSTRAINT no_zeus CHECK (kind NOT LIKE 'metric.%' OR payload::text NOT LIKE '%zeus%')",
    );
    await merges(database.admin, [...times(30), { project: "zeus" }, ...times(30)]);
    await using daemon = startDaemon(database);
    const { failure } = await daemon.event("merge.refused");
    expect(failure).toMatchObject({ code: "23514", message: expect.stringContaining("no_zeus") });
    await daemon.ready();
    expect(await countRecorded(database)).toMatchObject({ due: 1, seq: 60 });
    expect(daemon.all("merge.refused")).toHaveLength(1);
  });
});

/** One merge in each of so many projects. */
function projects(count: number): GivenFacts[] {
  return times(count).map((_, index) => ({ project: `project-${index}` }));
}

describe("checkpoints that are refused", () => {
  it.each([
    [
      "by a check",
      "ALTER TABLE events_outbox ADD CONSTRAINT merges CHECK (kind <> 'metric.checkpoint')",
      /constraint merges/,
    ],
    [
      "by a trigger that drops them",
      trigger(BEFORE, "IF NEW.kind = 'metric.checkpoint' THEN RETURN NULL; END IF; RETURN NEW;"),
      /it took 0 of 1 rows: trigger guard_rows/,
    ],
    [
      "for want of a work item",
      "ALTER TABLE events_outbox ADD CONSTRAINT named CHECK (work_item_id IS NOT NULL)",
      /constraint named/,
    ],
  ])("%s are reported once, and merges are recorded", async (_, change, line) => {
    await using database = await createDatabase();
    await merge(database.admin);
    await database.admin.query(change);
    await using daemon = startDaemon(database);
    await merges(database.admin, times(1_150));
    await daemon.converged();
    await merges(database.admin, times(5));
    await daemon.converged();
    expect(daemon.all("checkpoint.refused").map(({ failure }) => failure.message)).toEqual([
      expect.stringMatching(line),
    ]);
    await daemon.stop();
    await using next = startDaemon(database);
    await merges(database.admin, times(5));
    await next.converged();
    expect(next.all("db.unfit")).toEqual([]);
    expect(await violations(database.admin)).toEqual([]);
  });

  it("only when they have grown: reported then, and merges are recorded", async () => {
    await using database = await createDatabase();
    await database.admin.query(
      trigger(AFTER, "PERFORM pg_notify('x', row_to_json(NEW)::text); RETURN NULL;"),
    );
    await using daemon = startDaemon(database);
    await merges(database.admin, projects(150));
    await daemon.converged();
    expect(await daemon.event("checkpoint.refused")).toMatchObject({
      failure: { code: "22023", message: expect.stringContaining("guard") },
    });
    await merges(database.admin, projects(1_200));
    await daemon.converged();
    await daemon.stop();
    expect(daemon.all("checkpoint.refused")).toHaveLength(1);
    expect([
      ...daemon.all("db.unfit"),
      ...daemon.all("merge.refused"),
      ...daemon.all("db.disconnected"),
    ]).toEqual([]);
    expect(await violations(database.admin)).toEqual([]);
  });
});

describe("a rehearsal", () => {
  it("leaves nothing, sends no notification, and draws a few ids", async () => {
    await using database = await createDatabase();
    await merge(database.admin);
    await database.admin.query(
      `CREATE TABLE seen (id bigint); GRANT INSERT ON seen TO ${database.role};
       ${trigger(AFTER, "INSERT INTO seen VALUES (NEW.id); PERFORM pg_notify('events_outbox', NEW.id::text); RETURN NULL;")}`,
    );
    const heard: (string | undefined)[] = [];
    const listener = await database.admin.connect();
    try {
      listener.on("notification", ({ payload }) => heard.push(payload));
      await listener.query("LISTEN events_outbox");
      await using daemon = startDaemon(database);
      await daemon.ready();
      await daemon.stop();
      // Whatever was sent before this has arrived with its answer.
      const { rows } = await listener.query<{ id: string }>("SELECT id::text FROM seen");
      const ids = rows.map(({ id }) => id);
      expect(new Set(heard)).toEqual(new Set(ids));
      expect(ids).toHaveLength(5);
      const drawn = await listener.query("SELECT last_value::int AS last FROM events_outbox_id_seq");
      expect(drawn.rows[0]).toMatchObject({ last: expect.toSatisfy((last: number) => last <= 1 + 5 + 10) });
    } finally {
      listener.release(true);
    }
  });

  it("does not wait for a work item that is locked", async () => {
    await using database = await createDatabase();
    await database.admin.query(
      "ALTER TABLE events_outbox ADD FOREIGN KEY (work_item_id) REFERENCES work_items",
    );
    const { itemId } = await merge(database.admin);
    await using held = await hold(database);
    await held.client.query("SELECT FROM work_items WHERE id = $1 FOR UPDATE", [itemId]);
    await using daemon = startDaemon(database);
    await daemon.event("merge.refused");
    await daemon.ready();
    await held.commit();
    await daemon.converged();
    expect(daemon.all("db.unfit")).toEqual([]);
  });
});
