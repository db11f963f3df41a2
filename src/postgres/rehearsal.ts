/**
 * The rehearsal: one row of each kind is appended exactly as it will be, read back, compared, and rolled back. What
 * triggers, rules, constraints and the sequence do to our rows is seen in this way, and in no other: a catalogue tells that
 * there is a trigger, not what it does.
 *
 * Nobody hears of it: notifications and rows go with the transaction, deferred constraints are checked before its end. Two
 * things stay: some ids are drawn, and what a trigger does outside of the database is done.
 */
import { isDeepStrictEqual } from "node:util";
import { idOrNull } from "../core/event-id.ts";
import { parseJournalRow } from "../core/journal-row.ts";
import { type Json, parseObject } from "../core/json.ts";
import type { RehearsalRows, RehearsedItem } from "../core/rehearsal-rows.ts";
import type { Failure } from "../events/fields.ts";
import {
  type Appended,
  type AppendedRow,
  DatabaseFailure,
  isLocked,
  type Place,
  type Rehearsed,
  sequenceWentBack,
  UnfitDatabase,
} from "../outbox-log.ts";
import type { Answer, Connection, TextRow } from "./connection.ts";
import { leavesConnection } from "./failure.ts";
import { newestJournalStatement, rawRow } from "./journal.ts";
import { workItemOf } from "./metric-writer.ts";
import { literal, type Names } from "./names.ts";
import {
  changedLine,
  isIdTaken,
  type Obstacle,
  obstaclesIn,
  obstaclesStatement,
  refusedLine,
} from "./obstacles.ts";
import type { OutboxColumns } from "./outbox-columns.ts";

/** SQLSTATE classes with which a server says no to what a statement asks; asked again it says the same. */
const REFUSALS = /^(0A|21|22|23|27|2F|38|39|42|44|54|P0)/;
/** No SQLSTATE: the rows were taken, and are not there as they were sent. */
const CHANGED = "APPEND_CHANGED";
/** Newest rows of kind `metric.*` among which the newest of ours is looked for. */
const NEWEST_ROWS = 50;

export type Stage = {
  readonly connection: Pick<Connection, "readEach" | "runEach">;
  readonly names: Names;
  readonly columns: OutboxColumns;
  readonly place: Place;
  /** The writers' transaction, as for recording. */
  readonly beginLocked: () => Promise<void>;
  readonly append: (rows: readonly AppendedRow[]) => Promise<Appended>;
  readonly rollback: () => Promise<void>;
};

type Around = {
  readonly obstacles: readonly Obstacle[];
  /** The id of the newest row of ours, as far as it is among the newest rows. */
  readonly newest: bigint | null;
  /** The first is rehearsed with, the others where that is refused. */
  readonly items: readonly [RehearsedItem, ...RehearsedItem[]];
};

/** What is in the way. */
type Found = { readonly failure: Failure; readonly connected: boolean };

/**
 * One transaction where all is well. Where a row is locked by another transaction nothing is found out, and nothing claimed.
 * @throws UnfitDatabase when the table does not take, or does not keep, the rows that record a merge.
 */
export async function rehearse(
  stage: Stage,
  rowsFor: (item: RehearsedItem) => RehearsalRows,
): Promise<Rehearsed> {
  const around = await lookAround(stage);
  if (around === null) return { checkpoint: null };
  const { needed, checkpoint } = rowsFor(around.items[0]);
  const all = await attempt(stage, around, [...needed, checkpoint], "rows of kind metric.*");
  if (all === null) return { checkpoint: null };
  if (!all.connected || !(await takesOne(stage, around, rowsFor))) throw unfit(all.failure);
  const alone = await attempt(stage, around, [checkpoint], "rows of kind metric.checkpoint");
  return { checkpoint: alone?.failure ?? null };
}

/** What is refused for one work item, or one project, may be taken for another: then it is about merges, one by one. */
async function takesOne(
  stage: Stage,
  around: Around,
  rowsFor: (item: RehearsedItem) => RehearsalRows,
): Promise<boolean> {
  for (const item of around.items) {
    const found = await attempt(stage, around, rowsFor(item).needed, "rows of kind metric.*");
    if (found === null) return true;
    if (!found.connected) return false;
  }
  return false;
}

function unfit({ code, message }: Failure): UnfitDatabase {
  return new UnfitDatabase(code === CHANGED ? "append_changed" : "append_refused", [message]);
}

/** @returns null where no row can be appended before there are work items. */
async function lookAround({ connection, names, columns }: Stage): Promise<Around | null> {
  const item = `SELECT i.id::text AS id, left(i.project::text, 513) AS project, left(i.attempts::text, 20) AS attempts,
    left(i.last_verdict::text, 512) AS last_verdict FROM ${names.workItems} i`;
  const [attached, ours, found] = await connection.readEach([
    obstaclesStatement(names),
    newestJournalStatement(names, NEWEST_ROWS),
    `(${item} LIMIT 1) UNION ALL (${item} ORDER BY i.id DESC LIMIT 1)`,
  ]);
  const obstacles = obstaclesIn(attached?.rows ?? []);
  const items = itemsIn(found, columns, obstacles);
  return items === null ? null : { obstacles, newest: newestOfOurs(ours), items };
}

function newestOfOurs(answer: Answer | undefined): bigint | null {
  const row = answer?.rows.find((one) => ["metric", "skipped"].includes(parseJournalRow(rawRow(one)).type));
  return idOrNull(row?.["row_id"]);
}

/** Work items that exist: a foreign key asks for one, and triggers may look it up. */
function itemsIn(
  answer: Answer | undefined,
  { workItemId, workItemNullable }: OutboxColumns,
  obstacles: readonly Obstacle[],
): Around["items"] | null {
  const [first, ...others] = (answer?.rows ?? []).map((row) => ({
    id: row["id"] ?? null,
    facts: {
      project: row["project"] ?? null,
      attempts: row["attempts"] ?? null,
      lastVerdict: row["last_verdict"] ?? null,
    },
  }));
  if (first !== undefined) return [first, ...others, { id: first.id, facts: null }];
  const isLookedUp = obstacles.some(
    ({ sort, decides }) => sort === "trigger" || (sort === "constraint" && decides),
  );
  if (!isLookedUp) return [{ id: workItemId === "uuid" ? NO_UUID : "0", facts: null }];
  return workItemNullable ? [{ id: null, facts: null }] : null;
}

const NO_UUID = "00000000-0000-0000-0000-000000000000";

/**
 * Appends rows, reads them back and rolls back.
 * @param what they are, in words.
 * @throws UnfitDatabase when the sequence is behind its table.
 */
async function attempt(
  stage: Stage,
  around: Around,
  rows: readonly AppendedRow[],
  what: string,
): Promise<Found | null> {
  const { place } = stage;
  await stage.beginLocked();
  try {
    const { ids } = await stage.append(rows);
    const kept = await readBack(stage, ids);
    await stage.rollback();
    const twice = new Set(kept.map((row) => row["row_id"])).size < kept.length;
    if (twice || !ascends(ids, around.newest)) throw sequenceWentBack(place, ids, around.newest);
    const how = difference(rows, ids, kept, stage.columns);
    if (how === null) return null;
    return {
      failure: { code: CHANGED, message: changedLine(around.obstacles, place.table, what, how) },
      connected: true,
    };
  } catch (error) {
    if (!(error instanceof DatabaseFailure)) throw error;
    const { failure } = error;
    const connected = leavesConnection(error);
    if (connected) await stage.rollback();
    if (connected && isLocked(failure)) return null;
    if (!REFUSALS.test(failure.code)) throw error;
    if (isIdTaken(failure, around.obstacles)) throw sequenceWentBack(place, [], around.newest);
    const message = refusedLine(failure, around.obstacles, place, what);
    return { failure: { code: failure.code, message }, connected };
  }
}

/** What was checked only at the end of a transaction is checked now. */
async function readBack({ connection, names }: Stage, ids: readonly bigint[]): Promise<readonly TextRow[]> {
  const read = `SELECT e.id::text AS row_id, e.kind, e.work_item_id::text AS work_item_id, e.payload::text AS payload
    FROM ${names.outbox} e WHERE e.id IN (${ids.map(literal).join(", ")})`;
  const answers = await connection.runEach([
    "SET CONSTRAINTS ALL IMMEDIATE",
    ...(ids.length === 0 ? [] : [read]),
  ]);
  return answers[1]?.rows ?? [];
}

function ascends(ids: readonly bigint[], newest: bigint | null): boolean {
  let before = newest;
  for (const id of ids) {
    if (before !== null && id <= before) return false;
    before = id;
  }
  return true;
}

/** In words, without a value of a row; null where there is none. */
function difference(
  rows: readonly AppendedRow[],
  ids: readonly bigint[],
  kept: readonly TextRow[],
  columns: OutboxColumns,
): string | null {
  if (ids.length !== rows.length) return `of ${rows.length} rows ${ids.length} were taken`;
  const byId = new Map(kept.map((row) => [row["row_id"], row]));
  for (const [index, row] of rows.entries()) {
    const there = byId.get(String(ids[index]));
    if (there === undefined) return `the row of kind ${row.kind} is not there`;
    if (there["kind"] !== row.kind) return `kind ${row.kind} has become another one`;
    if ((there["work_item_id"] ?? null) !== workItemOf(row, columns))
      return `the work_item_id of kind ${row.kind} has changed`;
    if (!keeps(parseObject(there["payload"] ?? null), parseObject(JSON.stringify(row.payload))))
      return `the payload of kind ${row.kind} has changed`;
  }
  return null;
}

/** Fields that were added harm nobody: readers of our rows ignore those that they do not know. */
function keeps(there: Json | null, sent: Json | null): boolean {
  return (
    there !== null &&
    Object.entries(sent ?? {}).every(([field, value]) => isDeepStrictEqual(there[field], value))
  );
}
