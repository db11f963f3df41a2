/**
 * Situations that the protocol is there for, each arranged step by step against a daemon, ours or one with a mistake in it,
 * and judged by what the log says in the end.
 */
import type { OutboxLog } from "../../src/outbox/outbox-log.ts";
import { barrier } from "../support/barrier.ts";
import { type DaemonCode, startDaemon, type TestDaemonOptions } from "../support/daemon.ts";
import { createDatabase, type TestDatabase } from "../support/database.ts";
import { violations } from "../support/oracle.ts";
import { drawId, hold, merge, merges, mergeUnder, times } from "../support/orchestrator.ts";
import { isCommit, startProxy } from "../support/proxy.ts";
import { record } from "../support/recorded.ts";
import { until } from "../support/until.ts";
import { startWatched, type WatchedDaemon } from "../support/watched-daemon.ts";
import { stopsBeforeRecording } from "../support/writer-gate.ts";
import { waitsForLock } from "../support/writers-lock.ts";

/** What is wrong in the end, one line each. */
export type Scenario = (code: DaemonCode | undefined) => Promise<string[]>;

/** No deadline of the server's may end what a scenario holds back on purpose. */
const PATIENT_MS = 60_000;

/** The watched daemon, from this code or from ours. */
const stepped = (
  database: TestDatabase,
  code: DaemonCode | undefined,
  options: TestDaemonOptions = {},
): Promise<WatchedDaemon> =>
  startWatched(database, {
    statementTimeoutMs: PATIENT_MS,
    lockTimeoutMs: PATIENT_MS,
    ...options,
    ...(code && { code }),
  });

/** Whether a backend of our role waits for a lock or has ended its transaction. */
async function untilWaitingOr(database: TestDatabase, done: () => boolean): Promise<void> {
  await until("it waits for the lock, or goes on without", async () => done() || waitsForLock(database));
}

/** Two record the same merge: one has written it and not committed yet when the other wants to. */
export const race: Scenario = async (code) => {
  await using database = await createDatabase();
  const gate = barrier();
  const stopsBeforeCommit = (log: OutboxLog): OutboxLog => ({
    ...log,
    commit: async (last) => {
      await gate.wait();
      return log.commit(last);
    },
  });
  await using first = await stepped(database, code, { wrap: stopsBeforeCommit });
  await using second = await stepped(database, code);
  await merge(database.admin);
  first.ring();
  await gate.reached;
  second.ring();
  await untilWaitingOr(database, () => second.all("merge.recorded").length > 0);
  gate.open();
  await first.looks();
  await second.looks();
  return await violations(database.admin);
};

/** A low id commits after a higher one was recorded. */
export const lateCommit: Scenario = async (code) => {
  await using database = await createDatabase();
  await using daemon = await stepped(database, code);
  await using late = await hold(database);
  await merge(late.client);
  await merge(database.admin);
  await daemon.looks(2);
  await late.commit();
  await daemon.looks(2);
  return await violations(database.admin);
};

/** An id is drawn early, and the table is touched late. */
export const drawnEarly: Scenario = async (code) => {
  await using database = await createDatabase();
  await using daemon = await stepped(database, code);
  await using late = await hold(database);
  const drawn = await drawId(late.client);
  await merge(database.admin);
  await daemon.looks(2);
  await mergeUnder(late.client, drawn);
  await late.commit();
  await daemon.looks(2);
  return await violations(database.admin);
};

/** A low id belongs to a prepared transaction, which was an ordinary one at the first look. */
export const preparedBetween: Scenario = async (code) => {
  await using database = await createDatabase();
  await using daemon = await stepped(database, code);
  await using late = await hold(database);
  await merge(late.client);
  await merge(database.admin);
  await daemon.looks(2);
  await late.prepare();
  await daemon.looks(2);
  await late.finish("COMMIT");
  await daemon.looks(2);
  return await violations(database.admin);
};

/** COMMIT ends in a rollback, without an error; or it never arrives. What is told must be what happened. */
export const brokenCommit =
  (verdict: "cut-before" | { readonly say: string }): Scenario =>
  async (code) => {
    await using database = await createDatabase();
    await using proxy = await startProxy(database.daemonUrl);
    await using daemon = startDaemon(database, { url: proxy.url(database.daemonUrl), ...(code && { code }) });
    await daemon.event("reconciliation.completed");
    let struck = false;
    proxy.onMessage = (message) => {
      if (struck || !isCommit(message)) return "pass";
      struck = true;
      return verdict;
    };
    await merge(database.admin);
    await daemon.converged();
    const told = daemon.all("merge.recorded");
    return [
      ...(await violations(database.admin)),
      ...(told.length === 1 ? [] : [`told ${told.length} times`]),
      ...told
        .filter((one) => one.found_by !== "poll")
        .map(() => "the scan has lost it, the comparison found it"),
    ];
  };

/** The newest rows of the journal are gone: their merges are due again. */
export const newestGone: Scenario = async (code) => {
  await using database = await createDatabase();
  await using daemon = await stepped(database, code);
  await merges(database.admin, times(5));
  await daemon.looks();
  // In one transaction, so that no look comes between and sees the newest id go back.
  await using cut = await hold(database);
  await cut.client.query(
    "DELETE FROM events_outbox WHERE kind LIKE 'metric.%' AND (payload->'merge'->>'event_id')::int > 3",
  );
  await merge(cut.client);
  await cut.commit();
  // One finds the head gone, restoring takes another, the next one finds what is due.
  await daemon.looks(5);
  return await violations(database.admin);
};

/** A backlog of several batches is read by one and recorded by another before the first comes to write. */
export const sharedBacklog: Scenario = async (code) => {
  await using database = await createDatabase();
  await merges(database.admin, times(500));
  const gate = barrier();
  await using slow = startDaemon(database, {
    ...(code && { code }),
    wrap: stopsBeforeRecording(gate.wait, "page"),
  });
  await gate.reached;
  await using quick = startDaemon(database, { ...(code && { code }) });
  await quick.ready();
  gate.open();
  await slow.ready();
  return await violations(database.admin);
};

/** A row is edited where a restore that serves values does not look, and one before a write does. */
export const editedFurtherBack: Scenario = async (code) => {
  await using database = await createDatabase();
  for (let checkpoints = 0; checkpoints < 4; checkpoints += 1) {
    await merges(database.admin, times(50));
    await record(database);
  }
  await using before = startDaemon(database);
  await merges(database.admin, times(30));
  await before.converged();
  await before.crash();
  await database.admin.query(
    `UPDATE events_outbox SET payload = jsonb_set(payload, '{numerator}', '0')
      WHERE kind = 'metric.first_pass_merge_rate' AND payload->>'scope' = 'global' AND payload->>'seq' = '170'`,
  );
  await merge(database.admin);
  await using daemon = startDaemon(database, code && { code });
  const gaveUp = daemon.running.catch((error: Error) => error.message);
  await Promise.race([gaveUp, daemon.event("merge.recorded")]);
  return daemon
    .all("merge.recorded")
    .map(({ seq }) => `merge ${seq} recorded on a log that contradicts itself`);
};

/** Between two merges that one daemon records, a peer records one. */
export const peerBetween: Scenario = async (code) => {
  await using database = await createDatabase();
  await using daemon = await stepped(database, code);
  await using peer = await stepped(database, code);
  for (const recorder of [daemon, peer, daemon]) {
    const mark = recorder.mark();
    await merge(database.admin);
    recorder.ring();
    await recorder.event("merge.recorded", undefined, mark);
  }
  return await violations(database.admin);
};
