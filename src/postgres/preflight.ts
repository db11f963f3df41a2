/**
 * Whether this database can be written to correctly, checked on every new connection. All problems are reported at once, so
 * that fixing one does not merely uncover the next. The checks are in `preflight/`.
 */
import { type Place, UnfitDatabase } from "../outbox/outbox-log.ts";
import type { Outbox } from "./names.ts";
import { columnsOf, type OutboxColumns, outboxColumnsIn } from "./outbox-columns.ts";
import { collationProblems } from "./preflight/collations.ts";
import { inspectSequence, type Sequence } from "./preflight/sequence.ts";
import { type Findings, inspectServer, type Server } from "./preflight/server.ts";
import { inspectSurroundings } from "./preflight/surroundings.ts";
import { hasTextIds, tableProblems } from "./preflight/tables.ts";

/** What the other conversations need to know about the database. */
export type Fitness = Server &
  Sequence & {
    readonly columns: OutboxColumns;
    readonly place: Place;
    /** Whether an index leads to rows by their ids. */
    readonly idsIndexed: boolean;
    readonly warnings: readonly string[];
  };

/** Checks the database. @throws UnfitDatabase with every problem that was found. */
export async function preflight(outbox: Outbox): Promise<Fitness> {
  const found: Findings = { problems: [], warnings: [] };
  const server = await inspectServer(outbox.query, found);
  const columns = await columnsOf(outbox);
  found.problems.push(...tableProblems(outbox, columns, server.quotedRole));
  // Without USAGE on the schema a statement cannot even name the outbox.
  const canBeNamed = columns.some(
    (row) => row["relname"] === "events_outbox" && row["schema_usage"] === "true",
  );
  const sequence = canBeNamed ? await inspectSequence(outbox, server, found) : null;
  if (hasTextIds(columns)) found.problems.push(...(await collationProblems(outbox, server.major)));
  // Both tables may have the same problem, such as no USAGE on their schema.
  if (found.problems.length > 0 || sequence === null)
    throw new UnfitDatabase("unfit_schema", [...new Set(found.problems)]);
  return {
    ...server,
    ...sequence,
    columns: outboxColumnsIn(columns),
    place: { table: `${outbox.written}.events_outbox`, sequence: sequence.sequenceName },
    idsIndexed: await inspectSurroundings(outbox, found),
    warnings: found.warnings,
  };
}
