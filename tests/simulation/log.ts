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
  type Rehearsed,
  type Since,
} from "../../src/outbox/outbox-log.ts";
import { fingerprint, SimulatedReader } from "./reader.ts";
import { isRecord } from "./rows.ts";
import { failure, type Wire } from "./wire.ts";

export type LogClass = new (wire: Wire, client: string) => SimulatedLog;

export class SimulatedLog extends SimulatedReader implements OutboxLog {
  async beginLocked(): Promise<void> {
    const granted = await this.statement(
      "lock",
      () => this.locked(),
      () => !this.wire.server.locked,
    );
    if (!granted) throw new LockBlocked({ code: "55P03", message: "lock timeout" }, []);
  }

  async beginFenced(lastApplied: AppliedRow, after: bigint): Promise<Since> {
    await this.beginLocked();
    return this.journalSince(lastApplied, after);
  }

  protected async locked(): Promise<boolean> {
    this.wire.server.begin(this.session);
    await this.wire.server.lock(this.session);
    return true;
  }

  append(rows: readonly AppendedRow[]): Promise<Appended> {
    return this.statement("append", async () => {
      const { server, cached } = this.wire;
      const { session } = this;
      const { transaction } = session;
      if (transaction === null) throw failure("25P01");
      if (cached) this.discard();
      transaction.locksTable = true;
      transaction.locksSequence = true;
      const ids: bigint[] = [];
      if (rows.some(({ workItemId }) => workItemId !== null && server.refused.has(workItemId)))
        throw new AppendRefused({ code: "23514", message: "refused" });
      for (const { kind, workItemId, payload } of rows) {
        const id = server.draw(session);
        const item = kind === "metric.checkpoint" ? null : workItemId;
        transaction.rows.push({ id, kind, item, payload: JSON.stringify(payload) });
        ids.push(BigInt(id));
        // Others may draw ids in between.
        if (ids.length === 2) await this.step("append: half of the ids drawn");
        if (session.ended) throw failure("57P01");
      }
      return { ids };
    });
  }

  /** DISCARD SEQUENCES. */
  protected discard(): void {
    this.session.cached = [];
  }

  async commit(last: bigint): Promise<string | null> {
    const row = this.session.transaction?.rows.find(({ id }) => BigInt(id) === last);
    let command: "COMMIT" | "ROLLBACK";
    try {
      command = await this.statement(
        "commit",
        () => this.#committed(),
        () => this.#rolledBack(),
      );
    } catch (error) {
      throw error instanceof DatabaseFailure ? new CommitUnknown(error.failure) : error;
    }
    if (command === "COMMIT") return row === undefined ? null : fingerprint(row.payload);
    this.destroy();
    throw failure("COMMIT_ROLLED_BACK");
  }

  async #committed(): Promise<"COMMIT" | "ROLLBACK"> {
    const { server, committed } = this.wire;
    committed((this.session.transaction?.rows ?? []).filter(isRecord));
    server.makeVisible(this.session);
    await this.step("commit: visible, locks still held");
    if (!this.session.ended) server.release(this.session);
    return "COMMIT";
  }

  #rolledBack(): "ROLLBACK" {
    this.wire.server.rollback(this.session);
    return "ROLLBACK";
  }

  rollback(): Promise<void> {
    return this.statement("rollback", () => this.wire.server.rollback(this.session));
  }

  readonly leastId = 1n;
  readonly place = { table: "events_outbox", sequence: "events_outbox_id_seq" };
  readonly idsIndexed = true;

  /** The simulated table takes every row as it is. */
  async rehearse(): Promise<Rehearsed> {
    return { checkpoint: null };
  }

  drawn(): Promise<bigint | null> {
    return this.statement("drawn", () => BigInt(this.wire.server.drawn));
  }

  describe(): Promise<[]> {
    return this.statement("describe", () => []);
  }
}
