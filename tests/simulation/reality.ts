/**
 * Small scripts of two or three sessions that run on the simulated server and on a real one: both must answer as written here.
 *
 * A line is `session: command → answer`, or without an answer `session: command`. Sessions A, B and C are orchestrators and others; D
 * and E are daemons' logs, whose lines compare what `OutboxLog` answers. A transaction is named by the letter of its session.
 *
 * Moments within one message cannot be scripted: that a commit is visible before its locks are released, and that `pg_locks` is read
 * after a statement's snapshot was taken.
 */

export type Script = {
  readonly name: string;
  /** Whether it crashes the server, and so needs one of its own. */
  readonly crashes?: true;
  /** The sequence's cache. Left out: 1. */
  readonly cache?: number;
  readonly lines: readonly string[];
};

export type Line = {
  readonly session: string;
  readonly command: string;
  readonly argument: string;
  readonly answer: string;
};

const LINE = /^(\w): ([a-z ?]+?)(?: ([0-9][0-9 .]*))?(?: → (.*))?$/;

function parsed(line: string): Line {
  const [, session, command, argument = "", answer = ""] = LINE.exec(line) ?? [];
  if (session === undefined || command === undefined) throw new Error(`no line of a script: ${line}`);
  return { session, command, argument, answer };
}

/** Runs the lines of a script. */
export interface Stage {
  run(line: Line): Promise<string>;
}

/** The lines of a script with the answers of this stage. */
export async function played({ lines }: Script, stage: Stage): Promise<string[]> {
  const answered: string[] = [];
  for (const text of lines) {
    const line = parsed(text);
    const answer = await stage.run(line);
    answered.push(`${text.split(" → ")[0]}${answer === "" ? "" : ` → ${answer}`}`);
  }
  return answered;
}

/** Work items 1 to 4 exist. */
export const SCRIPTS: readonly Script[] = [
  {
    name: "a statement sees what was committed before it began",
    lines: ["A: begin", "A: insert 1 → 1", "B: rows → none", "A: commit → COMMIT", "B: rows → 1"],
  },
  {
    name: "under READ COMMITTED each statement has its own snapshot, under REPEATABLE READ that of the first",
    lines: [
      "A: begin",
      "A: rows → none",
      "B: begin repeatable read",
      "B: rows → none",
      "C: insert 1 → 1",
      "A: rows → 1",
      "B: rows → none",
      "B: commit → COMMIT",
      "B: rows → 1",
    ],
  },
  {
    name: "the snapshot of the lock's own statement is older than the lock",
    lines: [
      "A: begin",
      "A: lock → granted",
      "A: insert 1 → 1",
      "B: begin",
      "B: lock and rows → waits",
      "A: commit → COMMIT",
      "B: granted? → none",
      "B: rows → 1",
      "B: rollback",
    ],
  },
  {
    name: "ids that are drawn are never given back, even by a rollback",
    lines: [
      "A: begin",
      "A: insert 1 → 1",
      "B: insert 2 → 2",
      "A: rollback",
      "B: insert 3 → 3",
      "B: rows → 2 3",
    ],
  },
  {
    name: "an id that is drawn is visible in the sequence at once; a row with a lower id may appear later",
    lines: [
      "A: begin",
      "A: insert 1 → 1",
      "B: drawn → 1",
      "B: insert 2 → 2",
      "B: rows → 2",
      "A: commit → COMMIT",
      "B: rows → 1 2",
    ],
  },
  {
    name: "a cache sets ids aside for a session, until they are discarded",
    cache: 3,
    lines: [
      "A: insert 1 → 1",
      "C: drawn → 3",
      "B: insert 2 → 4",
      "A: insert 3 → 2",
      "A: discard",
      "A: insert 4 → 7",
      "C: rows → 1 2 4 7",
    ],
  },
  {
    name: "an insert holds locks to the end of its transaction, a reader holds none of these",
    lines: [
      "A: begin",
      "B: holders → none",
      "A: rows → none",
      "B: holders → none",
      "A: insert 1 → 1",
      "B: holders → A",
      "A: holders → none",
      "A: commit → COMMIT",
      "B: holders → none",
    ],
  },
  {
    name: "nextval alone holds the sequence",
    lines: [
      "A: begin",
      "A: nextval → 1",
      "B: holders → A",
      "B: insert 2 → 2",
      "A: insert drawn 1",
      "A: commit → COMMIT",
      "B: holders → none",
      "B: rows → 1 2",
    ],
  },
  {
    name: "an insert with an id given by hand holds the table alone, and ROLLBACK TO SAVEPOINT releases it",
    lines: [
      "A: insert 1 → 1",
      "A: begin",
      "A: savepoint",
      "A: insert by hand 20",
      "B: holders → A",
      "A: rollback to savepoint",
      "B: holders → none",
      "A: commit → COMMIT",
      "B: rows → 1",
    ],
  },
  {
    name: "ROLLBACK TO SAVEPOINT removes rows and keeps the sequence's lock",
    lines: [
      "A: begin",
      "A: savepoint",
      "A: insert 1 → 1",
      "A: rollback to savepoint",
      "B: holders → A",
      "A: insert 2 → 2",
      "A: commit → COMMIT",
      "B: rows → 2",
      "B: holders → none",
    ],
  },
  {
    name: "PREPARE TRANSACTION keeps the locks and the name, without a process",
    lines: [
      "A: begin",
      "A: insert 1 → 1",
      "A: prepare",
      "B: holders → A, prepared",
      "B: rows → none",
      "B: commit prepared",
      "B: holders → none",
      "B: rows → 1",
      "A: begin",
      "A: insert 2 → 2",
      "A: prepare",
      "B: rollback prepared",
      "B: holders → none",
      "B: rows → 1",
    ],
  },
  {
    name: "a recovery ends sessions, keeps what is prepared, and renames it",
    crashes: true,
    lines: [
      "A: begin",
      "A: insert 1 → 1",
      "A: prepare",
      "B: begin",
      "B: insert 2 → 2",
      "A: crash",
      "C: holders → renamed",
      "C: rows → none",
      "C: commit prepared",
      "C: rows → 1",
      "C: holders → none",
    ],
  },
  {
    name: "the advisory lock is granted in the order of requests, and ends with the transaction",
    lines: [
      "A: begin",
      "A: lock → granted",
      "B: begin",
      "B: lock → waits",
      "C: begin",
      "C: lock → waits",
      "A: commit → COMMIT",
      "B: granted? → granted",
      "C: granted? → waits",
      "B: rollback",
      "C: granted? → granted",
      "C: commit → COMMIT",
    ],
  },
  {
    name: "the end of a session releases the lock and rolls back",
    lines: [
      "A: begin",
      "A: lock → granted",
      "A: insert 1 → 1",
      "B: begin",
      "B: lock → waits",
      "A: end",
      "B: granted? → granted",
      "B: rows → none",
      "B: holders → none",
      "B: rollback",
    ],
  },
  {
    name: "lock_timeout fails the transaction; its COMMIT answers ROLLBACK",
    lines: [
      "A: begin",
      "A: lock → granted",
      "B: begin",
      "B: lock soon → 55P03",
      "B: rows → 25P02",
      "B: commit → ROLLBACK",
      "B: rows → none",
      "A: commit → COMMIT",
    ],
  },
  {
    name: "ON DELETE SET NULL clears the item from its rows at commit, and holds the table until then",
    lines: [
      "A: insert 1 → 1",
      "A: insert 2 → 2",
      "A: begin",
      "A: delete 1",
      "B: items → 1:1 2:2",
      "B: holders → A",
      "A: commit → COMMIT",
      "B: items → 1:none 2:2",
    ],
  },
  {
    name: "TRUNCATE waits for open transactions that have read the table; ids begin again",
    lines: [
      "A: insert 1 → 1",
      "A: begin",
      "A: rows → 1",
      "B: truncate soon → 55P03",
      "A: commit → COMMIT",
      "B: truncate soon",
      "B: rows → none",
      "B: insert 2 → 1",
    ],
  },
  {
    name: "a daemon's poll: the newest id, the drawn one, the holders, new merges, peer writes",
    lines: [
      "D: poll 0 0 → newest none, drawn 0, holders none, found none up to 20000, peer writes no",
      "A: begin",
      "A: insert 1 → 1",
      "B: insert 2 → 2",
      "D: poll 0 0 → newest 2, drawn 2, holders A, found 2:2 up to 20000, peer writes no",
      "A: commit → COMMIT",
      "D: poll 0 0 → newest 2, drawn 2, holders none, found 1:1 2:2 up to 20000, peer writes no",
      "D: poll 1 0 → newest 2, drawn 2, holders none, found 2:2 up to 20001, peer writes no",
      "B: strange → 3",
      "D: poll 2 0 → newest 3, drawn 3, holders none, found none up to 20002, peer writes yes",
      "D: poll 2 3 → newest 3, drawn 3, holders none, found none up to 20002, peer writes no",
    ],
  },
  {
    name: "unmarked rows of kind metric.* belong to the journal",
    lines: [
      "A: insert 1 → 1",
      "A: strange → 2",
      "D: journal 0 10 → 2 metric.unmarked",
      "D: newest journal 5 → 2 metric.unmarked",
      "D: since 0 → 2 metric.unmarked",
      "D: since 2 → none",
      "D: recorded events 0 10 → none",
    ],
  },
  {
    name: "a daemon's transaction: the lock, peer writes, its rows, its end",
    lines: [
      "A: insert 1 → 1",
      "D: lock → granted",
      "E: lock → waits",
      "D: append 1 → 2",
      "E: holders → D",
      "D: commit → committed",
      "E: granted? → granted",
      "E: since 0 → 2 metric.merge_skipped",
      "E: rollback",
      "D: recorded events 0 10 → 1",
      "D: merges 0 10 → 1:1 recorded as 1",
      "D: newest → 2",
      "D: oldest → 1",
    ],
  },
  {
    name: "the fence sees what was committed while the lock was waited for",
    lines: [
      "A: insert 1 → 1",
      "D: lock → granted",
      "E: fence 0 → waits",
      "D: append 1 → 2",
      "D: commit → committed",
      "E: granted? → 2 metric.merge_skipped",
      "E: rollback",
    ],
  },
  {
    name: "a duplicate, and a recorded merge whose work item is deleted",
    lines: [
      "A: insert 1 → 1",
      "D: lock → granted",
      "D: append 1 → 2",
      "D: commit → committed",
      "A: insert 1 → 3",
      "D: merges 0 10 → 1:1 recorded as 1, 3:1 recorded as 1",
      "D: other merges 3 1 → 1",
      "A: delete 1",
      "D: merges 0 10 → 1:none, 3:none",
      "D: recorded events 0 10 → 1",
    ],
  },
  {
    name: "a later statement under the lock sees what was committed meanwhile",
    lines: ["D: lock → granted", "A: insert 1 → 1", "D: merges 0 10 → 1:1", "D: drawn → 1", "D: rollback"],
  },
];
