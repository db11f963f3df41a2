/** Rows that the server cannot read: named, and left out of what is read around them. */
import { execFile } from "node:child_process";
import { beforeAll, describe, expect, it } from "vitest";
import { ENTRY, environment } from "../../demo/command.ts";
import { readExplanations } from "../../src/cli/read-explanation.ts";
import { readHistory } from "../../src/cli/read-history.ts";
import { readSimulation } from "../../src/cli/read-simulation.ts";
import { readSnapshot } from "../../src/cli/read-snapshot.ts";
import { readVerification } from "../../src/cli/read-verification.ts";
import type { Config } from "../../src/config.ts";
import type { LeaveOut } from "../../src/postgres/unreadable.ts";
import { configOf, startDaemon } from "../support/daemon.ts";
import { damage } from "../support/damage.ts";
import { createDatabase } from "../support/database.ts";
import { eventful, merge, merges } from "../support/orchestrator.ts";
import { sharedDatabase } from "../support/shared-database.ts";

const HISTORY = eventful();
const REASON = /^XX001: missing chunk number 0 for toast value \d+ in pg_toast_\d+$/;

const database = sharedDatabase();
let config: Config;
/** Of a merge long ago: its row for the percentile, and its transition. */
let ours: string;
let transition: string;
/** One of two checkpoints. */
let checkpoint: string;
let due: string;

beforeAll(async () => {
  config = configOf(database.daemonUrl);
  for (const batch of [HISTORY.slice(0, 110), HISTORY.slice(110)]) {
    await merges(database.admin, batch);
    await using daemon = startDaemon(database);
    await daemon.converged();
    await daemon.stop();
  }
  ours = await idOf("kind = 'metric.p95_attempts_to_merge' AND payload->>'seq' = '30'");
  transition = await idOf("kind = 'phase.transition' ORDER BY id OFFSET 40 LIMIT 1");
  checkpoint = await idOf("kind = 'metric.checkpoint' ORDER BY id DESC LIMIT 1");
  ({ eventId: due } = await merge(database.admin));
  for (const id of [ours, transition, checkpoint, due]) await damage(database, id);
});

async function idOf(condition: string): Promise<string> {
  const { rows } = await database.admin.query<{ row_id: string }>(
    `SELECT id::text AS row_id FROM events_outbox WHERE ${condition}`,
  );
  return rows[0]?.row_id ?? "";
}

/** What a verb says, and which rows it left out, each with the reason. */
async function around<T>(read: (unreadable: LeaveOut) => Promise<T>): Promise<readonly [T, string[]]> {
  const left: string[] = [];
  const result = await read(({ id, reason }) => {
    expect(reason).toMatch(REASON);
    left.push(id);
  });
  return [result, left];
}

const asked = { timeoutMs: 10_000, metric: null, projects: [], progress: () => undefined };

describe("damaged rows", () => {
  it("snapshot counts around them, and restores from what can be read", async () => {
    const [{ as_of: asOf, lag, metrics }, left] = await around((unreadable) =>
      readSnapshot(config, { timeoutMs: 10_000, unreadable }),
    );
    expect([asOf.seq, lag.merges]).toStrictEqual([HISTORY.length, 0]);
    expect(metrics.filter(({ project, value }) => project === null && value === null)).toStrictEqual([]);
    expect(left).toContain(due);
  });

  it("explain names the merges of each window around them", async () => {
    const [{ explanations }] = await around((unreadable) =>
      readExplanations(config, { ...asked, unreadable }),
    );
    for (const { merges: shown, n } of explanations) expect(shown).toHaveLength(n);
  });

  it("history leaves a point out", async () => {
    const [{ series }, left] = await around((unreadable) =>
      readHistory(config, { ...asked, last: 1_000, unreadable }),
    );
    expect(series.map(({ points }) => points.length)).toStrictEqual([
      HISTORY.length,
      HISTORY.length,
      HISTORY.length - 1,
    ]);
    expect(left).toStrictEqual([ours]);
  });

  it("simulate folds every merge, by the rows that are left of it", async () => {
    const [{ document }, left] = await around((unreadable) =>
      readSimulation(config, { ...asked, metrics: config.metrics, last: 10, unreadable }),
    );
    expect(document.as_of.seq).toBe(HISTORY.length);
    expect(left).toStrictEqual([ours]);
  });

  it("verify reports damaged rows of the journal as differences, and a damaged transition is not taken for an invented merge", async () => {
    const [{ differences, counts }, left] = await around((unreadable) =>
      readVerification(config, { ...asked, limit: 20, unreadable }),
    );
    expect(differences.first.map(({ kind, row_id: row }) => [kind, row])).toStrictEqual([
      ["unreadable", ours],
      ["checkpoint", checkpoint],
    ]);
    expect(new Set(left)).toStrictEqual(new Set([ours, checkpoint, transition, due]));
    expect(counts).toMatchObject({ merges: HISTORY.length, committed: HISTORY.length - 1 });
  });

  it("the command names them on standard error, with what to do", async () => {
    const { code, out, err } = await new Promise<{ code: number; out: string; err: string }>((resolve) => {
      execFile(
        process.execPath,
        [ENTRY, "history", "--json"],
        { env: environment(database.daemonUrl) },
        (error, stdout, stderr) => resolve({ code: Number(error?.code ?? 0), out: stdout, err: stderr }),
      );
    });
    expect(code).toBe(0);
    expect(() => JSON.parse(out) as unknown).not.toThrow();
    expect(err).toMatch(new RegExp(`^events_outbox row ${ours} cannot be read and is left out \\(XX001: `));
    expect(err).toMatch(/restore these rows from a backup or delete them/);
  });

  it("a damaged row of the newest merges leaves snapshot without numbers, and it says which row", async () => {
    const id = await idOf(
      `kind = 'metric.first_pass_merge_rate' AND payload->>'seq' = '${HISTORY.length - 3}'`,
    );
    await damage(database, id);
    const left: string[] = [];
    const reading = readSnapshot(config, { timeoutMs: 10_000, unreadable: (row) => left.push(row.id) });
    await expect(reading).rejects.toMatchObject({
      exitCode: 3,
      message: expect.stringMatching(/set incomplete/),
    });
    expect(left).toContain(id);
  });
});

it("the daemon names a damaged transition once, records the merges beside it, and the damaged one when it can be read", async () => {
  await using own = await createDatabase();
  const [, broken] = await merges(own.admin, eventful().slice(0, 3));
  const eventId = broken?.eventId ?? "";
  await own.admin.query("INSERT INTO events_outbox (kind, payload) VALUES ('note', '{}')");
  await damage(own, eventId);
  await using daemon = startDaemon(own, { auditIntervalMs: 30 });
  await daemon.event("daemon.ready");
  expect(daemon.memory()?.as_of.seq).toBe(2);
  const mark = daemon.mark();
  await daemon.event("reconciliation.completed", undefined, mark);
  expect(daemon.all("row.unreadable")).toEqual([
    { event: "row.unreadable", row_id: eventId, reason: expect.stringMatching(REASON) },
  ]);
  await own.admin.query(`UPDATE events_outbox SET payload = '{"target": "merged"}' WHERE id = $1`, [eventId]);
  await daemon.event("merge.recorded", ({ event_id }) => event_id === eventId);
  await daemon.converged();
  expect(daemon.all("db.disconnected")).toEqual([]);
});
