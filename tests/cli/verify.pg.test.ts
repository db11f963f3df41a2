/** `metrics verify` on a real log: the daemon's own has no difference, and each difference in a changed one is reported. */
import type pg from "pg";
import { beforeAll, describe, expect, it } from "vitest";
import { readVerification } from "../../src/cli/read-verification.ts";
import type { DifferenceKind } from "../../src/core/difference.ts";
import type { Verification } from "../../src/core/verification.ts";
import { FIRST_PASS, isRefused, OF_SEQ, set } from "../support/breaking.ts";
import { configOf, startDaemon } from "../support/daemon.ts";
import { createDatabase, type TestDatabase } from "../support/database.ts";
import { CONFLICT, event, eventful, merge, merges, times, transitions } from "../support/orchestrator.ts";
import { sharedDatabase } from "../support/shared-database.ts";

const HISTORY = eventful("zeus\u202e\n");

const database = sharedDatabase();
let items: string[];

beforeAll(async () => {
  const made = await merges(database.admin, HISTORY);
  items = made.map(({ itemId }) => itemId);
  await merge(database.admin, { attempts: 0 });
  await transitions(database.admin, [items[3] ?? ""]);
  await database.admin.query("UPDATE events_outbox SET created_at = now() - interval '1 hour'");
  await using daemon = startDaemon(database);
  await daemon.converged();
  await daemon.stop();
});

function verify(on: TestDatabase = database): Promise<Verification> {
  return readVerification(configOf(on.daemonUrl), {
    timeoutMs: 10_000,
    limit: 50,
    progress: () => undefined,
  });
}

/** Verifies after statements that are undone by others. */
async function after(
  breaking: string,
  see: (verification: Verification) => void | Promise<void>,
): Promise<void> {
  const client: pg.PoolClient = await database.admin.connect();
  try {
    await client.query("CREATE TABLE kept AS TABLE events_outbox");
    expect((await client.query(breaking)).rowCount).toBeGreaterThan(0);
    await see(await verify());
  } finally {
    await client.query("TRUNCATE events_outbox; INSERT INTO events_outbox TABLE kept; DROP TABLE kept");
    client.release();
  }
}

it("finds nothing in a log that the daemon wrote, checkpoint included", async () => {
  const verification = await verify();
  expect(verification.differences.first).toStrictEqual([]);
  expect(verification).toMatchObject({
    verified: true,
    history_truncated: false,
    as_of: { seq: HISTORY.length },
    counts: {
      merges: HISTORY.length,
      metric_rows: HISTORY.length * 4,
      skipped: 1,
      checkpoints: 1,
      committed: HISTORY.length + 2,
      duplicates: 1,
      waiting: 0,
      drifted: 0,
      not_judged: 0,
    },
  });
  expect(verification.counts.crossings).toBeGreaterThan(3);
});

it("reports its progress", async () => {
  const shares: number[] = [];
  const progress = (share: number) => shares.push(share);
  await readVerification(configOf(database.daemonUrl), { timeoutMs: 10_000, limit: 1, progress });
  expect(shares).toStrictEqual([0.5, 1]);
});

/** What is written in a row, and so shows in a replay; the others show only beside the orchestrator's rows, columns and checkpoints. */
const REFUSED_BY_A_REPLAY: ReadonlySet<DifferenceKind> = new Set([
  "number",
  "state",
  "set_incomplete",
  "seq_gap",
  "effective",
  "crossing",
]);

describe("what was tampered with is reported, and refused by a replay of all rows:", () => {
  const broken: readonly (readonly [edit: string, reported: DifferenceKind[], statement: string])[] = [
    ["a wrong value", ["number"], set("value", "0.5", OF_SEQ(70, FIRST_PASS))],
    [
      "a wrong percentile",
      ["number"],
      set("value", "2", OF_SEQ(230, "kind = 'metric.p95_attempts_to_merge'")),
    ],
    ["a wrong state", ["state", "state"], set("state", '"low"', OF_SEQ(52, FIRST_PASS))],
    [
      "a missing row",
      ["set_incomplete"],
      `DELETE FROM events_outbox WHERE ${OF_SEQ(30, "kind = 'metric.p95_attempts_to_merge'")}`,
    ],
    [
      "a merge whose rows are gone",
      ["seq_gap", "seq_gap", "merge_missing"],
      `DELETE FROM events_outbox WHERE ${OF_SEQ(200)}`,
    ],
    ["an orphan", ["merge_unknown"], "DELETE FROM events_outbox WHERE kind = 'phase.transition' AND id = 20"],
    [
      "another work item",
      ["work_item"],
      `UPDATE events_outbox SET work_item_id = 7 WHERE ${OF_SEQ(20, FIRST_PASS)}`,
    ],
    [
      "an effective rate",
      ["effective"],
      set("effective,value", "0.01", OF_SEQ(232, "payload->>'scope' = 'project'")),
    ],
    [
      "a checkpoint",
      ["checkpoint"],
      `UPDATE events_outbox SET payload = jsonb_set(payload, '{skipped}', '3') WHERE kind = 'metric.checkpoint'`,
    ],
  ];

  it.each(broken)("%s", async (_, kinds, statement) => {
    await after(statement, async ({ verified, differences }) => {
      expect(verified).toBe(false);
      expect(differences.first.map(({ kind }) => kind)).toStrictEqual(kinds);
      expect(await isRefused(configOf(database.daemonUrl))).toBe(
        kinds.some((kind) => REFUSED_BY_A_REPLAY.has(kind)),
      );
    });
  });
});

it("accepts a pruned log, and reports that it begins in the middle", async () => {
  const prune =
    "DELETE FROM events_outbox WHERE id < (SELECT min(id) + 251 FROM events_outbox WHERE kind LIKE 'metric.%')";
  await after(prune, ({ verified, history_truncated, differences, counts }) => {
    expect(differences.first).toStrictEqual([]);
    expect([verified, history_truncated]).toStrictEqual([true, true]);
    expect(counts.not_judged).toBeGreaterThan(0);
  });
});

it("reports work items that have changed since, as no difference", async () => {
  const item = items[10] ?? "";
  await database.admin.query("UPDATE work_items SET attempts = 9 WHERE id::text = $1", [item]);
  const { verified, counts, drifted } = await verify();
  await database.admin.query("UPDATE work_items SET attempts = 1 WHERE id::text = $1", [item]);
  expect([verified, counts.drifted]).toStrictEqual([true, 1]);
  expect(drifted).toMatchObject([
    { work_item_id: item, recorded: { attempts: "1" }, now: { attempts: "9" } },
  ]);
});

it("reads a json column that holds what its operators refuse", async () => {
  await using odd = await createDatabase({ payloadType: "json" });
  await merges(odd.admin, times(3));
  await event(odd.admin, { kind: "phase.transition", payload: '{"target": "\\u0000", "x": "\\ud800"}' });
  await using daemon = startDaemon(odd);
  await daemon.converged();
  await daemon.stop();
  expect(await verify(odd)).toMatchObject({ verified: true, counts: { merges: 3, committed: 3 } });
});

it.each([0, 1, 2, 3, 4, 5])(
  "accepts a log pruned %i rows before a checkpoint, and later rows of it",
  async (rows) => {
    await using pruned = await createDatabase();
    await merges(pruned.admin, HISTORY);
    await using first = startDaemon(pruned);
    await first.ready();
    await first.converged();
    await first.stop();
    await pruned.admin.query(
      `DELETE FROM events_outbox WHERE id < (SELECT min(id) FROM (SELECT id FROM events_outbox
         WHERE id <= (SELECT max(id) FROM events_outbox WHERE kind = 'metric.checkpoint') ORDER BY id DESC LIMIT 1 + $1) kept)`,
      [rows],
    );
    expect(await verify(pruned)).toMatchObject({ verified: true });
    await merges(pruned.admin, [...times(3, CONFLICT), ...times(150)]);
    await using second = startDaemon(pruned);
    await second.ready();
    await second.event("merge.recorded", ({ seq }) => seq === HISTORY.length + 153);
    await second.stop();
    const { verified, differences } = await verify(pruned);
    expect(differences.first).toEqual([]);
    expect(verified).toBe(true);
  },
);
