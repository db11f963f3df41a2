/**
 * One poll of the log: its newest id, the transactions that may still bring rows below it, whether the last applied row is
 * still there, the first new merges, and whether peers wrote.
 */
import { BEFORE_ALL, idOrNull, LARGEST_ID, SMALLEST_ID } from "../core/event-id.ts";
import {
  DatabaseFailure,
  LockBlocked,
  lacksItem,
  type OutboxLog,
  type Poll,
  type PollBasis,
} from "../outbox/outbox-log.ts";
import type { Answer, Connection, Query, TextRow } from "./connection.ts";
import { faultOf } from "./failure.ts";
import { OURS, PAYLOAD_FINGERPRINT } from "./journal.ts";
import { FIRST_MERGES, foundMerge, type MergeSource } from "./merge-source.ts";
import type { MetricWriter } from "./metric-writer.ts";
import { literal, literals, type Names } from "./names.ts";
import { PLANNED_ONCE, type Prepared, type Statement } from "./prepared.ts";
import { expectServer, STARTED } from "./server-identity.ts";

/** What must stay as it was, and whose locks show who may still bring rows. Relations by oid, as decimal text. */
export type Watched = {
  readonly outbox: string;
  /** From which the outbox's id is drawn. */
  readonly sequences: readonly string[];
  /** The name of the sequence that is asked for its last id; null where our role may not read it. */
  readonly counter: string | null;
  /** Since when the server runs, see `STARTED`. */
  readonly server: string;
};

/** Ids in which one poll reads merges. More is a backlog and is read by pages. */
const READ_IDS = 20_000n;

/**
 * The newest id and the lock holders in one statement, see `core/low-water-mark.ts`: holders of the table, of its
 * partitions, and of the sequences from which its id is drawn. Prepared transactions have no pid. Only the partitions are
 * looked up each time, because they come and go: planning a lookup of the sequences takes longer than all the rest.
 *
 * The table is named to a function, which looks it up at each poll. A constant of type regclass would keep the table that had the
 * name when the statement was prepared, and another one's locks would be watched.
 */
const seenStatement = ({ outbox }: Names, watched: Watched): Statement => ({
  name: "seen",
  types: ["bigint"],
  text: (applied) => `
  SELECT
    to_regclass('${outbox}')::oid::text AS outbox, ${STARTED} AS server,
    (SELECT max(id) FROM ${outbox})::text AS newest, ${lastDrawn(watched)} AS drawn,
    (SELECT ${PAYLOAD_FINGERPRINT} FROM ${outbox} e WHERE e.id = ${applied}::bigint AND ${OURS} LIMIT 1) AS applied,
    (SELECT string_agg(DISTINCT l.virtualtransaction, ' ')
       FROM pg_locks l
      WHERE l.locktype = 'relation' AND l.mode = 'RowExclusiveLock' AND l.granted
        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND l.pid IS DISTINCT FROM pg_backend_pid()
        AND l.relation = ANY (ARRAY(SELECT inhrelid FROM pg_inherits WHERE inhparent = ${literal(watched.outbox)})
                              || ARRAY[${literals([watched.outbox, ...watched.sequences])}]::oid[])) AS holders`,
});

/** Read from the sequence itself: the function for it takes the lock by which writers are recognized. */
function lastDrawn({ counter }: Watched): string {
  return counter === null ? "NULL" : `(SELECT last_value - (NOT is_called)::int FROM ${counter})::text`;
}

/** The id that the sequence gave last; null where our role may not read it. */
export async function drawn(query: Query, watched: Watched): Promise<bigint | null> {
  const { rows } = await query(`SELECT ${lastDrawn(watched)} AS drawn`);
  return idOrNull(rows[0]?.["drawn"]);
}

/**
 * Peer writes: the first row of kind `metric.*` after an id. By its id and not by EXISTS, for which the planner would
 * search from the table's beginning. And whether the journal's first row is there: read after the merges, because
 * retention may delete rows in between.
 */
const peerWritesStatement = ({ outbox }: Names): Statement => ({
  name: "peer_writes",
  types: ["bigint", "bigint"],
  text: (position, begins) =>
    `SELECT (SELECT e.id FROM ${outbox} e WHERE e.id > ${position} AND ${OURS} ORDER BY e.id LIMIT 1)::text AS written,
            EXISTS (SELECT FROM ${outbox} e WHERE e.id = ${begins}::bigint)::text AS begins`,
});

/** What polls read, and how. */
type Polling = {
  readonly statements: PollStatements;
  readonly watched: Watched;
  readonly source: MergeSource;
};

type PollStatements = Readonly<Record<"seen" | "merges" | "peerWrites", Statement>>;

/** The statements of a poll, to be prepared with the connection. */
export function pollStatements(names: Names, watched: Watched, source: MergeSource): PollStatements {
  return {
    seen: seenStatement(names, watched),
    merges: source.first,
    peerWrites: peerWritesStatement(names),
  };
}

/**
 * Both ways to poll.
 *
 * A prepared statement takes its snapshot before it waits for a table. If a migration rewrote the table meanwhile, every
 * work item is missing in that snapshot. A statement sent in full takes its snapshot when it has the table, so merges that lack
 * their work item are read again by one.
 *
 * They throw DatabaseFailure when the table or the server was replaced: the connection must be made anew.
 * @param writer for the poll inside the writers' transaction.
 */
export function poller(
  { read, readEach }: Pick<Connection, "read" | "readEach">,
  writer: Pick<MetricWriter, "beginWith" | "rollback">,
  say: Prepared["say"],
  { statements, watched, source }: Polling,
): Pick<OutboxLog, "poll" | "pollLocked"> {
  const textsOf = ({ lastApplied, after: from, appliedPosition, firstRow }: PollBasis) => {
    // A parameter of the statements must be a bigint.
    const after = from < SMALLEST_ID ? SMALLEST_ID : from;
    const upTo = after > LARGEST_ID - READ_IDS ? LARGEST_ID : after + READ_IDS;
    const position = appliedPosition < SMALLEST_ID ? SMALLEST_ID : appliedPosition;
    const seen = say(statements.seen, lastApplied?.id ?? null);
    const peers = say(statements.peerWrites, position, firstRow);
    return {
      after,
      upTo,
      seen,
      peers,
      all: [PLANNED_ONCE, seen, say(statements.merges, after, upTo), peers],
    };
  };
  /** @param answers to `all`. */
  const pollIn = ([, seen, merged, peers]: readonly Answer[], upTo: bigint): Poll => {
    const found = merged?.rows.map(foundMerge) ?? [];
    const last = found.length === FIRST_MERGES ? found.at(-1) : undefined;
    const readUpTo = last === undefined ? upTo : BigInt(last.eventId);
    return { ...seenIn(seen, watched), found, readUpTo, ...peerWritesIn(peers) };
  };
  return {
    poll: async (basis) => {
      const { after, upTo, seen: seenText, peers, all } = textsOf(basis);
      /** The same merges, row by row where one cannot be read. */
      const withCare = async (seen: Seen, readUpTo: bigint): Promise<Poll> => {
        const found = await source.merges(after, readUpTo);
        return { ...seen, found, readUpTo, ...peerWritesIn(await read(peers)) };
      };
      try {
        const polled = pollIn(await readEach(all), upTo);
        return polled.found.some(lacksItem) ? await withCare(polled, polled.readUpTo) : polled;
      } catch (error) {
        if (!["value", "storage"].includes(faultOf(error))) throw error;
        const seen = seenIn(await read(seenText), watched);
        return withCare(seen, upTo < seen.newest ? upTo : seen.newest);
      }
    },
    pollLocked: async (basis) => {
      const { upTo, all } = textsOf(basis);
      try {
        const polled = pollIn(await writer.beginWith(all), upTo);
        if (!polled.found.some(lacksItem)) return polled;
      } catch (error) {
        if (error instanceof LockBlocked || !["value", "storage", "lock"].includes(faultOf(error)))
          throw error;
      }
      await writer.rollback();
      return null;
    },
  };
}

function peerWritesIn(answer: Answer | undefined): Pick<Poll, "peerWrites" | "hasFirstRow"> {
  const row = answer?.rows[0];
  return { peerWrites: row?.["written"] != null, hasFirstRow: row?.["begins"] === "true" };
}

type Seen = Pick<Poll, "newest" | "drawn" | "holders" | "appliedFingerprint">;

function seenIn(answer: Answer | undefined, watched: Watched): Seen {
  const row: TextRow = answer?.rows[0] ?? {};
  if (row["outbox"] !== watched.outbox)
    throw new DatabaseFailure({
      code: "TABLE_REPLACED",
      message: "events_outbox was replaced by another table",
    });
  expectServer(row["server"], watched.server);
  return {
    newest: BigInt(row["newest"] ?? BEFORE_ALL),
    drawn: idOrNull(row["drawn"]),
    holders: new Set(row["holders"]?.split(" ")),
    appliedFingerprint: row["applied"] ?? null,
  };
}
