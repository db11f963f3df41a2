/** The writers' transaction, statement by statement. Why it is built like this stands in `recorder/recorder.ts`. */
import { createHash } from "node:crypto";
import { CHECKPOINT_KIND } from "../core/metric-event.ts";
import { type Appended, type AppendedRow, CommitUnknown, DatabaseFailure } from "../outbox-log.ts";
import { begin, type Connection, type ConnectionSettings } from "./connection.ts";
import { PAYLOAD_FINGERPRINT } from "./journal.ts";
import { literal, type Names } from "./names.ts";
import type { OutboxColumns } from "./outbox-columns.ts";
import type { Fitness } from "./preflight.ts";

/** The advisory lock of the writers of one schema's outbox: 64 bits of a hash, so that schemas do not wait for each other. */
export function lockKey({ schema }: Names): bigint {
  return createHash("sha256").update(`damascus-metrics:${schema}.events_outbox`).digest().readBigInt64BE();
}

/**
 * The lock's statement takes its snapshot before it waits, so nothing may be read by it. A statement behind it takes
 * its own when it begins, and it begins when the lock has been granted, also within one message: under READ COMMITTED
 * the server runs the statements of a message one after the other, each like one that was sent alone.
 */
export function lockingStatements(settings: ConnectionSettings, names: Names): string {
  return `${begin(settings, "ISOLATION LEVEL READ COMMITTED READ WRITE")}; SELECT pg_advisory_xact_lock(${literal(lockKey(names))})`;
}

/** From so many rows on COPY is faster: it costs one message more, and half as much for each row. */
const COPIED_ROWS = 60;
const ROWS_IN_A_CHUNK = 100;

/**
 * One multi-row insert, kept under its name where the session keeps statements, or COPY. A sequence with a cache would
 * give this session ids set aside long ago, below those of others: then what is set aside is thrown away first, so that
 * journal ids ascend.
 */
export async function append(
  connection: Connection,
  names: Names,
  { columns, sequenceCache }: Fitness,
  rows: Iterable<AppendedRow>,
  after: bigint,
  insertName: string | undefined,
): Promise<Appended> {
  if (sequenceCache > 1) await connection.run("DISCARD SEQUENCES");
  const chunks = inChunks(rows);
  const first = chunks.next().value ?? [];
  return first.length < COPIED_ROWS
    ? await insert(connection, names, columns, first, insertName)
    : await copy(connection, names, columns, first, chunks, after);
}

function* inChunks(rows: Iterable<AppendedRow>): Generator<readonly AppendedRow[], undefined> {
  let chunk: AppendedRow[] = [];
  for (const row of rows) {
    chunk.push(row);
    if (chunk.length < ROWS_IN_A_CHUNK) continue;
    yield chunk;
    chunk = [];
  }
  if (chunk.length > 0) yield chunk;
}

async function insert(
  connection: Connection,
  { outbox }: Names,
  columns: OutboxColumns,
  rows: readonly AppendedRow[],
  name: string | undefined,
): Promise<Appended> {
  const { rows: appended } = await connection.run(
    `INSERT INTO ${outbox} AS e (kind, work_item_id, payload)
     SELECT row.kind, row.work_item_id::${columns.workItemId}, row.payload::${columns.payload}
       FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS row (kind, work_item_id, payload, place)
      ORDER BY row.place
     RETURNING e.id::text AS row_id, ${PAYLOAD_FINGERPRINT} AS fingerprint`,
    [
      rows.map((row) => row.kind),
      rows.map((row) => workItemOf(row, columns)),
      rows.map((row) => JSON.stringify(row.payload)),
    ],
    name,
  );
  return {
    first: idIn(appended[0]?.["row_id"]),
    last: idIn(appended.at(-1)?.["row_id"]),
    fingerprint: appended.at(-1)?.["fingerprint"] ?? "",
  };
}

/**
 * In chunks, so that the server takes in the first ones while the next ones are made. COPY gives no ids back: the newest
 * rows that say what the first and the last one say are the first and the last one.
 */
async function copy(
  connection: Connection,
  { outbox }: Names,
  columns: OutboxColumns,
  firstRows: readonly AppendedRow[],
  more: Iterable<readonly AppendedRow[]>,
  after: bigint,
): Promise<Appended> {
  let last = firstRows.at(-1);
  function* text(): Generator<string> {
    yield copyText(firstRows, columns);
    for (const rows of more) {
      last = rows.at(-1);
      yield copyText(rows, columns);
    }
  }
  await connection.copyIn(`COPY ${outbox} (kind, work_item_id, payload) FROM STDIN`, text());
  const newest = (kind: number, item: number, what: string): string => `
    (SELECT ${what} FROM ${outbox} e
      WHERE e.id > ${literal(after)} AND e.kind = $${kind} AND e.work_item_id IS NOT DISTINCT FROM $${item}::${columns.workItemId}
      ORDER BY e.id DESC LIMIT 1)`;
  const about = (row: AppendedRow | undefined) => [
    row?.kind,
    row === undefined ? null : workItemOf(row, columns),
  ];
  const answer = await connection.run(
    `SELECT ${newest(1, 2, "e.id::text")} AS first, ${newest(3, 4, "e.id::text")} AS last,
            ${newest(3, 4, PAYLOAD_FINGERPRINT)} AS fingerprint`,
    [...about(firstRows[0]), ...about(last)],
  );
  const row = answer.rows[0];
  return { first: idIn(row?.["first"]), last: idIn(row?.["last"]), fingerprint: row?.["fingerprint"] ?? "" };
}

function idIn(text: string | null | undefined): bigint | null {
  return text == null ? null : BigInt(text);
}

function copyText(rows: readonly AppendedRow[], columns: OutboxColumns): string {
  let text = "";
  for (const row of rows) {
    const item = workItemOf(row, columns);
    text += `${row.kind}\t${item === null ? "\\N" : copyField(item)}\t${copyField(JSON.stringify(row.payload))}\n`;
  }
  return text;
}

const SPECIAL = /[\\\t\n\r]/g;
const ESCAPES: Readonly<Record<string, string>> = { "\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r" };

/** A field in COPY's text format. */
function copyField(text: string): string {
  return text.replace(SPECIAL, (character) => ESCAPES[character] ?? character);
}

/** Checkpoints belong to no work item, where the column allows it. */
function workItemOf(row: AppendedRow, { workItemNullable }: OutboxColumns): string | null {
  return row.kind === CHECKPOINT_KIND && workItemNullable ? null : row.workItemId;
}

/** SQLSTATE classes with which a server says that it did not commit: bad data, constraints, rights, resources. */
const REFUSALS = /^(2[0-9]|40|42|53|55|P0)[0-9A-Z]{3}$/;

/**
 * A transaction that has failed answers COMMIT with ROLLBACK and no error. And when no answer comes, the server may
 * have committed all the same.
 */
export async function commit(connection: Connection): Promise<void> {
  let command: string;
  try {
    ({ command } = await connection.run("COMMIT"));
  } catch (error) {
    throw error instanceof DatabaseFailure && !REFUSALS.test(error.failure.code)
      ? new CommitUnknown(error.failure)
      : error;
  }
  if (command !== "COMMIT") {
    connection.destroy();
    throw new DatabaseFailure({ code: "COMMIT_ROLLED_BACK", message: `COMMIT was answered with ${command}` });
  }
}
