/** `OutboxLog` on the simulated server: what a daemon reads, and its fenced transactions. */
import {
  type Appended,
  type AppendedRow,
  AppendRefused,
  type AppliedRow,
  CommitUnknown,
  DatabaseFailure,
  LockBlocked,
  type OutboxLog,
  type Poll,
  type PollBasis,
  type Rehearsed,
  type Since,
} from "../../src/outbox/outbox-log.ts";
import { fingerprint, SimulatedReader } from "./reader.ts";
import { isRecord } from "./rows.ts";
import { andThen, orRefused, type Statement, statement } from "./statement.ts";
import { failure, type Wire } from "./wire.ts";

/** Rows of an append before others may draw ids. */
const FIRST_ROWS = 2;

type Committed =
  | { readonly command: "COMMIT"; readonly payload: string | null }
  | { readonly command: "ROLLBACK" };

export type LogClass = new (wire: Wire) => SimulatedLog;

export class SimulatedLog extends SimulatedReader implements OutboxLog {
  async beginLocked(): Promise<void> {
    const { server } = this.wire;
    const refused = (): boolean => {
      if (server.locked) return false;
      server.begin(this.session);
      server.ask(this.session);
      return true;
    };
    if (!(await this.send(orRefused(this.locking(), refused))))
      throw new LockBlocked({ code: "55P03", message: "lock timeout" }, []);
  }

  async beginFenced(lastApplied: AppliedRow, after: bigint): Promise<Since> {
    await this.beginLocked();
    return this.journalSince(lastApplied, after);
  }

  async pollLocked(basis: PollBasis): Promise<Poll> {
    await this.beginLocked();
    return this.poll(basis);
  }

  /** BEGIN, and the lock's statement. */
  protected locking(): Statement<boolean> {
    const { server } = this.wire;
    const asks = statement("lock", () => {
      server.begin(this.session);
      server.ask(this.session);
    });
    return andThen(asks, "granted", () => true, { underLock: true });
  }

  append(rows: readonly AppendedRow[]): Promise<Appended> {
    const { server, cached } = this.wire;
    const appended = ({ kind, workItemId, payload }: AppendedRow): bigint => {
      const id = server.draw(this.session);
      const item = kind === "metric.checkpoint" ? null : workItemId;
      server.insert(this.session, { id, kind, item, payload: JSON.stringify(payload) });
      return BigInt(id);
    };
    const begins = statement("append", () => {
      if (server.transaction(this.session) === null) throw failure("25P01");
      if (cached) this.discard();
      server.takeLocks(this.session, { table: true, sequence: true });
      if (rows.some(({ workItemId }) => workItemId !== null && server.now.refused.has(workItemId)))
        throw new AppendRefused({ code: "23514", message: "refused" });
      return rows.slice(0, FIRST_ROWS).map(appended);
    });
    const ids = (first: readonly bigint[]): Appended => ({
      ids: [...first, ...rows.slice(FIRST_ROWS).map(appended)],
    });
    // Others may draw ids in between.
    return this.send(andThen(begins, "half of the ids drawn", ids));
  }

  /** DISCARD SEQUENCES. */
  protected discard(): void {
    this.wire.server.discard(this.session);
  }

  async commit(last: bigint): Promise<string | null> {
    const { server, committed } = this.wire;
    const becomesVisible = statement("commit", () => {
      const { rows } = server.transaction(this.session) ?? { rows: [] };
      committed(rows.filter(isRecord));
      server.makeVisible(this.session);
      return rows.find(({ id }) => BigInt(id) === last)?.payload ?? null;
    });
    const released = andThen(becomesVisible, "visible, locks still held", (payload): Committed => {
      server.release(this.session);
      return { command: "COMMIT", payload };
    });
    const rolledBack = (): Committed => {
      server.rollback(this.session);
      return { command: "ROLLBACK" };
    };
    let answer: Committed;
    try {
      answer = await this.send(orRefused(released, rolledBack));
    } catch (error) {
      throw error instanceof DatabaseFailure ? new CommitUnknown(error.failure) : error;
    }
    if (answer.command === "COMMIT") return answer.payload === null ? null : fingerprint(answer.payload);
    this.destroy();
    throw failure("COMMIT_ROLLED_BACK");
  }

  rollback(): Promise<void> {
    return this.send(statement("rollback", () => this.wire.server.rollback(this.session)));
  }

  readonly leastId = 1n;
  readonly place = { table: "events_outbox", sequence: "events_outbox_id_seq" };
  readonly idsIndexed = true;

  /** The simulated table takes every row as it is. */
  async rehearse(): Promise<Rehearsed> {
    return { checkpoint: null };
  }

  drawn(): Promise<bigint | null> {
    return this.send(statement("drawn", () => BigInt(this.wire.server.drawn)));
  }

  async describe(): Promise<[]> {
    return this.send(statement("describe", () => []));
  }
}
