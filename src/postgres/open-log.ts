/** Opens the outbox for a recorder: connects, makes sure that it may be written to, and binds the conversations together. */
import type { Report } from "../events/daemon-event.ts";
import { type Appended, type AppendedRow, LockBlocked, type OutboxLog } from "../outbox-log.ts";
import { type Answer, type Connection, type ConnectionSettings, connect, inSavepoint } from "./connection.ts";
import { isLockTimeout } from "./failure.ts";
import { advisoryLockHolders, describeTransactions, endStalledPeers } from "./holders.ts";
import { sinceIn, sinceStatement } from "./journal.ts";
import { type MergeRule, type MergeSource, mergeSource } from "./merge-source.ts";
import { append, commit, fingerprintStatement, lockingStatements, lockKey } from "./metric-writer.ts";
import { namesIn } from "./names.ts";
import { type Fitness, preflight } from "./preflight.ts";
import { PLANNED_ONCE, prepare } from "./prepared.ts";
import { journalReader } from "./reader.ts";
import { rehearse } from "./rehearsal.ts";
import { drawn, poller, pollStatements } from "./settled.ts";
import { leftOut, readAround } from "./unreadable.ts";

export type LogSettings = ConnectionSettings & { readonly schema: string; readonly merge: MergeRule };

/**
 * @param onLoss called when the connection is lost while no statement is under way.
 * @throws DatabaseFailure when the database cannot be reached.
 * @throws UnfitDatabase when it must not be written to.
 */
export async function openLog(
  settings: LogSettings,
  report: Report,
  stop: AbortSignal,
  onLoss?: () => void,
): Promise<OutboxLog> {
  const connection = await connect(settings, stop, onLoss);
  try {
    const fitness = await preflight(connection.read, namesIn(settings.schema));
    report({ event: "db.connected", server_version: fitness.serverVersion, role: fitness.role });
    const remarks = connection.notices.map(
      (notice) => `the server says when a connection is made: ${notice}`,
    );
    for (const warning of [...remarks, ...fitness.warnings]) report({ event: "db.warning", warning });
    return await bind(connection, settings, fitness, report);
  } catch (error) {
    connection.destroy();
    throw error;
  }
}

async function bind(
  connection: Connection,
  settings: LogSettings,
  fitness: Fitness,
  report: Report,
): Promise<OutboxLog> {
  const names = namesIn(settings.schema);
  const { run, read } = connection;
  // Inside the writers' transaction a statement joins it; outside, it is one of its own.
  let locked = false;
  const join = inSavepoint(run);
  const query = (text: string) => (locked ? join(text) : read(text));
  const unreadable = new Set<string>();
  const instead = leftOut(({ id, reason }) => {
    if (!unreadable.has(id)) report({ event: "row.unreadable", row_id: id, reason });
    unreadable.add(id);
  });
  const aroundDamage =
    (merges: MergeSource["merges"]): MergeSource["merges"] =>
    async (after, upTo) => [...(await readAround(after, upTo, merges, instead))];
  const plain = mergeSource(read, names, settings.merge, fitness.columns);
  const source = { ...plain, merges: aroundDamage(plain.merges) };
  const polls = pollStatements(names, fitness.watched, source);
  const since = sinceStatement(names);
  const fingerprint = fingerprintStatement(names);
  const { say, name } = await prepare(connection, fitness.backend, [
    ...Object.values(polls),
    since,
    fingerprint,
  ]);
  const begin = lockingStatements(settings, names, fitness.deadlockMs);
  /** @param more statements behind the lock's. */
  const runLocked = async (more: string): Promise<Answer> => {
    try {
      const answer = await run(begin + more);
      locked = true;
      return answer;
    } catch (error) {
      if (!isLockTimeout(error)) throw error;
      await run("ROLLBACK");
      await endStalledPeers(read, lockKey(names), settings.statementTimeoutMs);
      const holders = await advisoryLockHolders(read, lockKey(names));
      // Nobody has it: what was waited for was the table.
      throw holders.length === 0 ? error : new LockBlocked(error.failure, holders);
    }
  };
  const beginLocked = async (): Promise<void> => {
    await runLocked("");
  };
  const appendRows = (rows: readonly AppendedRow[]): Promise<Appended> =>
    append(connection, names, fitness, rows, name("insert"));
  const rollback = async (): Promise<void> => {
    await run("ROLLBACK");
    locked = false;
  };
  const reader = journalReader(query, connection.readOut, settings, fitness.columns);
  return {
    ...reader,
    merges: aroundDamage(reader.merges),
    leastId: fitness.leastId,
    place: fitness.place,
    idsIndexed: fitness.idsIndexed,
    poll: poller(connection, say, polls, fitness.watched, source),
    journalSince: async (head, after) =>
      sinceIn((await query(say(since, head?.id ?? null, after))).rows, fitness.watched.server),
    rehearse: (rowsFor) =>
      rehearse(
        {
          connection,
          names,
          columns: fitness.columns,
          place: fitness.place,
          beginLocked,
          append: appendRows,
          rollback,
        },
        rowsFor,
      ),
    beginLocked,
    beginFenced: async (head, after) => {
      const { rows } = await runLocked(`; ${PLANNED_ONCE}; ${say(since, head.id, after)}`);
      return sinceIn(rows, fitness.watched.server);
    },
    append: appendRows,
    commit: async (last) => {
      const appended = await commit(connection, say(fingerprint, last));
      locked = false;
      return appended;
    },
    rollback,
    drawn: () => drawn(query, fitness.watched),
    describe: (transactions) => describeTransactions(query, transactions),
    end: connection.end,
    destroy: connection.destroy,
  };
}
