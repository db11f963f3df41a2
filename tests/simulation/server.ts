/**
 * The part of PostgreSQL that the protocol stands on, in memory:
 *
 * - what is visible is an immutable `State`; a snapshot is a reference to it, taken when a statement starts;
 * - a commit makes its rows visible first and releases its locks in a later step;
 * - ids are drawn at once and for good, whatever becomes of the transaction; the sequence is locked before;
 * - the writers' advisory lock goes from one to the next in the order of asking, and ends with the transaction;
 * - a failover goes back to an earlier state: every session dies, the newest commits are lost, their ids come again.
 */
import type { RawFacts } from "../../src/core/merge.ts";
import { isRecord, payloadOf, type Row } from "./rows.ts";

/** All versions that a work item has had, the newest last; null where it does not exist. */
export type Versions = readonly (RawFacts | null)[];

type Writes = {
  readonly rows: readonly Row[];
  readonly facts: readonly (readonly [string, RawFacts | null])[];
};

export type State = {
  /** What a statement sees, in the order of ids. */
  readonly rows: readonly Row[];
  readonly items: ReadonlyMap<string, Versions>;
  readonly prepared: ReadonlyMap<string, Writes>;
  /** For the judge: rows that went from the old end. */
  readonly gone: readonly Row[];
  /** For the judge: merges up to this id may count as recorded, because rows went from the old end. */
  readonly floor: number;
};

export const EMPTY: State = { rows: [], items: new Map(), prepared: new Map(), gone: [], floor: 0 };

export class Transaction {
  readonly name: string;
  readonly rows: Row[] = [];
  readonly facts: (readonly [string, RawFacts | null])[] = [];
  locksTable = false;
  locksSequence = false;
  /** Has read the table: a TRUNCATE waits for it. */
  reads = false;

  constructor(name: string) {
    this.name = name;
  }
}

export class Session {
  readonly id: number;
  transaction: Transaction | null = null;
  ended = false;
  /** Ids set aside for it, where the sequence has a cache. */
  cached: number[] = [];
  /** While it waits for the writers' lock. */
  waiter: { readonly resolve: () => void; readonly reject: (error: Error) => void } | null = null;

  constructor(id: number) {
    this.id = id;
  }
}

class SessionEnded extends Error {}

const KEPT_STATES = 12;

export class Server {
  state: State;
  /** Sessions in the middle of a statement that reads the table. */
  reading = 0;
  /** Ids that were drawn by transactions that rolled back. */
  readonly unused: number[] = [];
  /** Work items whose rows the table does not take. */
  readonly refused = new Set<string>();
  /** Whether a failover has lost commits. */
  wentBack = false;
  readonly #cache: number;
  /** States that a failover can go back to, the newest last. */
  #history: State[];
  #lastId = 0;
  #lastName = 0;
  #lastXid = 0;
  #lastSession = 0;
  #sessions = new Set<Session>();
  /** Whoever holds relation locks: open transactions, prepared ones, and committed ones that have not let go yet. */
  #holders = new Map<Transaction, Session | null>();
  #lockOwner: Session | null = null;
  #queue: Session[] = [];

  constructor(begins: State, cache: number) {
    this.state = begins;
    this.#history = [begins];
    this.#lastId = begins.rows.at(-1)?.id ?? 0;
    this.#cache = cache;
  }

  connect(): Session {
    this.#lastSession += 1;
    const session = new Session(this.#lastSession);
    this.#sessions.add(session);
    return session;
  }

  begin(session: Session): Transaction {
    this.#lastName += 1;
    const transaction = new Transaction(`${session.id}/${this.#lastName}`);
    session.transaction = transaction;
    this.#holders.set(transaction, session);
    return transaction;
  }

  draw(session: Session): number {
    if (session.cached.length === 0) {
      session.cached = Array.from({ length: this.#cache }, (_, index) => this.#lastId + 1 + index);
      this.#lastId += this.#cache;
    }
    return session.cached.shift() as number;
  }

  /** The first half of COMMIT: everybody sees the rows; the locks are still held. */
  makeVisible(session: Session): void {
    const { transaction } = session;
    if (transaction !== null) this.#apply(transaction);
  }

  /** The second half of COMMIT, and all of ROLLBACK's. */
  release(session: Session): void {
    if (session.transaction !== null) this.#holders.delete(session.transaction);
    session.transaction = null;
    this.#unlock(session);
  }

  rollback(session: Session): void {
    this.unused.push(...(session.transaction?.rows ?? []).map((row) => row.id));
    this.release(session);
  }

  /** The transaction leaves its session and goes on under another name. */
  prepare(session: Session): string {
    const { transaction } = session;
    this.#lastXid += 1;
    const name = `-1/${this.#lastXid}`;
    if (transaction === null) return name;
    this.#holders.delete(transaction);
    session.transaction = null;
    this.#hold(name, transaction);
    const { rows, facts } = transaction;
    this.#durable({ ...this.state, prepared: new Map(this.state.prepared).set(name, { rows, facts }) });
    return name;
  }

  /** COMMIT PREPARED up to where its rows are visible, or ROLLBACK PREPARED. */
  finishPrepared(name: string, commits: boolean): void {
    const writes = this.state.prepared.get(name);
    if (writes === undefined) return;
    const prepared = new Map(this.state.prepared);
    prepared.delete(name);
    const ended = { ...this.state, prepared };
    if (commits) this.#apply(writes, ended);
    else this.#durable(ended);
  }

  /** What is left of either: the locks go. */
  releasePrepared(name: string): void {
    // After a failover that lost its end it is prepared still, and nobody comes back for it.
    if (this.state.prepared.has(name)) return;
    for (const transaction of this.#holders.keys()) {
      if (transaction.name === name) this.#holders.delete(transaction);
    }
  }

  /** The transactions in `pg_locks` with a RowExclusiveLock on the table or its sequence, but for one's own. */
  *holders(except: Session): Generator<Transaction> {
    for (const [transaction, session] of this.#holders) {
      if (session !== except && (transaction.locksTable || transaction.locksSequence)) yield transaction;
    }
  }

  /** The id that the sequence gave last. */
  get drawn(): number {
    return this.#lastId;
  }

  /** Whether the advisory lock is somebody's. */
  get locked(): boolean {
    return this.#lockOwner !== null;
  }

  /** Asks for the writers' lock, and waits for it. @throws SessionEnded */
  async lock(session: Session): Promise<void> {
    if (this.#lockOwner === null) {
      this.#lockOwner = session;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      session.waiter = { resolve, reject };
      this.#queue.push(session);
    });
  }

  /** The session is over; what it did not commit is rolled back. */
  end(session: Session): void {
    if (session.ended) return;
    session.ended = true;
    this.#sessions.delete(session);
    this.#leaveQueue(session);
    this.rollback(session);
  }

  /** The primary is lost; a standby that has not heard of its newest commits takes over. */
  failover(lost: number, skippedIds: number): void {
    for (const session of this.#sessions) {
      session.ended = true;
      this.#leaveQueue(session);
    }
    this.#sessions = new Set();
    this.#holders = new Map();
    this.#lockOwner = null;
    this.#queue = [];
    this.unused.length = 0;
    const kept = Math.max(1, this.#history.length - lost);
    this.wentBack ||= kept < this.#history.length;
    this.#history = this.#history.slice(0, kept);
    this.state = this.#history.at(-1) as State;
    const { rows, gone, prepared } = this.state;
    const surviving = [...rows, ...gone, ...[...prepared.values()].flatMap((writes) => writes.rows)];
    this.#lastId = Math.max(0, ...surviving.map((row) => row.id)) + skippedIds;
    this.#lastSession = 0;
    this.#lastName = 0;
    for (const [name, writes] of prepared) this.#hold(name, writes);
  }

  /** TRUNCATE … RESTART IDENTITY; false while somebody's lock is in the way. */
  truncate(): boolean {
    const blocked = [...this.#holders.keys()].some((one) => one.locksTable || one.locksSequence || one.reads);
    if (blocked || this.reading > 0) return false;
    this.#durable({ ...this.state, rows: [], gone: [], floor: 0 });
    this.#lastId = 0;
    this.unused.length = 0;
    for (const session of this.#sessions) session.cached = [];
    return true;
  }

  /** Retention deletes the oldest rows of some kind. */
  prune(count: number, only: (row: Row) => boolean = () => true): void {
    const { rows, gone } = this.state;
    const pruned = new Set(rows.filter(only).slice(0, count));
    this.#durable({
      ...this.state,
      rows: rows.filter((row) => !pruned.has(row)),
      gone: [...gone, ...pruned].toSorted((a, b) => a.id - b.id),
    });
  }

  /** A work item is deleted, and its rows name none any more. */
  setNull(item: string): void {
    const forget = (row: Row): Row => (row.item === item ? { ...row, item: null, was: item } : row);
    const { rows, gone, items } = this.state;
    this.#durable({
      ...this.state,
      rows: rows.map(forget),
      gone: gone.map(forget),
      items: new Map(items).set(item, [...(items.get(item) ?? [null]), null]),
    });
  }

  #hold(name: string, { rows, facts }: Writes): void {
    const held = new Transaction(name);
    held.rows.push(...rows);
    held.facts.push(...facts);
    held.locksTable = true;
    held.locksSequence = true;
    this.#holders.set(held, null);
  }

  #apply({ rows, facts }: Writes, before: State = this.state): void {
    const items = new Map(before.items);
    for (const [item, version] of facts) items.set(item, [...(items.get(item) ?? [null]), version]);
    this.#durable({ ...before, rows: [...before.rows, ...rows].toSorted((a, b) => a.id - b.id), items });
  }

  #durable(state: State): void {
    const recorded = state.gone.length === 0 ? [] : state.rows.filter(isRecord);
    const events = recorded.map((row) => Number(payloadOf(row).merge.event_id));
    this.state =
      events.length === 0 ? state : { ...state, floor: Math.max(state.floor, Math.min(...events) - 1) };
    this.#history.push(this.state);
    if (this.#history.length > KEPT_STATES) this.#history.shift();
  }

  #unlock(session: Session): void {
    if (this.#lockOwner !== session) return;
    const next = this.#queue.shift() ?? null;
    this.#lockOwner = next;
    next?.waiter?.resolve();
    if (next !== null) next.waiter = null;
  }

  #leaveQueue(session: Session): void {
    if (session.waiter === null) return;
    this.#queue = this.#queue.filter((one) => one !== session);
    session.waiter.reject(new SessionEnded());
    session.waiter = null;
  }
}
