/** Several daemons on one log: no leader, each merge once, and everybody's memory is the same. */
import { isDeepStrictEqual } from "node:util";
import { describe, expect, it } from "vitest";
import { readVerification } from "../../src/cli/read-verification.ts";
import type { MetricSettings } from "../../src/core/metric.ts";
import { FIRST_PASS, P95, REBASE } from "../core/build.ts";
import { barrier } from "../support/barrier.ts";
import { comparable, configOf, snapshotFromLog, startDaemon, type TestDaemon } from "../support/daemon.ts";
import { createDatabase, type TestDatabase } from "../support/database.ts";
import { violations } from "../support/oracle.ts";
import { CONFLICT, event, merge, merges, mergeUnder, REWORKED, times } from "../support/orchestrator.ts";
import { until } from "../support/until.ts";
import { stopsBeforeCommit, stopsBeforeRecording } from "../support/writer-gate.ts";
import { waitsForLock } from "../support/writers-lock.ts";

async function expectSameMemory(database: TestDatabase, daemons: readonly TestDaemon[]): Promise<void> {
  const fromLog = comparable(await snapshotFromLog(database));
  const same = (daemon: TestDaemon): boolean => isDeepStrictEqual(comparable(daemon.memory()), fromLog);
  await until("every memory is what the log gives", () => daemons.every(same)).catch(() => undefined);
  for (const daemon of daemons) expect(comparable(daemon.memory())).toEqual(fromLog);
}

it("a backlog of several batches, read by one and meanwhile recorded by another, is recorded once", async () => {
  await using database = await createDatabase();
  await merges(database.admin, times(250));
  const gate = barrier();
  await using slow = startDaemon(database, { wrap: stopsBeforeRecording(gate.wait) });
  await gate.reached;
  await using quick = startDaemon(database);
  await quick.ready();
  gate.open();
  await slow.ready();
  expect(await violations(database.admin)).toEqual([]);
  expect(slow.all("merge.recorded")).toHaveLength(0);
  expect(slow.all("writer.fenced").length).toBeGreaterThan(0);
  await expectSameMemory(database, [slow, quick]);
});

it("what another recorded in part is recorded by both together, each merge once", async () => {
  await using database = await createDatabase();
  await merges(database.admin, times(30));
  const gate = barrier();
  await using slow = startDaemon(database, { wrap: stopsBeforeRecording(gate.wait) });
  await gate.reached;
  const quick = startDaemon(database);
  await quick.ready();
  await quick.crash();
  await merges(database.admin, times(5, REWORKED));
  gate.open();
  await slow.converged();
  expect(slow.all("journal.peer_rows_applied")).toMatchObject([{ merges: 30 }]);
  expect(slow.all("merge.recorded")).toHaveLength(5);
  expect(await violations(database.admin)).toEqual([]);
});

it("what another had appended and not committed is applied later, also where an id given by hand is above all others", async () => {
  await using database = await createDatabase();
  await mergeUnder(database.admin, "9000000000000000000");
  let looks = 0;
  await using idle = startDaemon(database, {
    wrap: (log) => ({ ...log, poll: async (basis) => ((looks += 1), log.poll(basis)) }),
  });
  await idle.converged();
  const gate = barrier();
  // It alone finds merges below that id.
  await using other = startDaemon(database, { auditIntervalMs: 30, wrap: stopsBeforeCommit(gate.wait) });
  await other.ready();
  await merge(database.admin);
  await gate.reached;
  const before = looks;
  await until("polls meanwhile", () => looks >= before + 3);
  gate.open();
  await other.event("merge.recorded");
  expect(await idle.event("journal.peer_rows_applied")).toMatchObject({ merges: 1 });
  await expectSameMemory(database, [idle, other]);
});

describe.each([2, 5])("%i daemons", (count) => {
  it("record each merge once, fold what the others recorded, and agree", async () => {
    await using database = await createDatabase();
    await merges(database.admin, [...times(60), ...times(60, REWORKED)]);
    await using all = together(Array.from({ length: count }, () => startDaemon(database)));
    for (const facts of [...times(40), ...times(20, CONFLICT), ...times(20)]) {
      await merge(database.admin, facts);
      for (const daemon of all.daemons) daemon.ring();
    }
    for (const daemon of all.daemons) await daemon.converged();
    expect(await violations(database.admin)).toEqual([]);
    const recorded = all.daemons.map((daemon) => daemon.all("merge.recorded").length);
    expect(recorded.reduce((sum, one) => sum + one)).toBe(200);
    await expectSameMemory(database, all.daemons);
    for (const daemon of all.daemons) expect(daemon.all("db.disconnected")).toEqual([]);
  });
});

it("continue when one of them crashes within a write", async () => {
  await using database = await createDatabase();
  const gate = barrier();
  const victim = startDaemon(database, {
    wrap: stopsBeforeCommit(gate.wait),
  });
  await merge(database.admin);
  await gate.reached;
  await using other = startDaemon(database);
  await other.event("restore.started");
  const gone = victim.crash();
  gate.open();
  await gone;
  await other.converged();
  expect(other.all("merge.recorded")).toHaveLength(1);
  expect(await violations(database.admin)).toEqual([]);
});

it("see an unmarked row while a merge's rows are not yet committed: the merge is recorded once", async () => {
  await using database = await createDatabase();
  await merge(database.admin);
  const looking = barrier();
  const writing = barrier();
  let looks = Number.POSITIVE_INFINITY;
  await using one = startDaemon(database, {
    wrap: (log) => ({
      ...log,
      poll: async (known) => {
        const look = await log.poll(known);
        if (looks-- !== 0) return look;
        await looking.wait();
        // As if its last statement, which asks for peer writes, had been answered only now.
        return { ...look, peerWrites: true };
      },
    }),
  });
  await one.converged();
  looks = 0;
  one.ring();
  await looking.reached;
  await merge(database.admin);
  await using other = startDaemon(database, {
    wrap: stopsBeforeCommit(writing.wait),
  });
  await writing.reached;
  await event(database.admin, { kind: "metric.somebody_elses", payload: "{}" });
  looking.open();
  await one.event("journal.unmarked_rows_ignored");
  one.ring();
  await until("the first one waits for the lock", () => waitsForLock(database));
  writing.open();
  await one.converged();
  await other.converged();
  expect(await violations(database.admin)).toEqual([]);
  await expectSameMemory(database, [one, other]);
  expect(one.all("history.reset")).toEqual([]);
});

const OTHER_WINDOWS: readonly MetricSettings[] = [
  {
    ...FIRST_PASS,
    window: 7,
    record: ["global", "project"],
    gate: { name: "trust", upper: 0.6, lower: 0.3 },
  },
  { ...REBASE, window: 300, record: ["global"], verdicts: ["approve"] },
  { ...P95, window: 500, record: [] },
];
const NO_GATES: readonly MetricSettings[] = [
  { ...FIRST_PASS, window: 1000, record: [], gate: null },
  { ...REBASE, window: 3, gate: null },
  { ...P95, window: 5, record: ["global", "project"] },
];

it("of different configurations record each merge once, and no row contradicts another", async () => {
  await using database = await createDatabase();
  const configured = [{}, { metrics: OTHER_WINDOWS }, { metrics: NO_GATES }];
  await using all = together(configured.map((options) => startDaemon(database, options)));
  const rounds = 40;
  for (let round = 0; round < rounds; round += 1) {
    const other = { project: `p${round % 5}`, ...(round % 2 === 0 ? CONFLICT : {}) };
    await merges(database.admin, [...times(2), ...times(round % 3, REWORKED), other]);
    const next = all.daemons[round % all.daemons.length];
    next?.ring();
    const newest = (await database.admin.query<{ count: number }>("SELECT count(*)::int FROM work_items"))
      .rows[0]?.count;
    await until("it is recorded", () => next?.memory()?.as_of.seq === newest);
  }
  const recorded = all.daemons.map((daemon) => daemon.all("merge.recorded").length);
  expect(recorded.reduce((sum, one) => sum + one)).toBe(3 * rounds + 39);
  const verification = await readVerification(configOf(database.daemonUrl), {
    timeoutMs: 10_000,
    limit: 10,
    progress: () => undefined,
  });
  expect(verification).toMatchObject({ verified: true, differences: { first: [] } });
  for (const daemon of all.daemons) expect(daemon.all("history.reset")).toEqual([]);
  for (const options of configured) {
    await using next = startDaemon(database, options);
    await next.ready();
  }
});

it("that are stopped together leave one checkpoint, as there is one place to leave it at", async () => {
  await using database = await createDatabase();
  const gate = barrier();
  await using first = startDaemon(database, {
    wrap: (log) => ({
      ...log,
      append: async (rows) => {
        if (rows[0]?.kind === "metric.checkpoint") await gate.wait();
        return log.append(rows);
      },
    }),
  });
  await using second = startDaemon(database);
  // Rows of a peer that are read while memory is being proven are not covered by a checkpoint before the next poll.
  await Promise.all([first.event("reconciliation.completed"), second.event("reconciliation.completed")]);
  await merges(database.admin, times(3));
  await first.converged();
  await second.converged();
  const stopped = [first.stop()];
  await gate.reached;
  stopped.push(second.stop());
  await until("the second one waits for the lock", () => waitsForLock(database));
  gate.open();
  await Promise.all(stopped);
  const left = await database.admin.query(
    "SELECT payload->>'seq' AS seq FROM events_outbox WHERE kind = 'metric.checkpoint'",
  );
  expect(left.rows).toStrictEqual([{ seq: "3" }]);
});

function together(
  daemons: readonly TestDaemon[],
): AsyncDisposable & { readonly daemons: readonly TestDaemon[] } {
  return {
    daemons,
    [Symbol.asyncDispose]: async () => {
      await Promise.all(daemons.map((daemon) => daemon.crash()));
    },
  };
}
