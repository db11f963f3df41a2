/** Opens the outbox for a recorder: connects, checks that it may be written to, and binds the conversations together. */
import type { Report } from "../events/daemon-event.ts";
import type { JournalReader, OutboxLog } from "../recorder/outbox-log.ts";
import { type Connection, type ConnectionSettings, connect } from "./connection.ts";
import { describeTransactions } from "./lock-holders.ts";
import { type MergeRule, mergeSource } from "./merge-source.ts";
import { metricWriter, writerStatements } from "./metric-writer.ts";
import { namesIn } from "./names.ts";
import { drawn, poller, pollStatements } from "./poll.ts";
import { type Fitness, preflight } from "./preflight.ts";
import { prepare } from "./prepared.ts";
import { journalReader } from "./reader.ts";
import { rehearse } from "./rehearsal.ts";
import { leftOut, readAround } from "./unreadable.ts";

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
  const connection = await connect(settings, stop, { loss: onLoss });
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
  const aroundDamage = around(report);
  const plain = mergeSource({ ...names, query: connection.read }, settings.merge, columns);
  const source = { ...plain, merges: aroundDamage(plain.merges) };
  const polls = pollStatements(names, watched, source);
  const statements = [...Object.values(polls), ...Object.values(writerStatements(names))];
  const prepared = await prepare(connection, fitness.backend, statements);
  const { query, ...writer } = metricWriter(connection, names, settings, fitness, prepared);
  const reader = journalReader({ ...names, query }, connection.readOut, settings.merge, columns);
  return {
    ...reader,
    ...writer,
    merges: aroundDamage(reader.merges),
    leastId,
    place,
    idsIndexed,
    poll: poller(connection, prepared.say, polls, watched, source),
    rehearse: (rowsFor) => rehearse({ connection, writer, names, columns, place }, rowsFor),
    drawn: () => drawn(query, watched),
    describe: (transactions) => describeTransactions(query, transactions),
    end: connection.end,
    destroy: connection.destroy,
  };
}

/** Reads merges around rows that the server cannot read; reports each such row once. */
function around(report: Report): (merges: JournalReader["merges"]) => JournalReader["merges"] {
  const reported = new Set<string>();
  const instead = leftOut(({ id, reason }) => {
    if (!reported.has(id)) report({ event: "row.unreadable", row_id: id, reason });
    reported.add(id);
  });
  return (merges) => (after, upTo) => readAround(after, upTo, merges, instead);
}
