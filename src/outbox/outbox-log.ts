/**
 * The outbox as the recorder needs it: one connection, one statement at a time. `postgres/` implements it; the simulation
 * implements it a second time. Any failure ends the connection's life: its owner forgets what it knows and opens another.
 */
import type { CheckpointRow } from "../core/checkpoint.ts";
import type { FactsSource, RawFactsRow } from "../core/fast-replay.ts";
import type { RawJournalRow } from "../core/journal-row.ts";
import type { Identified, RawFacts } from "../core/merge.ts";
import type { EventRow } from "../core/metric-event.ts";
import type { RehearsalRows, RehearsedItem } from "../core/rehearsal-rows.ts";
import type { Failure, Holder } from "../events/fields.ts";

/** Outbox rows that one reading statement scans at most: some tens of milliseconds, a few megabytes. */
export const PAGE_ROWS = 20_000;

/** A row that memory includes: its id, and the SHA-256 of its payload's text in hex. */
export type AppliedRow = { readonly id: string; readonly fingerprint: string };

/** A transition to merged, with its work item's facts of this moment. */
export type FoundMerge = Identified & {
  readonly mergedAt: string | null;
  /** Milliseconds since `created_at`, by the server's clock; null where that is no date. */
  readonly ageMs: number | null;
  /** Null where the work item does not exist. */
  readonly facts: RawFacts | null;
  /** The event under which this work item is recorded already; null where no row names it. */
  readonly recordedAs: string | null;
};

/** Whether a merge that no row names has a work item that does not exist. */
export function lacksItem({ workItemId, facts, recordedAs }: FoundMerge): boolean {
  return workItemId !== null && facts === null && recordedAs === null;
}

/** What a poll asks about. */
export type PollBasis = {
  readonly lastApplied: AppliedRow | null;
  /** Merges above this id are new. */
  readonly after: bigint;
  /** Rows of kind `metric.*` above this id are peer writes. */
  readonly appliedPosition: bigint;
  /** The journal's first row, as far as it is known. */
  readonly firstRow: bigint | null;
};

export type Poll = {
  /** The newest visible id, `BEFORE_ALL` for an empty log. */
  readonly newest: bigint;
  /** The id that the sequence gave last: later ones are higher. Null where our role may not read it. */
  readonly drawn: bigint | null;
  /** Transactions that may still bring rows, see `core/low-water-mark.ts`. */
  readonly holders: ReadonlySet<string>;
  /** The fingerprint of the row at the last applied row's id; null where no row has that id. */
  readonly appliedFingerprint: string | null;
  /** All merges with after < id ≤ readUpTo, in id order, as a later statement saw them. */
  readonly found: FoundMerge[];
  readonly readUpTo: bigint;
  /** Whether a later statement saw rows of kind `metric.*` above the applied position. */
  readonly peerWrites: boolean;
  /** Whether the journal's first row still existed after the merges had been read. */
  readonly hasFirstRow: boolean;
};

/** The last applied row, and the first rows of the journal after it; whether more follow, as one statement reads a few thousand at most. */
export type Since = Pick<Poll, "appliedFingerprint"> & {
  readonly rows: readonly RawJournalRow[];
  readonly more: boolean;
};

/** A checkpoint before its payload is read. */
export type CheckpointInLog = { readonly rowId: string; readonly seq: number };

/** The number of merges from which a log is read by its facts, and how many of the newest are replayed row by row anyway. */
export type LongLog = { readonly merges: number; readonly checked: number };

/** The outbox and the sequence of its ids, as statements in messages name them. */
export type Place = { readonly table: string; readonly sequence: string };

/** Why the table takes no checkpoint; null where it takes them. */
export type Rehearsed = { readonly checkpoint: Failure | null };

export type AppendedRow = EventRow | CheckpointRow;

/** The ids of the rows that the table took, in the order in which it took them. */
export type Appended = { readonly ids: readonly bigint[] };

export interface OutboxLog {
  /** The newest visible id, `BEFORE_ALL` for an empty log. */
  newest(): Promise<bigint>;
  /** The smallest visible id; null for an empty log. */
  oldest(): Promise<bigint | null>;
  /**
   * One statement reads the newest id, the transactions that may still bring rows below it, and the last applied row; later
   * statements of the same message read the rest.
   */
  poll(basis: PollBasis): Promise<Poll>;
  /**
   * Begins the writers' transaction and polls in it, all in one message.
   * @returns null where a row or a lock is in the way: nothing is open then, and `poll` shows why. @throws LockBlocked
   */
  pollLocked(basis: PollBasis): Promise<Poll | null>;
  /** The id of the row `rows` rows after `after`, at most `upTo`. For `pages.ts` alone. */
  pageEnd(after: bigint, upTo: bigint, rows: number): Promise<bigint>;
  /** Merges with after < id ≤ upTo, in id order. */
  merges(after: bigint, upTo: bigint): Promise<FoundMerge[]>;
  /** Rows of kind `metric.*` with after < id ≤ upTo, in id order. */
  journal(after: bigint, upTo: bigint): Promise<readonly RawJournalRow[]>;
  /** By one statement. */
  journalSince(lastApplied: AppliedRow | null, after: bigint): Promise<Since>;
  /** The newest rows of kind `metric.*` with id ≤ upTo, at most `rows`, newest first. */
  newestJournal(rows: number, upTo: bigint): Promise<RawJournalRow[]>;

  /** The smallest id that the sequence gives. */
  readonly leastId: bigint;
  readonly place: Place;
  /** Whether an index leads to rows by their ids: without one each poll reads the whole table. */
  readonly idsIndexed: boolean;
  readonly long: LongLog;
  /**
   * Streams the rows of facts with id ≤ upTo, and the others that `FastReplay` needs, in id order.
   * @returns false when they cannot be read in this way: what was streamed until then is incomplete.
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

  /** Checkpoints with id ≤ upTo, newest first, wherever they are; each page is read only when it is needed. */
  checkpoints(upTo: bigint): AsyncIterable<CheckpointInLog>;
  /** A checkpoint's payload, as text; null where the row is gone or absurdly large. */
  checkpoint(rowId: string): Promise<string | null>;

  /**
   * Appends a row of each kind as the recorder does, compares what the table then holds, and rolls back.
   * @throws UnfitDatabase when merges cannot be recorded in this table.
   */
  rehearse(rowsFor: (item: RehearsedItem) => RehearsalRows): Promise<Rehearsed>;
  /** Begins the writers' transaction and takes their lock, each in a statement of its own. @throws LockBlocked */
  beginLocked(): Promise<void>;
  /** The same; a later statement of the same message reads what `journalSince` reads. @throws LockBlocked */
  beginFenced(lastApplied: AppliedRow, after: bigint): Promise<Since>;
  /**
   * Appends rows, at least one, in their order, by one statement.
   * @throws AppendRefused when the table did not take them; the transaction can only be rolled back then.
   */
  append(rows: readonly AppendedRow[]): Promise<Appended>;
  /**
   * @param last the row that becomes the last applied one.
   * @returns its fingerprint; null where no row has that id.
   * @throws CommitUnknown when no answer came; any other failure means that nothing was committed.
   */
  commit(last: bigint): Promise<string | null>;
  rollback(): Promise<void>;

  /** The id that the sequence gave last; null where our role may not read it. */
  drawn(): Promise<bigint | null>;
  /** Who these transactions are. */
  describe(transactions: ReadonlySet<string>): Promise<Holder[]>;
  /** Ends the connection in good order. */
  end(): Promise<void>;
  /** Ends the connection at once: the server rolls back what was not committed. */
  destroy(): void;
}

/** The part of a log that reading needs: commands that only read implement no more. */
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
    this.name = new.target.name;
    this.failure = failure;
  }
}

/** The writers' lock was not granted in time. */
export class LockBlocked extends DatabaseFailure {
  readonly holders: readonly Holder[];

  constructor(failure: Failure, holders: readonly Holder[]) {
    super(failure);
    this.holders = holders;
  }
}

/**
 * The table did not take rows, because of what they contain or because another transaction has locked a row. The connection
 * is well, and other rows may be taken.
 */
export class AppendRefused extends DatabaseFailure {}

/** The connection was lost while COMMIT was under way: only the log knows whether it happened. */
export class CommitUnknown extends DatabaseFailure {}

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
