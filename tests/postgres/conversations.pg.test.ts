/** Conversations with the database that only special logs bring about. */
import { beforeAll, expect, it } from "vitest";
import { recordedMerge } from "../../src/postgres/audit.ts";
import type { Connection } from "../../src/postgres/connection.ts";
import { newest } from "../../src/postgres/ids.ts";
import { describeTransactions } from "../../src/postgres/lock-holders.ts";
import { mergeSource } from "../../src/postgres/merge-source.ts";
import { namesIn, type Outbox } from "../../src/postgres/names.ts";
import { newestRows } from "../../src/postgres/newest-rows.ts";
import { poller, pollStatements } from "../../src/postgres/poll.ts";
import { preflight } from "../../src/postgres/preflight.ts";
import { IN_FULL } from "../../src/postgres/prepared.ts";
import { connectTo } from "../support/connection.ts";
import { startDaemon } from "../support/daemon.ts";
import { createDatabase } from "../support/database.ts";
import { violations } from "../support/oracle.ts";
import { event, hold, merge, transitions } from "../support/orchestrator.ts";
import { sharedDatabase } from "../support/shared-database.ts";

const NAMES = namesIn("public");
const database = sharedDatabase();
let connection: Connection;
let outbox: Outbox;

beforeAll(async () => {
  connection = await connectTo(database);
  outbox = { ...NAMES, query: connection.read };
  return () => connection.end();
});

const NO_WRITER = {
  beginWith: () => Promise.reject(new Error("nothing is written")),
  rollback: async () => undefined,
};

it("a merge that is not recorded has no record, nor has what is no id", async () => {
  const { eventId } = await merge(database.admin);
  expect(await recordedMerge(outbox, eventId)).toBeNull();
  expect(await recordedMerge(outbox, "1; DROP TABLE work_items")).toBeNull();
});

it("a prepared transaction is described by its name: it has no session", async () => {
  await using late = await hold(database);
  await merge(late.client);
  const { rows } = await late.client.query<{ owner: string }>("SELECT current_user::text AS owner");
  await late.prepare();
  const { watched, columns } = await preflight(outbox);
  const source = mergeSource(outbox, { kind: "phase.transition", target: "merged" }, columns);
  const statements = pollStatements(NAMES, watched, source);
  const { poll } = poller(connection, NO_WRITER, IN_FULL.say, { statements, watched, source });
  const { holders } = await poll({
    lastApplied: null,
    after: 0n,
    appliedPosition: 0n,
    firstRow: null,
  });
  expect(holders.size).toBe(1);
  expect(await describeTransactions(connection.read, holders)).toStrictEqual([
    {
      pid: null,
      application: null,
      role: rows[0]?.owner,
      seconds: expect.any(Number),
      prepared: expect.stringMatching(new RegExp(`^${database.name}_`)),
    },
  ]);
});

it("the newest rows of a long history come page by page, each once, newest first", async () => {
  await database.admin.query(
    `INSERT INTO events_outbox (kind, payload)
     SELECT CASE WHEN i % 10 = 0 THEN 'metric.other' ELSE 'metric.wanted' END, jsonb_build_object('nth', i)
       FROM generate_series(1, 12000) i`,
  );
  const upTo = await newest(outbox);
  let statements = 0;
  const counted = (text: string) => {
    statements += 1;
    return connection.read(text);
  };
  const nths: number[] = [];
  let forTheFirst = 0;
  for await (const { payload } of newestRows(
    { ...NAMES, query: counted },
    { kinds: ["metric.wanted"], upTo },
  )) {
    if (nths.length === 0) forTheFirst = statements;
    nths.push((JSON.parse(payload ?? "") as { nth: number }).nth);
  }
  // Two for each page: where it begins, and its rows.
  expect([forTheFirst, statements]).toStrictEqual([2, 8]);
  const wanted = Array.from({ length: 12_000 }, (_, index) => 12_000 - index).filter((nth) => nth % 10 !== 0);
  expect(nths).toStrictEqual(wanted);
});

/** The same server, as if it were an old one. */
const older: Connection["read"] = async (text) => {
  const answer = await connection.read(text);
  if (!text.includes("server_version_num")) return answer;
  return {
    ...answer,
    rows: answer.rows.map((row) => ({ ...row, version: "14.9", version_num: "140009" })),
  };
};

it("a server older than the oldest that is tested is warned of, not refused", async () => {
  const { warnings } = await preflight({ ...NAMES, query: older });
  expect(warnings).toContainEqual(expect.stringMatching(/^PostgreSQL 14\.9 is older than 15/));
});

it("a merge of no work item whose json only text can hold is skipped once, beside ordinary ones of none", async () => {
  await using odd = await createDatabase({ payloadType: "json" });
  await transitions(odd.admin, [null, null]);
  await event(odd.admin, { kind: "phase.transition", payload: '{"note": "\\u0000", "target": "merged"}' });
  await event(odd.admin, { kind: "phase.transition", payload: '["\\u0000"]' });
  await event(odd.admin, { kind: "phase.transition", payload: '{"note": "\\u0000"}' });
  await using first = startDaemon(odd);
  await first.converged();
  expect(first.all("merge.skipped")).toHaveLength(3);
  await first.stop();
  await using next = startDaemon(odd);
  await next.event("reconciliation.completed");
  expect(next.all("merge.skipped")).toEqual([]);
  expect(next.memory()).toMatchObject({ skipped: { total: 3 } });
  expect(await violations(odd.admin)).toEqual([]);
});
