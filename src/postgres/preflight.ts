/**
 * Whether this database can be written to rightly, asked on every new connection, and whatever is in the way told at
 * once: whoever mends one thing should not be told the next one only afterwards. What is looked at stands in `preflight/`.
 */
import { type Place, UnfitDatabase } from "../outbox-log.ts";
import type { Query, TextRow } from "./connection.ts";
import type { Names } from "./names.ts";
import { columnsOf, type OutboxColumns, outboxColumnsIn } from "./outbox-columns.ts";
import { inspectCollations } from "./preflight/collations.ts";
import { inspectSequence } from "./preflight/sequence.ts";
import { inspectServer } from "./preflight/server.ts";
import { inspectSurroundings } from "./preflight/surroundings.ts";
import { tableProblems } from "./preflight/tables.ts";
import type { Watched } from "./settled.ts";

/** What the other conversations need to know of the database. */
export type Fitness = {
  readonly columns: OutboxColumns;
  readonly watched: Watched;
  readonly place: Place;
  /** Whether an index leads to rows by their ids. */
  readonly idsIndexed: boolean;
  /** Ids that a session may set aside at once. */
  readonly sequenceCache: number;
  /** The smallest id that the sequence gives. */
  readonly leastId: bigint;
  readonly serverVersion: string;
  /** After how many milliseconds of a wait the server looks for deadlocks. */
  readonly deadlockMs: number;
  readonly role: string;
  /** The process id of the backend that answered. */
  readonly backend: string;
  readonly warnings: readonly string[];
};

/** @throws UnfitDatabase with every problem there is. */
export async function preflight(query: Query, names: Names): Promise<Fitness> {
  const { server, ...found } = await inspectServer(query);
  const columns = await columnsOf(query, names);
  const problems = [...found.problems, ...tableProblems(names, columns, server.quotedRole)];
  const sequence = canBeNamed(columns) ? await inspectSequence(query, names, server.quotedRole) : null;
  problems.push(...(sequence?.problems ?? []), ...(await inspectCollations(query, names, server.major)));
  // Both tables may lack the same thing, as USAGE on their schema.
  if (problems.length > 0 || sequence === null)
    throw new UnfitDatabase("unfit_schema", [...new Set(problems)]);
  const { warnings, idsIndexed } = await inspectSurroundings(query, names);
  return {
    columns: outboxColumnsIn(columns),
    watched: { ...sequence.watched, server: server.started },
    place: { table: `${names.written}.events_outbox`, sequence: sequence.name },
    idsIndexed,
    sequenceCache: sequence.cache,
    leastId: sequence.leastId,
    serverVersion: server.version,
    deadlockMs: server.deadlockMs,
    role: server.role,
    backend: server.backend,
    warnings: [...found.warnings, ...sequence.warnings, ...warnings],
  };
}

/** Without USAGE on the schema a statement cannot even name the outbox. */
function canBeNamed(columns: readonly TextRow[]): boolean {
  return columns.some((row) => row["relname"] === "events_outbox" && row["schema_usage"] === "true");
}
