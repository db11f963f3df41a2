/**
 * The outbox as the recorder needs it: one connection, one statement at a time. `postgres/` supplies it; tests supply a
 * simulated one. Any failure ends a connection's life: whoever holds it forgets what it knows and opens another.
 */
import type { CheckpointRow } from "./core/checkpoint.ts";
import type { FactsSource, RawFactsRow } from "./core/fast-replay.ts";
import type { RawJournalRow } from "./core/journal-row.ts";
import type { Identified, RawFacts } from "./core/merge.ts";
import type { EventRow } from "./core/metric-event.ts";
import type { RehearsalRows, RehearsedItem } from "./core/rehearsal-rows.ts";
import type { Failure, Holder } from "./events/fields.ts";

/** Outbox rows that one reading statement passes: some tens of milliseconds, a few megabytes. */
export const PAGE_ROWS = 20_000;

/** The newest row of the journal that memory stands on: its id, and the SHA-256 of its payload's text in hex. */
export type Head = { readonly id: string; readonly fingerprint: string };

export type Poll = {
  /** The newest visible id, `BEFORE_ALL` for an empty log. */
  readonly newest: bigint;
  /** The id that the sequence gave last, below which it gives no other; null where our role may not know. */
  readonly drawn: bigint | null;
  /** Transactions that may still bring rows, see `core/low-water-mark.ts`. */
  readonly holders: ReadonlySet<string>;
  /** The fingerprint of the row at the head's id; null where there is no such row. */
  readonly appliedFingerprint: string | null;
  /** The first merges with after < id ≤ readUpTo, in id order: all of them, seen by a later statement. */
  readonly found: FoundMerge[];
  readonly readUpTo: bigint;
  /** Whether a later statement saw rows of kind `metric.*` after the last one that was folded. */
  readonly news: boolean;
  /** Whether a statement after the one for merges saw the journal's first row. */
  readonly beginsThere: boolean;
};

/** A transition to merged, with its work item's facts of this moment. */
export type FoundMerge = Identified & {
  readonly mergedAt: string | null;
  /** Milliseconds since `created_at`, by the server's clock; null where that is no date. */
  readonly ageMs: number | null;
  /** Null where the work item does not exist. */
  readonly facts: RawFacts | null;
  /** The event under which this work item is recorded already; null where it is due. */
  readonly recordedAs: string | null;
};

export type AppendedRow = EventRow | CheckpointRow;

/** A checkpoint as it is chosen, before it is read. */
export type CheckpointInLog = { readonly rowId: string; readonly seq: number };

/** From how many merges on a log is read by its facts, and how many of the newest are folded row by row all the same. */
export type LongLog = { readonly merges: number; readonly checked: number };

export type Since = {
  /** The fingerprint of the row at the head's id; null where there is no such row. */
  readonly appliedFingerprint: string | null;
  readonly rows: readonly RawJournalRow[];
  /** Whether further rows follow these: a statement brings a few thousand at most. */
  readonly more: boolean;
};

/** The outbox and the sequence of its ids, as the statements that messages suggest name them. */
export type Place = { readonly table: string; readonly sequence: string };

/** What a rehearsal found: why the table takes no checkpoint; null where it takes them. */
export type Rehearsed = { readonly checkpoint: Failure | null };

/** Where rows were appended. */
export type Appended = {
  /** The ids of the rows that the table took, in the order in which it took them. */
  readonly ids: readonly bigint[];
};

/** What a look compares the log with. */
export type PollBasis = {
  readonly head: Head | null;
  /** Merges after this id are looked for. */
  readonly after: bigint;
  /** Rows of kind `metric.*` after this id are news. */
  readonly folded: bigint;
  /** The journal's first row, as far as it is known. */
  readonly begins: bigint | null;
};

export interface OutboxLog {
  /** The newest visible id, `BEFORE_ALL` for an empty log. */
  newest(): Promise<bigint>;
  /** The smallest visible id; null for an empty log. */
  oldest(): Promise<bigint | null>;
  /**
   * One statement: the newest id, who may still bring rows below it, the head's row, and the journal's first one. And by
   * later ones, sent along with it, the first merges after `after`, which are all there are in most cases, and whether
   * others have recorded anything since `folded`.
   */
  poll(basis: PollBasis): Promise<Poll>;
  /** The id of the row `rows` rows after `after`, at most `upTo`: the end of a page that is read in a short time. */
  pageEnd(after: bigint, upTo: bigint, rows: number): Promise<bigint>;
  /** Merges with after < id ≤ upTo, in id order. */
  merges(after: bigint, upTo: bigint): Promise<FoundMerge[]>;
  /** Rows of kind `metric.*` with after < id ≤ upTo, in id order. */
  journal(after: bigint, upTo: bigint): Promise<readonly RawJournalRow[]>;
  /** One statement: the head's row, and rows of kind `metric.*` with after < id, in id order from the first. */
  journalSince(head: Head | null, after: bigint): Promise<Since>;
  /** The newest rows of kind `metric.*`, at most `rows`, newest first. */
  newestJournal(rows: number): Promise<RawJournalRow[]>;

  /** The smallest id that the sequence gives. */
  readonly leastId: bigint;
  readonly place: Place;
  /** Whether an index leads to rows by their ids: without one each look reads the whole table. */
  readonly idsIndexed: boolean;
  readonly long: LongLog;
  /**
   * As they come: the rows of facts with id ≤ upTo, and the others that `FastReplay` wants, in id order.
   * @returns false when they cannot be read in this way: what was told then is not all.
   */
  facts(
    source: FactsSource,
    upTo: bigint,
    row: (row: RawFactsRow) => void,
    other: (row: RawJournalRow) => void,
  ): Promise<boolean>;
  /** The events that rows of ours with after < id ≤ upTo record, whichever work item these rows are filed under by now. */
  recordedEvents(after: bigint, upTo: bigint): Promise<string[]>;
  /**
   * For each of these merges that has a work item: the other transitions to merged of the same work item.
   * @returns by event id; nothing for merges without another one.
   */
  otherMerges(merges: readonly Identified[]): Promise<ReadonlyMap<string, readonly bigint[]>>;
  /** The metric rows and crossings up to `upTo` of the work items that these rows belong to, in no order. */
  setsOf(rowIds: readonly number[], upTo: bigint): Promise<readonly RawJournalRow[]>;

  /** Checkpoints with id ≤ upTo, newest first, wherever they are; each page is asked for only when it is needed. */
  checkpoints(upTo: bigint): AsyncIterable<CheckpointInLog>;
  /** The payload of one, as text; null where there is none or it is absurdly large. */
  checkpoint(rowId: string): Promise<string | null>;

  /**
   * Appends a row of each kind as they are appended for real, compares what the table has then, and rolls back.
   * @throws UnfitDatabase when merges cannot be recorded in this table.
   */
  rehearse(rowsFor: (item: RehearsedItem) => RehearsalRows): Promise<Rehearsed>;
  /** Begins the writers' transaction and is granted their lock, each in a statement of its own. @throws LockBlocked */
  beginLocked(): Promise<void>;
  /** The same, and in a later statement, sent along with it, what `journalSince` gives. @throws LockBlocked */
  beginFenced(head: Head, after: bigint): Promise<Since>;
  /**
   * Appends rows, at least one, in their order, by one statement.
   * @throws AppendRefused when the table did not take them; then nothing is left but to roll back.
   */
  append(rows: readonly AppendedRow[]): Promise<Appended>;
  /**
   * @param last the row that memory is to stand on.
   * @returns its fingerprint; null where there is no such row.
   * @throws CommitUnknown when no answer came; any other failure means that nothing was committed.
   */
  commit(last: bigint): Promise<string | null>;
  rollback(): Promise<void>;

  /** The id that the sequence gave last; null where our role may not know. */
  drawn(): Promise<bigint | null>;
  /** Who these transactions are. */
  describe(transactions: ReadonlySet<string>): Promise<Holder[]>;
  /** Ends the connection in good order. */
  end(): Promise<void>;
  /** Ends the connection at once. */
  destroy(): void;
}

/** The part of a log that reading needs: commands that only read supply no more. */
export type JournalReader = Pick<
  OutboxLog,
  | "newest"
  | "oldest"
  | "pageEnd"
  | "merges"
  | "journal"
  | "newestJournal"
  | "long"
  | "facts"
  | "recordedEvents"
  | "otherMerges"
  | "setsOf"
  | "checkpoints"
  | "checkpoint"
>;

/** The database or the way to it failed: forget, reconnect, read again. */
export class DatabaseFailure extends Error {
  readonly failure: Failure;

  constructor(failure: Failure) {
    super(`${failure.code}: ${failure.message}`);
    this.name = "DatabaseFailure";
    this.failure = failure;
  }
}

/** The writers' lock was not granted in time. */
export class LockBlocked extends DatabaseFailure {
  readonly holders: readonly Holder[];

  constructor(failure: Failure, holders: readonly Holder[]) {
    super(failure);
    this.name = "LockBlocked";
    this.holders = holders;
  }
}

/**
 * The table did not take rows, because of what they say or because of a row that another transaction has locked. The
 * connection is well, and other rows may be taken.
 */
export class AppendRefused extends DatabaseFailure {
  constructor(failure: Failure) {
    super(failure);
    this.name = "AppendRefused";
  }
}

/** The connection was lost while COMMIT was under way: only the log knows whether it happened. */
export class CommitUnknown extends DatabaseFailure {
  constructor(failure: Failure) {
    super(failure);
    this.name = "CommitUnknown";
  }
}

/** The database cannot be written to as it is: tables, columns, privileges. One line for each problem. */
export class UnfitDatabase extends Error {
  readonly reason: string;
  readonly problems: readonly string[];

  constructor(reason: string, problems: readonly string[]) {
    super(problems.join("\n"));
    this.name = "UnfitDatabase";
    this.reason = reason;
    this.problems = problems;
  }
}

/**
 * The sequence gives ids that are not above those of our rows, or that rows have already.
 * @param ids that it gave. @param before the id that they must be above, where it is known.
 */
export function sequenceWentBack(
  { table, sequence }: Place,
  ids: readonly bigint[],
  before: bigint | null,
): UnfitDatabase {
  const gave = ids[0] === undefined ? "an id that a row has already" : `${ids[0]}`;
  const above = before === null ? "" : `, and the newest row of ours has ${before}`;
  return new UnfitDatabase("sequence_went_back", [
    `sequence ${sequence} is behind ${table}: it gave ${gave}${above}; set it to the largest id that there is: ` +
      `SELECT setval('${sequence}', (SELECT max(id) FROM ${table}))`,
  ]);
}
