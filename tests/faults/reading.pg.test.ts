/** Reading verbs beside everything else: they hold nothing for which another session waits, and read exactly all the same. */
import pg from "pg";
import { beforeAll, describe, expect, it } from "vitest";
import { readExplanations } from "../../src/cli/read-explanation.ts";
import { readHistory } from "../../src/cli/read-history.ts";
import { journalEnd, readLog } from "../../src/cli/read-log.ts";
import { readSimulation } from "../../src/cli/read-simulation.ts";
import { readSnapshot } from "../../src/cli/read-snapshot.ts";
import { readVerification } from "../../src/cli/read-verification.ts";
import type { Config } from "../../src/config.ts";
import { configOf, startDaemon } from "../support/daemon.ts";
import { CONFLICT, eventful, merges, REWORKED, times } from "../support/orchestrator.ts";
import { type Proxy, startProxy } from "../support/proxy.ts";
import { sharedDatabase } from "../support/shared-database.ts";
import { until } from "../support/until.ts";

/** Rows of others before and behind ours: several pages. */
const OTHERS = 30_000;
const HISTORY = eventful();

const database = sharedDatabase();
let proxy: Proxy;
let config: Config;

beforeAll(async () => {
  await database.admin.query("ALTER TABLE events_outbox SET (autovacuum_enabled = false)");
  await notes();
  await merges(database.admin, HISTORY);
  await using daemon = startDaemon(database);
  await daemon.converged();
  await daemon.stop();
  await notes();
  proxy = await startProxy(database.daemonUrl);
  config = configOf(proxy.url(database.daemonUrl));
  return () => proxy[Symbol.asyncDispose]();
});

async function notes(): Promise<void> {
  await database.admin.query(
    `INSERT INTO events_outbox (kind, payload) SELECT 'note', '{"text": "of no interest"}' FROM generate_series(1, $1)`,
    [OTHERS],
  );
}

const asked = { timeoutMs: 10_000, metric: null, projects: [], progress: () => undefined };

const VERBS: Readonly<Record<string, (of: Config) => Promise<unknown>>> = {
  snapshot: (of) => readSnapshot(of, { timeoutMs: 10_000 }),
  "snapshot --at": (of) => readSnapshot(of, { timeoutMs: 10_000, at: BigInt(OTHERS + 100) }),
  history: (of) => readHistory(of, { ...asked, last: 1_000_000, projects: ["zeus"] }),
  explain: (of) => readExplanations(of, { ...asked, projects: ["zeus"] }),
  simulate: (of) => readSimulation(of, { ...asked, metrics: of.metrics, last: 100 }),
  verify: (of) => readVerification(of, { ...asked, limit: 20 }),
};

type Plan = {
  readonly "Node Type": string;
  readonly "Relation Name"?: string;
  readonly "Actual Rows": number;
  readonly "Actual Loops": number;
  readonly "Rows Removed by Filter"?: number;
  readonly "Rows Removed by Index Recheck"?: number;
  readonly Plans?: readonly Plan[];
};

/** The nodes that read one of the orchestrator's tables. */
function scans(plan: Plan): Plan[] {
  const own = plan["Relation Name"] === "events_outbox" || plan["Relation Name"] === "work_items";
  return [...(own ? [plan] : []), ...(plan.Plans ?? []).flatMap(scans)];
}

function passed(scan: Plan): number {
  const each =
    scan["Actual Rows"] +
    (scan["Rows Removed by Filter"] ?? 0) +
    (scan["Rows Removed by Index Recheck"] ?? 0);
  return each * scan["Actual Loops"];
}

/** What a verb sends to the server. */
async function said(verb: keyof typeof VERBS): Promise<string[]> {
  const texts: string[] = [];
  proxy.onMessage = ({ type, text }) => {
    if (type !== "startup" && type !== "p" && type !== "X") texts.push(text.replace(/\0$/, ""));
    return "pass";
  };
  await VERBS[verb]?.(config);
  return texts;
}

describe.each(Object.keys(VERBS))("%s", (verb) => {
  it("holds no transaction beyond one statement", async () => {
    for (const text of await said(verb)) {
      const parts = text.split("; ");
      expect(parts[0]).toBe("BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY");
      expect(parts.at(-1)).toBe("COMMIT");
      expect(parts.filter((part) => /^(SELECT|WITH|COPY)/.test(part.trimStart()))).toHaveLength(1);
    }
  });

  it("passes some thousand rows with each statement, by an index, on a table of which no statistics are known", async () => {
    const client = new pg.Client({ connectionString: database.daemonUrl });
    await client.connect();
    try {
      for (const text of await said(verb)) {
        const parts = text.split("; ");
        const statement = parts.at(-2) ?? "";
        for (const setting of parts.filter((part) => part.startsWith("SET LOCAL")))
          await client.query(setting.replace("LOCAL ", ""));
        const { rows } = await client.query<{ "QUERY PLAN": readonly [{ readonly Plan: Plan }] }>(
          `EXPLAIN (ANALYZE, FORMAT JSON) ${statement}`,
        );
        const found = scans((rows[0] as NonNullable<(typeof rows)[0]>)["QUERY PLAN"][0].Plan);
        expect(found.map((scan) => scan["Node Type"])).not.toContain("Seq Scan");
        for (const scan of found)
          expect([passed(scan) <= 21_000, statement]).toStrictEqual([true, statement]);
      }
    } finally {
      await client.end();
    }
  });
});

it("a migration beside each of them gets its lock within a statement's time, and so do the writers behind it", async () => {
  proxy.onMessage = () => "pass";
  const over = new AbortController();
  const migrating = (async () => {
    const migration = await database.admin.connect();
    let done = 0;
    try {
      // Far below what a verb takes, far above what one of its statements does.
      await migration.query("SET lock_timeout = '1s'");
      while (!over.signal.aborted) {
        await migration.query(`ALTER TABLE events_outbox ADD COLUMN x${done} int`);
        await migration.query(`ALTER TABLE events_outbox DROP COLUMN x${done}`);
        done += 1;
      }
    } finally {
      migration.release();
    }
    return done;
  })();
  try {
    for (const read of Object.values(VERBS)) await read(config);
    expect(await VERBS["verify"]?.(config)).toMatchObject({
      verified: true,
      counts: { merges: HISTORY.length },
    });
  } finally {
    over.abort();
  }
  expect(await migrating).toBeGreaterThan(3);
});

it("a migration that keeps its lock for a while is waited for, statement by statement", async () => {
  proxy.onMessage = () => "pass";
  const migration = await database.admin.connect();
  await migration.query("BEGIN; LOCK TABLE events_outbox IN ACCESS EXCLUSIVE MODE");
  const reading = readSnapshot(config, { timeoutMs: 10_000 });
  const waiting = new Set<string>();
  await until("two transactions of the reader have waited for it", async () => {
    const { rows } = await database.admin.query<{ begun: string }>(
      "SELECT xact_start::text AS begun FROM pg_stat_activity WHERE usename = $1 AND wait_event_type = 'Lock'",
      [database.role],
    );
    for (const { begun } of rows) waiting.add(begun);
    return waiting.size >= 2;
  });
  await migration.query("COMMIT");
  migration.release();
  expect(await reading).toMatchObject({ as_of: { seq: HISTORY.length } });
});

it("verify beside two daemons in a storm finds nothing", async () => {
  await using first = startDaemon(database);
  await using second = startDaemon(database);
  const over = new AbortController();
  const storm = (async () => {
    let made = 0;
    while (!over.signal.aborted) {
      const facts = [...times(3), ...times(2, CONFLICT), ...times(2, REWORKED)];
      made += (await merges(database.admin, facts)).length;
    }
    return made;
  })();
  try {
    for (let looks = 0; looks < 4; looks += 1) {
      const { differences } = await readVerification(config, { ...asked, limit: 20 });
      expect(differences.first).toStrictEqual([]);
    }
  } finally {
    over.abort();
    await storm;
  }
  expect(await storm).toBeGreaterThan(50);
  await Promise.all([first.converged(), second.converged()]);
});

it("a set that commits while the journal's end is looked for belongs to it as a whole", async () => {
  const asking = { timeoutMs: 10_000 };
  const writer = await database.admin.connect();
  try {
    // The newest set again, as if it had not committed so far: an unmarked row has an id between those of its rows.
    await writer.query(
      `CREATE TEMP TABLE newest_set AS SELECT * FROM events_outbox
        WHERE payload->'merge'->>'event_id' = (SELECT payload->'merge'->>'event_id' FROM events_outbox
          WHERE kind = 'metric.first_pass_merge_rate' ORDER BY id DESC LIMIT 1);
       DELETE FROM events_outbox WHERE id IN (SELECT id FROM newest_set);
       UPDATE newest_set SET id = id + 10000000;
       UPDATE newest_set SET id = id + 1000 WHERE id = (SELECT max(id) FROM newest_set);
       INSERT INTO events_outbox (id, kind, payload) SELECT max(id) - 500, 'note', '{}' FROM newest_set`,
    );
    const { rows } = await writer.query<{ id: string }>("SELECT max(id)::text AS id FROM newest_set");
    await writer.query("BEGIN; INSERT INTO events_outbox SELECT * FROM newest_set");
    const end = await readLog(config, "verify", asking, (access) =>
      journalEnd({
        ...access,
        reader: {
          ...access.reader,
          newest: async () => {
            const newest = await access.reader.newest();
            await writer.query("COMMIT");
            return newest;
          },
        },
      }),
    );
    expect(String(end)).toBe(rows[0]?.id);
  } finally {
    writer.release(true);
  }
});
