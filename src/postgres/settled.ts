/** One look at the log: its newest id, who may still bring rows below it, whether the head is still there, what is new. */
import { BEFORE_ALL, idOrNull, LARGEST_ID, SMALLEST_ID } from "../core/event-id.ts";
import { DatabaseFailure, type FoundMerge, type OutboxLog, type Poll } from "../outbox-log.ts";
import { type Answer, type Connection, type Query, type TextRow } from "./connection.ts";
import { isBadData, isDamaged } from "./failure.ts";
import { OURS, PAYLOAD_FINGERPRINT } from "./journal.ts";
import { FIRST_MERGES, foundIn, type MergeSource } from "./merge-source.ts";
import { literal, literals, type Names } from "./names.ts";
import { PLANNED_ONCE, type Prepared, type Statement } from "./prepared.ts";
import { expectServer, STARTED } from "./server-identity.ts";

/** What must stay as it was, and whose locks tell who may still bring rows; relations by oid as decimal text. */
export type Watched = {
  readonly outbox: string;
  /** What its id is drawn from. */
  readonly sequences: readonly string[];
  /** The name of the one that says what it gave last; null where our role may not read it. */
  readonly counter: string | null;
  /** Since when the server runs, see `STARTED`. */
  readonly server: string;
};

/** Ids in which one look reads merges: what is more is a backlog and is read by pages. */
const READ_IDS = 20_000n;

/**
 * Newest id and holders in one statement, see `core/low-water-mark.ts`. Holders of the table, of its partitions, and of the
 * sequences that its id is drawn from; prepared transactions have no pid. The catalogue is asked for partitions alone, as
 * they come and go: planning a search for the sequences takes longer than everything else together.
 */
const seenStatement = ({ outbox }: Names, watched: Watched): Statement => ({
  name: "seen",
  types: ["bigint"],
  text: (head) => `
  SELECT
    '${outbox}'::regclass::oid::text AS outbox, ${STARTED} AS server,
    (SELECT max(id) FROM ${outbox})::text AS newest, ${lastDrawn(watched)} AS drawn,
    (SELECT ${PAYLOAD_FINGERPRINT} FROM ${outbox} e WHERE e.id = ${head}::bigint AND ${OURS} LIMIT 1) AS head,
    (SELECT string_agg(DISTINCT l.virtualtransaction, ' ')
       FROM pg_locks l
      WHERE l.locktype = 'relation' AND l.mode = 'RowExclusiveLock' AND l.granted
        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND l.pid IS DISTINCT FROM pg_backend_pid()
        AND l.relation = ANY (ARRAY(SELECT inhrelid FROM pg_inherits WHERE inhparent = ${literal(watched.outbox)})
                              || ARRAY[${literals([watched.outbox, ...watched.sequences])}]::oid[])) AS holders`,
});

/** Read from the sequence itself: the function for it takes the lock by which writers are known. */
function lastDrawn({ counter }: Watched): string {
  return counter === null ? "NULL" : `(SELECT last_value - (NOT is_called)::int FROM ${counter})::text`;
}

/**
 * What is new, by its id and not by EXISTS: the planner would look for any such row from the table's beginning. And whether
 * the journal's first row is there: after the merges have been read, as retention may come between.
 */
const newsStatement = ({ outbox }: Names): Statement => ({
  name: "news",
  types: ["bigint", "bigint"],
  text: (folded, begins) =>
    `SELECT (SELECT e.id FROM ${outbox} e WHERE e.id > ${folded} AND ${OURS} ORDER BY e.id LIMIT 1)::text AS news,
            EXISTS (SELECT FROM ${outbox} e WHERE e.id = ${begins}::bigint)::text AS begins`,
});

/** The sequences that `id` draws from: owned (serial, identity) or named in its default. */
export const SEQUENCES_OF_ID = `
  SELECT d.objid FROM pg_depend d JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
   WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = $OUTBOX
     AND a.attname = 'id' AND d.deptype IN ('a', 'i')
     AND (SELECT relkind FROM pg_class WHERE oid = d.objid) = 'S'
  UNION
  SELECT d.refobjid FROM pg_attrdef f JOIN pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = f.adnum
    JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid AND d.refclassid = 'pg_class'::regclass
   WHERE f.adrelid = $OUTBOX AND a.attname = 'id'
     AND (SELECT relkind FROM pg_class WHERE oid = d.refobjid) = 'S'`;

export async function newest(query: Query, { outbox }: Names): Promise<bigint> {
  const { rows } = await query(`SELECT max(id)::text AS newest FROM ${outbox}`);
  return BigInt(rows[0]?.["newest"] ?? BEFORE_ALL);
}

/** The id that the sequence gave last; null where our role may not know. */
export async function drawn(query: Query, watched: Watched): Promise<bigint | null> {
  if (watched.counter === null) return null;
  const { rows } = await query(`SELECT ${lastDrawn(watched)} AS drawn`);
  return idOrNull(rows[0]?.["drawn"]);
}

/** The smallest visible id after this one; null where there is none. */
export async function nextId(query: Query, { outbox }: Names, after: bigint): Promise<bigint | null> {
  const { rows } = await query(`SELECT min(id)::text AS next FROM ${outbox} WHERE id > ${literal(after)}`);
  return idOrNull(rows[0]?.["next"]);
}

type PollStatements = { readonly seen: Statement; readonly merges: Statement; readonly news: Statement };

export function pollStatements(names: Names, watched: Watched, source: MergeSource): PollStatements {
  return { seen: seenStatement(names, watched), merges: source.first, news: newsStatement(names) };
}

/** @returns a look, which throws DatabaseFailure when the table is another one than was watched: who looks has to connect anew. */
export function poller(
  { read, readEach }: Pick<Connection, "read" | "readEach">,
  say: Prepared["say"],
  statements: PollStatements,
  watched: Watched,
  source: MergeSource,
): OutboxLog["poll"] {
  return async ({ head, after: from, folded, begins }) => {
    // A parameter of the statements must be a bigint.
    const after = from < SMALLEST_ID ? SMALLEST_ID : from;
    const upTo = after > LARGEST_ID - READ_IDS ? LARGEST_ID : after + READ_IDS;
    const seenText = say(statements.seen, head?.id ?? null);
    const newsText = say(statements.news, folded < SMALLEST_ID ? SMALLEST_ID : folded, begins);
    try {
      const mergesText = say(statements.merges, after, upTo);
      const [, seen, merged, news] = await readEach([PLANNED_ONCE, seenText, mergesText, newsText]);
      const first = foundIn(merged?.rows ?? []);
      const last = first.length === FIRST_MERGES ? first.at(-1) : undefined;
      const readUpTo = last === undefined ? upTo : BigInt(last.eventId);
      const looked = { ...seenIn(seen?.rows[0], watched), readUpTo };
      if (!first.some(lacksItem)) return { ...looked, found: first, ...newsIn(news) };
      return { ...looked, found: await source.merges(after, readUpTo), ...newsIn(await read(newsText)) };
    } catch (error) {
      // A row that the second statement cannot take in, or the server cannot read: it is looked for with care.
      if (!isBadData(error) && !isDamaged(error)) throw error;
      const seen = seenIn((await read(seenText)).rows[0], watched);
      const readUpTo = upTo < seen.newest ? upTo : seen.newest;
      const found = await source.merges(after, readUpTo);
      return { ...seen, found, readUpTo, ...newsIn(await read(newsText)) };
    }
  };
}

/**
 * A prepared statement takes its snapshot before it waits for a table. To one that was rewritten meanwhile, by a
 * migration, every work item is missing; a statement said in full takes its snapshot when it has the table.
 */
function lacksItem({ workItemId, facts, recordedAs }: FoundMerge): boolean {
  return workItemId !== null && facts === null && recordedAs === null;
}

function newsIn(answer: Answer | undefined): Pick<Poll, "news" | "beginsThere"> {
  const row = answer?.rows[0];
  return { news: row?.["news"] != null, beginsThere: row?.["begins"] === "true" };
}

function seenIn(
  row: TextRow | undefined,
  watched: Watched,
): Pick<Poll, "newest" | "drawn" | "holders" | "appliedFingerprint"> {
  if (row?.["outbox"] !== watched.outbox)
    throw new DatabaseFailure({
      code: "TABLE_REPLACED",
      message: "events_outbox is another table than before",
    });
  expectServer(row["server"], watched.server);
  return {
    newest: BigInt(row["newest"] ?? BEFORE_ALL),
    drawn: idOrNull(row["drawn"]),
    holders: new Set(row["holders"]?.split(" ")),
    appliedFingerprint: row["head"] ?? null,
  };
}
