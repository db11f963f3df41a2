/**
 * The rehearsal: rows of each kind are appended exactly as they will be, read back, compared, and rolled back. Nothing else
 * shows what triggers, rules, constraints and the sequence do to our rows: a catalogue lists a trigger and does not say what
 * it does.
 *
 * A rehearsal is invisible: notifications and rows disappear with the transaction, and deferred constraints are checked
 * before its end. Two effects remain: some ids are drawn, and what a trigger does outside of the database is done.
 */
import { isDeepStrictEqual } from "node:util";
import { idOrNull } from "../core/event-id.ts";
import { parseJournalRow } from "../core/journal-row.ts";
import { type Json, parseObject } from "../core/json.ts";
import type { RehearsalRows, RehearsedItem } from "../core/rehearsal-rows.ts";
import type { Failure } from "../events/fields.ts";
import { sequenceWentBack } from "../outbox/appended.ts";
import {
  type AppendedRow,
  DatabaseFailure,
  type Place,
  type Rehearsed,
  UnfitDatabase,
} from "../outbox/outbox-log.ts";
import type { Connection, TextRow } from "./connection.ts";
import { faultOf, leavesConnection } from "./failure.ts";
import { newestJournalStatement, rawRow } from "./journal.ts";
import { FACTS_COLUMNS, factsIn } from "./merge-source.ts";
import { type MetricWriter, workItemOf } from "./metric-writer.ts";
import { literals, type Names } from "./names.ts";
import {
  changedLine,
  isIdTaken,
  type Obstacle,
  obstaclesIn,
  obstaclesStatement,
  refusedLine,
} from "./obstacles.ts";
import type { OutboxColumns } from "./outbox-columns.ts";

/** Not a SQLSTATE: the table took the rows and does not hold them as they were sent. */
const CHANGED = "APPEND_CHANGED";
/** Rows of kind `metric.*` among which the newest row of ours is looked for. */
const NEWEST_ROWS = 50;

export type Stage = {
  readonly connection: Pick<Connection, "readEach" | "runEach">;
  readonly writer: Pick<MetricWriter, "beginLocked" | "append" | "rollback">;
  readonly names: Names;
  readonly columns: OutboxColumns;
  readonly place: Place;
};

type Around = {
  readonly obstacles: readonly Obstacle[];
  /** The id of the newest row of ours; null where it is not among the newest rows. */
  readonly newest: bigint | null;
  /** The first item is rehearsed with; the others where its rows are refused. None where rows need an item and there is none. */
  readonly items: readonly RehearsedItem[];
};

/**
 * One transaction where all is well. Where another transaction has locked a row, nothing is found out and nothing claimed.
 * @param rowsFor the rows for a work item.
 * @throws UnfitDatabase when the table does not take, or does not keep, the rows that record a merge.
 */
export async function rehearse(
  stage: Stage,
  rowsFor: (item: RehearsedItem) => RehearsalRows,
): Promise<Rehearsed> {
  const around = await lookAround(stage);
  const [item] = around.items;
  if (item === undefined) return { checkpoint: null };
  const { needed, checkpoint } = rowsFor(item);
  const refused = await attempt(stage, around, [...needed, checkpoint], "rows of kind metric.*");
  if (refused === null) return { checkpoint: null };
  if (!(await takesOne(stage, around, rowsFor))) throw unfit(refused);
  return { checkpoint: await attempt(stage, around, [checkpoint], "rows of kind metric.checkpoint") };
}

/** The table may refuse the rows of one work item or one project and take others: then merges are refused one by one. */
async function takesOne(
  stage: Stage,
  around: Around,
  rowsFor: (item: RehearsedItem) => RehearsalRows,
): Promise<boolean> {
  for (const item of around.items)
    if ((await attempt(stage, around, rowsFor(item).needed, "rows of kind metric.*")) === null) return true;
  return false;
}

function unfit({ code, message }: Failure): UnfitDatabase {
  return new UnfitDatabase(code === CHANGED ? "append_changed" : "append_refused", [message]);
}

async function lookAround({ connection, names, columns }: Stage): Promise<Around> {
  const item = `SELECT i.id::text AS id, ${FACTS_COLUMNS} FROM ${names.workItems} i`;
  const [attached, ours, found] = await connection.readEach([
    obstaclesStatement(names),
    newestJournalStatement(names, NEWEST_ROWS),
    `(${item} LIMIT 1) UNION ALL (${item} ORDER BY i.id DESC LIMIT 1)`,
  ]);
  const obstacles = obstaclesIn(attached?.rows ?? []);
  const newest = ours?.rows.find((row) => ["metric", "skipped"].includes(parseJournalRow(rawRow(row)).type));
  return {
    obstacles,
    newest: idOrNull(newest?.["row_id"]),
    items: itemsIn(found?.rows ?? [], columns, obstacles),
  };
}

/** Existing work items: a foreign key requires one, and triggers may look it up. */
function itemsIn(
  rows: readonly TextRow[],
  { workItemId, workItemNullable }: OutboxColumns,
  obstacles: readonly Obstacle[],
): readonly RehearsedItem[] {
  const found = rows.map((row) => ({ id: row["id"] ?? null, facts: factsIn(row) }));
  if (found[0] !== undefined) return [...found, { id: found[0].id, facts: null }];
  const isLookedUp = obstacles.some(
    ({ sort, decides }) => sort === "trigger" || (sort === "constraint" && decides),
  );
  if (!isLookedUp) return [{ id: workItemId === "uuid" ? NO_UUID : "0", facts: null }];
  return workItemNullable ? [{ id: null, facts: null }] : [];
}

const NO_UUID = "00000000-0000-0000-0000-000000000000";

/**
 * Appends rows, reads them back and rolls back.
 * @param what names the rows in a message.
 * @returns the failure, with a line for a person; null where there is none.
 * @throws UnfitDatabase when the sequence is behind its table, or the refusal took the connection with it.
 */
async function attempt(
  stage: Stage,
  { obstacles, newest }: Around,
  rows: readonly AppendedRow[],
  what: string,
): Promise<Failure | null> {
  const { writer, place } = stage;
  await writer.beginLocked();
  try {
    const { ids } = await writer.append(rows);
    const kept = await readBack(stage, ids);
    await writer.rollback();
    const isTwice = new Set(kept.map((row) => row["row_id"])).size < kept.length;
    if (isTwice || !ascends(ids, newest)) throw sequenceWentBack(place, ids, newest);
    const how = difference(rows, ids, kept, stage.columns);
    return how === null ? null : { code: CHANGED, message: changedLine(obstacles, place.table, what, how) };
  } catch (error) {
    if (!(error instanceof DatabaseFailure)) throw error;
    const { failure } = error;
    const isConnected = leavesConnection(error);
    if (isConnected) await writer.rollback();
    const fault = faultOf(error);
    if (isConnected && fault === "lock") return null;
    if (!["value", "statement", "rows"].includes(fault)) throw error;
    if (isIdTaken(failure, obstacles)) throw sequenceWentBack(place, [], newest);
    const refused = { code: failure.code, message: refusedLine(failure, obstacles, place, what) };
    if (isConnected) return refused;
    throw unfit(refused);
  }
}

/** Reads the rows, after the checks that are deferred to the end of a transaction. */
async function readBack({ connection, names }: Stage, ids: readonly bigint[]): Promise<readonly TextRow[]> {
  const read = `SELECT e.id::text AS row_id, e.kind, e.work_item_id::text AS work_item_id, e.payload::text AS payload
    FROM ${names.outbox} e WHERE e.id = ANY (ARRAY[${literals(ids)}]::bigint[])`;
  const [, answer] = await connection.runEach(["SET CONSTRAINTS ALL IMMEDIATE", read]);
  return answer?.rows ?? [];
}

function ascends(ids: readonly bigint[], newest: bigint | null): boolean {
  return ids.every((id, index) => {
    const before = index === 0 ? newest : (ids[index - 1] ?? null);
    return before === null || id > before;
  });
}

/** What the table changed, in words without a value of a row; null where it changed nothing. */
function difference(
  rows: readonly AppendedRow[],
  ids: readonly bigint[],
  kept: readonly TextRow[],
  columns: OutboxColumns,
): string | null {
  if (ids.length !== rows.length) return `it took ${ids.length} of ${rows.length} rows`;
  const byId = new Map(kept.map((row) => [row["row_id"], row]));
  for (const [index, row] of rows.entries()) {
    const there = byId.get(String(ids[index]));
    if (there === undefined) return `the row of kind ${row.kind} is missing`;
    if (there["kind"] !== row.kind) return `kind ${row.kind} is stored as another kind`;
    if ((there["work_item_id"] ?? null) !== workItemOf(row, columns))
      return `the work_item_id of the row of kind ${row.kind} changed`;
    if (!keeps(parseObject(there["payload"] ?? null), parseObject(JSON.stringify(row.payload))))
      return `the payload of the row of kind ${row.kind} changed`;
  }
  return null;
}

/** Added fields do no harm: readers of our rows ignore fields that they do not know. */
function keeps(there: Json | null, sent: Json | null): boolean {
  return (
    there !== null &&
    Object.entries(sent ?? {}).every(([field, value]) => isDeepStrictEqual(there[field], value))
  );
}
