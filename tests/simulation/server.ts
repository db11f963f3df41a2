/**
 * The part of PostgreSQL that the protocol relies on, in memory:
 *
 * - what is visible is an immutable `State`; a snapshot is a reference to it, taken when a statement starts;
 * - a commit makes its rows visible first and releases its locks in a later step;
 * - ids are drawn at once and are never given back, even by a rollback; the sequence is locked before;
 * - the writers' advisory lock is granted in the order of requests, and ends with the transaction;
 * - ROLLBACK TO SAVEPOINT releases the lock on the table that was taken since, and keeps the sequence's;
 * - PREPARE TRANSACTION keeps a transaction's name, a recovery changes it;
 * - a failover returns to an earlier state: every session dies, the newest commits are lost, their ids are given again.
 *
 * `reality.ts` compares each of these with a real server.
 *
 * The server is a value: everything it knows is in `now`, which methods replace and never change. So a search can return to any
 * earlier moment: `server.now = earlier`.
 */
import type { RawFacts } from "../../src/core/merge.ts";
import { isRecord, payloadOf, type Row } from "./rows.ts";

/** All versions that a work item has had, the newest last; null where it does not exist. */
export type Versions = readonly (RawFacts | null)[];

export type State = {
  /** What a statement sees, in the order of ids. */
  readonly rows: readonly Row[];
  readonly items: ReadonlyMap<string, Versions>;
  /** Transactions that are prepared, by the names that their clients gave them. */
  readonly prepared: ReadonlyMap<string, Transaction>;
  /** For the judge: rows that retention deleted. */
  readonly gone: readonly Row[];
  /** For the judge: merges up to this id may be taken as recorded, because rows at the old end were deleted. */
  readonly floor: number;
};

export const EMPTY: State = { rows: [], items: new Map(), prepared: new Map(), gone: [], floor: 0 };

type Writes = {
  readonly rows: readonly Row[];
  readonly facts: readonly (readonly [string, RawFacts | null])[];
  /** Work items that it deletes; the foreign key clears them from their rows. */
  readonly deletes: readonly string[];
};

export type Transaction = Writes & {
  /** Its name in `pg_locks`, once it has a lock there. */
  readonly name: string;
  /** The id that `nextval` drew for it last. */
  readonly drawn: number | null;
  readonly locksTable: boolean;
  readonly locksSequence: boolean;
  /** Has read the table: a TRUNCATE waits for it. */
  readonly reads: boolean;
  /** Its rows are visible; its locks are still held. */
  readonly visible: boolean;
  /** The transaction at each savepoint. */
  readonly savepoints: readonly Transaction[];
};

/** In `pg_locks`; a prepared transaction has no pid. */
type Holder = Transaction & { readonly hasPid: boolean };

export type SessionId = string;

type Session = {
  /** Its place among the server's processes, by which its transactions are named; reused after it ends. */
  readonly slot: number;
  readonly transaction: Transaction | null;
  /** Ids set aside for it, where the sequence has a cache. */
  readonly cached: readonly number[];
};

/** Everything that the server knows. */
export type Now = {
  readonly state: State;
  /** States that a failover can go back to, the newest last. */
  readonly history: readonly State[];
  readonly sessions: ReadonlyMap<SessionId, Session>;
  /** Prepared transactions that have ended and still hold their locks. */
  readonly ending: ReadonlyMap<string, Transaction>;
  readonly lastId: number;
  /** The session that has the writers' lock, and those that wait for it. */
  readonly lock: readonly SessionId[];
  /** Ids that were drawn by transactions that rolled back. */
  readonly unused: readonly number[];
  /** Work items whose rows the table refuses. */
  readonly refused: ReadonlySet<string>;
  /** Whether a failover has lost commits. */
  readonly wentBack: boolean;
};

class SessionEnded extends Error {}

export type ServerOptions = {
  /** The sequence's. */
  readonly cache?: number;
  /** How many states a failover can go back to. */
  readonly keptStates?: number;
  /** Names a session's next transaction. Left out: after the session's place, with a number that counts up. */
  readonly name?: (session: SessionId) => string;
};

const KEPT_STATES = 12;

export class Server {
  now: Now;
  /** Sessions in the middle of a statement that reads the table: only TRUNCATE waits for them. */
  readonly reading = new Set<SessionId>();
  readonly #cache: number;
  readonly #keptStates: number;
  readonly #name: (session: SessionId) => string;
  #lastSession = 0;
  /** By slot: the number of the last transaction that was named after it. */
  readonly #names = new Map<number, number>();
  /** Called when a session is granted the lock, or ends. */
  readonly #waiting = new Map<SessionId, { readonly granted: () => void; readonly ended: () => void }>();

  constructor(begins: State, { cache = 1, keptStates = KEPT_STATES, name }: ServerOptions = {}) {
    this.#cache = cache;
    this.#keptStates = keptStates;
    this.#name = name ?? ((session) => this.#nextName(session));
    this.now = {
      state: begins,
      history: [begins].slice(0, keptStates),
      sessions: new Map(),
      ending: new Map(),
      lastId: begins.rows.at(-1)?.id ?? 0,
      lock: [],
      unused: [],
      refused: new Set(),
      wentBack: false,
    };
  }

  /** What a statement that starts now sees. */
  get state(): State {
    return this.now.state;
  }

  /** The id that the sequence gave last. */
  get drawn(): number {
    return this.now.lastId;
  }

  /** Whether a failover has lost commits. */
  get wentBack(): boolean {
    return this.now.wentBack;
  }

  connect(id?: SessionId): SessionId {
    this.#lastSession += 1;
    const session = id ?? `session ${this.#lastSession}`;
    const taken = new Set([...this.now.sessions.values()].map(({ slot }) => slot));
    let slot = 1;
    while (taken.has(slot)) slot += 1;
    this.#session(session, { slot, transaction: null, cached: [] });
    return session;
  }

  ended(session: SessionId): boolean {
    return !this.now.sessions.has(session);
  }

  transaction(session: SessionId): Transaction | null {
    return this.now.sessions.get(session)?.transaction ?? null;
  }

  begin(session: SessionId): void {
    this.#transaction(session, {
      name: "",
      rows: [],
      facts: [],
      deletes: [],
      drawn: null,
      locksTable: false,
      locksSequence: false,
      reads: false,
      visible: false,
      savepoints: [],
    });
  }

  /** A statement of the session's transaction, if it is in one, reads the table. */
  reads(session: SessionId): void {
    const transaction = this.transaction(session);
    if (transaction !== null && !transaction.reads)
      this.#transaction(session, { ...transaction, reads: true });
  }

  /** RowExclusiveLock on the table, as an insert takes it, or on its sequence, as `nextval` does. */
  takeLocks(session: SessionId, locks: { readonly table?: true; readonly sequence?: true }): void {
    const transaction = this.#open(session);
    this.#transaction(session, {
      ...transaction,
      name: transaction.name === "" ? this.#name(session) : transaction.name,
      locksTable: transaction.locksTable || locks.table === true,
      locksSequence: transaction.locksSequence || locks.sequence === true,
    });
  }

  draw(session: SessionId): number {
    const { cached } = this.#sessionOf(session);
    const [id = this.now.lastId + 1, ...rest] = cached;
    if (cached.length > 0) this.#session(session, { ...this.#sessionOf(session), cached: rest });
    else {
      const aside = Array.from({ length: this.#cache - 1 }, (_, index) => id + 1 + index);
      this.#session(session, { ...this.#sessionOf(session), cached: aside });
      this.#now({ lastId: this.now.lastId + this.#cache });
    }
    return id;
  }

  /** Draws an id in a statement of its own, for a later insert of the same transaction. */
  nextval(session: SessionId): void {
    const drawn = this.draw(session);
    this.#transaction(session, { ...this.#open(session), drawn });
  }

  /** The id that `nextval` drew. */
  lastval(session: SessionId): number {
    const { drawn } = this.#open(session);
    if (drawn === null) throw new Error("no id was drawn");
    return drawn;
  }

  /** DISCARD SEQUENCES. */
  discard(session: SessionId): void {
    this.#session(session, { ...this.#sessionOf(session), cached: [] });
  }

  insert(session: SessionId, row: Row): void {
    const transaction = this.#open(session);
    this.#transaction(session, { ...transaction, rows: [...transaction.rows, row] });
  }

  setFacts(session: SessionId, item: string, facts: RawFacts | null): void {
    const transaction = this.#open(session);
    this.#transaction(session, { ...transaction, facts: [...transaction.facts, [item, facts]] });
  }

  /** The outbox's foreign key with ON DELETE SET NULL updates the item's rows, which locks the table. */
  deleteItem(session: SessionId, item: string): void {
    this.takeLocks(session, { table: true });
    const transaction = this.#open(session);
    this.#transaction(session, { ...transaction, deletes: [...transaction.deletes, item] });
  }

  savepoint(session: SessionId): void {
    const transaction = this.#open(session);
    this.#transaction(session, { ...transaction, savepoints: [...transaction.savepoints, transaction] });
  }

  /** To the newest savepoint, which stays. Ids that were drawn are lost; `nextval` keeps its lock to the end of the transaction. */
  rollbackToSavepoint(session: SessionId): void {
    const transaction = this.#open(session);
    const saved = transaction.savepoints.at(-1);
    if (saved === undefined) throw new Error("no savepoint");
    this.#leaveUnused(transaction.rows.slice(saved.rows.length));
    this.#transaction(session, {
      ...saved,
      savepoints: transaction.savepoints,
      name: transaction.name,
      locksSequence: transaction.locksSequence,
      drawn: transaction.drawn,
      reads: transaction.reads,
    });
  }

  /** The first half of COMMIT: the rows are visible, the locks still held. */
  makeVisible(session: SessionId): void {
    const transaction = this.transaction(session);
    if (transaction === null) return;
    this.#apply(transaction);
    this.#transaction(session, { ...transaction, visible: true });
  }

  /** The second half of COMMIT. */
  release(session: SessionId): void {
    this.#session(session, { ...this.#sessionOf(session), transaction: null });
    this.#unlock(session);
  }

  rollback(session: SessionId): void {
    const transaction = this.transaction(session);
    if (transaction !== null && !transaction.visible) this.#leaveUnused(transaction.rows);
    this.release(session);
  }

  /** PREPARE TRANSACTION: it leaves its session. */
  prepare(session: SessionId, name: string): void {
    const transaction = this.#open(session);
    const { state } = this.now;
    this.#session(session, { ...this.#sessionOf(session), transaction: null });
    this.#durable({ ...state, prepared: new Map(state.prepared).set(name, transaction) });
  }

  /** COMMIT PREPARED up to where its rows are visible, or ROLLBACK PREPARED. After a failover it may not be there. */
  finishPrepared(name: string, commits: boolean): void {
    const { state, ending } = this.now;
    const transaction = state.prepared.get(name);
    if (transaction === undefined) return;
    const prepared = new Map(state.prepared);
    prepared.delete(name);
    if (commits) this.#apply(transaction, { ...state, prepared });
    else this.#durable({ ...state, prepared });
    this.#now({ ending: new Map(ending).set(name, transaction) });
  }

  /** The second half of either: the locks are released. */
  releasePrepared(name: string): void {
    const ending = new Map(this.now.ending);
    ending.delete(name);
    this.#now({ ending });
  }

  /** The transactions in `pg_locks` with a RowExclusiveLock on the table or its sequence, but for one's own. */
  *holders(except: SessionId): Generator<Holder> {
    const { sessions, state, ending } = this.now;
    for (const [id, { transaction }] of sessions)
      if (id !== except && transaction !== null && holds(transaction)) yield { ...transaction, hasPid: true };
    for (const transaction of [...state.prepared.values(), ...ending.values()])
      if (holds(transaction)) yield { ...transaction, hasPid: false };
  }

  /** Whether any session has the advisory lock. */
  get locked(): boolean {
    return this.now.lock.length > 0;
  }

  /** Whether this session has it. */
  owns(session: SessionId): boolean {
    return this.now.lock[0] === session;
  }

  /** Asks for the writers' lock, which is granted at once or after those who asked before. */
  ask(session: SessionId): void {
    this.#now({ lock: [...this.now.lock, session] });
  }

  /** Waits for the writers' lock, which has been asked for. @throws SessionEnded */
  async granted(session: SessionId): Promise<void> {
    if (this.owns(session)) return;
    await new Promise<void>((granted, reject) => {
      this.#waiting.set(session, { granted, ended: () => reject(new SessionEnded()) });
    });
  }

  /** Stops waiting for it. */
  giveUp(session: SessionId): void {
    this.#unlock(session);
  }

  /** Ends the session; what it did not commit is rolled back. */
  end(session: SessionId): void {
    if (this.ended(session)) return;
    this.rollback(session);
    const sessions = new Map(this.now.sessions);
    sessions.delete(session);
    this.#now({ sessions });
    this.#wake(session, "ended");
  }

  /** The primary is lost; a standby without its newest commits takes over. */
  failover(lost: number, skippedIds: number): void {
    const { history, wentBack } = this.now;
    const kept = Math.max(1, history.length - lost);
    const state = recovered(history[kept - 1] as State);
    const { rows, gone, prepared } = state;
    const surviving = [...rows, ...gone, ...[...prepared.values()].flatMap((writes) => writes.rows)];
    this.#restart({
      state,
      history: [...history.slice(0, kept - 1), state],
      lastId: Math.max(0, ...surviving.map((row) => row.id)) + skippedIds,
      wentBack: wentBack || kept < history.length,
    });
  }

  /**
   * One of the server's processes crashes: every session dies, nothing that was committed is lost, and prepared transactions
   * bear other names. Connections through a pooler go on, with other sessions behind them.
   * @param pooled sessions whose clients do not notice, unless they are in a transaction.
   */
  recovery(pooled: readonly SessionId[] = []): void {
    const { sessions, lastId, history, wentBack } = this.now;
    const state = recovered(this.now.state);
    const survivors = pooled.filter((id) => sessions.get(id)?.transaction === null);
    this.#restart({
      state,
      history: [...history.slice(0, -1), state].slice(0, history.length),
      lastId,
      wentBack,
    });
    for (const id of survivors) this.connect(id);
  }

  /** TRUNCATE … RESTART IDENTITY; false while another session's lock conflicts. */
  truncate(): boolean {
    const { sessions, state, ending } = this.now;
    const open = [...sessions.values()].flatMap(({ transaction }) => transaction ?? []);
    const blocked =
      open.some((one) => holds(one) || one.reads) ||
      [...state.prepared.values(), ...ending.values()].some(holds);
    if (blocked || [...this.reading].some((id) => !this.ended(id))) return false;
    this.#durable({ ...state, rows: [], gone: [], floor: 0 });
    for (const [id, session] of sessions) this.#session(id, { ...session, cached: [] });
    this.#now({ lastId: 0, unused: [] });
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

  /** A work item is deleted, and the foreign key clears it from its rows. */
  setNull(item: string): void {
    this.#durable(withoutItems(this.state, [item]));
  }

  /** From now on the table refuses rows of this work item, or accepts them again. */
  refuse(item: string, refuses: boolean): void {
    const refused = new Set(this.now.refused);
    if (refuses) refused.add(item);
    else refused.delete(item);
    this.#now({ refused });
  }

  /** Takes the oldest id that a rollback left unused, if any. */
  takeUnused(): number | undefined {
    const [id, ...unused] = this.now.unused;
    this.#now({ unused });
    return id;
  }

  #now(changes: Partial<Now>): void {
    this.now = { ...this.now, ...changes };
  }

  #session(id: SessionId, session: Session): void {
    this.#now({ sessions: new Map(this.now.sessions).set(id, session) });
  }

  #sessionOf(id: SessionId): Session {
    const session = this.now.sessions.get(id);
    if (session === undefined) throw new SessionEnded();
    return session;
  }

  #nextName(session: SessionId): string {
    const { slot } = this.#sessionOf(session);
    const number = (this.#names.get(slot) ?? 0) + 1;
    this.#names.set(slot, number);
    return `${slot}/${number}`;
  }

  #open(id: SessionId): Transaction {
    const transaction = this.transaction(id);
    if (transaction === null) throw new Error(`session ${id} is in no transaction`);
    return transaction;
  }

  #transaction(id: SessionId, transaction: Transaction): void {
    this.#session(id, { ...this.#sessionOf(id), transaction });
  }

  #leaveUnused(rows: readonly Row[]): void {
    if (rows.length > 0) this.#now({ unused: [...this.now.unused, ...rows.map((row) => row.id)] });
  }

  #apply({ rows, facts, deletes }: Writes, before: State = this.state): void {
    const items = new Map(before.items);
    for (const [item, version] of facts) items.set(item, [...(items.get(item) ?? [null]), version]);
    const written = { ...before, rows: [...before.rows, ...rows].toSorted((a, b) => a.id - b.id), items };
    this.#durable(deletes.length === 0 ? written : withoutItems(written, deletes));
  }

  #durable(changed: State): void {
    const recorded = changed.gone.length === 0 ? [] : changed.rows.filter(isRecord);
    const events = recorded.map((row) => Number(payloadOf(row).merge.event_id));
    const state =
      events.length === 0 ? changed : { ...changed, floor: Math.max(changed.floor, Math.min(...events) - 1) };
    const history = this.#keptStates === 0 ? [] : [...this.now.history, state].slice(-this.#keptStates);
    this.#now({ state, history });
  }

  #unlock(session: SessionId): void {
    const [owner] = this.now.lock;
    if (!this.now.lock.includes(session)) return;
    const lock = this.now.lock.filter((one) => one !== session);
    this.#now({ lock });
    const [next] = lock;
    if (next !== undefined && next !== owner) this.#wake(next, "granted");
  }

  #restart(now: Pick<Now, "state" | "history" | "lastId" | "wentBack">): void {
    const { sessions } = this.now;
    this.#now({ ...now, sessions: new Map(), ending: new Map(), lock: [], unused: [] });
    this.#names.clear();
    for (const id of sessions.keys()) this.#wake(id, "ended");
  }

  #wake(session: SessionId, what: "granted" | "ended"): void {
    const waiting = this.#waiting.get(session);
    this.#waiting.delete(session);
    waiting?.[what]();
  }
}

function holds({ locksTable, locksSequence }: Transaction): boolean {
  return locksTable || locksSequence;
}

/** Measured on PostgreSQL 15.18 and 18.4: a recovery renames prepared transactions to `-1/<xid>`. */
function recovered(state: State): State {
  const renamed = [...state.prepared].map(
    ([name, transaction]) => [name, { ...transaction, name: `-1/${name}` }] as const,
  );
  return { ...state, prepared: new Map(renamed) };
}

function withoutItems(state: State, deleted: readonly string[]): State {
  const forget = (row: Row): Row =>
    row.item !== null && deleted.includes(row.item) ? { ...row, item: null, was: row.item } : row;
  const items = new Map(state.items);
  for (const item of deleted) items.set(item, [...(items.get(item) ?? [null]), null]);
  return { ...state, rows: state.rows.map(forget), gone: state.gone.map(forget), items };
}
