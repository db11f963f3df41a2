/** Opens the outbox for a recorder: connects, checks that it may be written to, and binds the conversations together. */
import type { Report } from "../events/daemon-event.ts";
import type { OutboxLog } from "../outbox/outbox-log.ts";
import { type Connection, type ConnectionSettings, connect, type Query } from "./connection.ts";
import { describeTransactions } from "./lock-holders.ts";
import { type MergeRule, type MergeSource, mergeSource } from "./merge-source.ts";
import { metricWriter, writerStatements } from "./metric-writer.ts";
import { namesIn } from "./names.ts";
import { drawn, poller, pollStatements } from "./poll.ts";
import { type Fitness, preflight } from "./preflight.ts";
import { prepare } from "./prepared.ts";
import { journalReader } from "./reader.ts";
import { rehearse } from "./rehearsal.ts";
import type { LeaveOut } from "./unreadable.ts";

export type LogSettings = ConnectionSettings & { readonly schema: string; readonly merge: MergeRule };

/**
 * The outbox over a new connection. Warnings about the database are reported.
 * @param onLoss called when the server or the network ends the connection.
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
    const fitness = await preflight({ ...namesIn(settings.schema), query: connection.read });
    report({ event: "db.connected", server_version: fitness.serverVersion, role: fitness.role });
    const notices = connection.notices.map((notice) => `notice of the server at connect: ${notice}`);
    for (const warning of [...notices, ...fitness.warnings]) report({ event: "db.warning", warning });
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
  const { columns, watched, place, leastId, idsIndexed } = fitness;
  const unreadable = once(report);
  const mergesBy = (query: Query): MergeSource =>
    mergeSource({ ...names, query, unreadable }, settings.merge, columns);
  const source = mergesBy(connection.read);
  const polls = pollStatements(names, watched, source);
  const statements = [...Object.values(polls), ...Object.values(writerStatements(names))];
  const prepared = await prepare(connection, fitness.backend, statements);
  const { query, beginWith, ...writer } = metricWriter(connection, names, settings, fitness, prepared);
  const reader = journalReader({ ...names, query }, connection.readOut, settings.merge, columns);
  return {
    ...reader,
    ...writer,
    merges: mergesBy(query).merges,
    leastId,
    place,
    idsIndexed,
    ...poller(connection, { ...writer, beginWith }, prepared.say, { statements: polls, watched, source }),
    rehearse: (rowsFor) => rehearse({ connection, writer, names, columns, place }, rowsFor),
    drawn: () => drawn(query, watched),
    describe: (transactions) => describeTransactions(query, transactions),
    end: connection.end,
    destroy: connection.destroy,
  };
}

/** Reports each row that the server cannot read once. */
function once(report: Report): LeaveOut {
  const reported = new Set<string>();
  return ({ id, reason }) => {
    if (!reported.has(id)) report({ event: "row.unreadable", row_id: id, reason });
    reported.add(id);
  };
}
