/** Daemons and connections with one mistake each, which the simulation must find. */

import {
  type AppliedRow,
  type CheckpointInLog,
  CommitUnknown,
  DatabaseFailure,
  type OutboxLog,
  PAGE_ROWS,
  type Poll,
  type PollBasis,
  type Since,
} from "../../src/outbox/outbox-log.ts";
import type { Bell } from "../../src/recorder/bell.ts";
import type { Daemon, DaemonSettings } from "../../src/recorder/daemon.ts";
import { HistoryReset } from "../../src/recorder/projection.ts";
import { type Recorder, restoreRecorder } from "../../src/recorder/recorder.ts";
import { Reported } from "../../src/recorder/reported.ts";
import { type LogClass, SimulatedLog } from "./log.ts";
import { EXACT, KEPT, type Kind, SHRINKING, UNSEEN } from "./scenario.ts";
import type { State } from "./server.ts";
import { andThen, type Statement, statement } from "./statement.ts";
import type { Wire } from "./wire.ts";
import type { DaemonFactory } from "./world.ts";

class NoLock extends SimulatedLog {
  protected override locking(): Statement<boolean> {
    return beginsUnlocked(this.wire);
  }
}

class NoLockToRestore extends SimulatedLog {
  #restored = false;

  protected override locking(): Statement<boolean> {
    if (this.#restored) return super.locking();
    this.#restored = true;
    return beginsUnlocked(this.wire);
  }
}

function beginsUnlocked({ server, channel }: Wire): Statement<boolean> {
  return statement("begin without the lock", () => {
    server.begin(channel.session);
    return true;
  });
}

class NoFence extends SimulatedLog {
  protected override sinceIn(snapshot: State, lastApplied: AppliedRow | null, after: bigint): Since {
    const since = super.sinceIn(snapshot, lastApplied, after);
    const fences = this.wire.server.transaction(this.session) !== null;
    return fences ? { ...since, rows: [], more: false } : since;
  }
}

/** The fence reads in the lock's own statement, whose snapshot is older than the lock. */
class LockAndFenceInOneStatement extends SimulatedLog {
  /** The state when the transaction began; null outside of one. */
  protected before: State | null = null;

  override async beginLocked(): Promise<void> {
    const { server } = this.wire;
    const asks = statement("lock and fence", () => {
      server.begin(this.session);
      server.ask(this.session);
      return server.state;
    });
    this.before = await this.send(andThen(asks, "granted", (before) => before, { underLock: true }));
  }

  override async journalSince(lastApplied: AppliedRow | null, after: bigint): Promise<Since> {
    // Read at once, as a part of the statement before.
    return this.before === null
      ? super.journalSince(lastApplied, after)
      : this.sinceIn(this.before, lastApplied, after);
  }

  override rollback(): Promise<void> {
    this.before = null;
    return super.rollback();
  }

  override commit(last: bigint): Promise<string | null> {
    this.before = null;
    return super.commit(last);
  }
}

class RepeatableRead extends LockAndFenceInOneStatement {
  protected override snapshot(): State {
    return this.before ?? super.snapshot();
  }

  override journalSince(lastApplied: AppliedRow | null, after: bigint): Promise<Since> {
    return SimulatedLog.prototype.journalSince.call(this, lastApplied, after);
  }
}

class TrustsAnUnansweredCommit extends SimulatedLog {
  override async commit(last: bigint): Promise<string | null> {
    try {
      return await super.commit(last);
    } catch (error) {
      if (!(error instanceof CommitUnknown)) throw error;
      return "unknown";
    }
  }
}

class IgnoresWhatCommitAnswers extends SimulatedLog {
  override async commit(last: bigint): Promise<string | null> {
    try {
      return await super.commit(last);
    } catch (error) {
      if (error instanceof CommitUnknown) throw error;
      return "rolled back";
    }
  }
}

class LastIdOnly extends SimulatedLog {
  protected override holders(): Set<string> {
    return new Set();
  }
}

class TableLockOnly extends SimulatedLog {
  protected override holders(): Set<string> {
    const holders = [...this.wire.server.holders(this.session)];
    return new Set(holders.filter((holder) => holder.locksTable).map((holder) => holder.name));
  }
}

/** `pid <> pg_backend_pid()` is null for them. */
class NoPreparedTransactions extends SimulatedLog {
  protected override holders(): Set<string> {
    const holders = [...this.wire.server.holders(this.session)];
    return new Set(holders.filter((holder) => holder.hasPid).map((holder) => holder.name));
  }
}

/** A renamed transaction is taken for another one. */
class RenamedTransactionsUnknown extends SimulatedLog {
  protected override holders(): Set<string> {
    return new Set([...super.holders()].map((name) => name.replace("-1/", "prepared/")));
  }
}

/** The fence begins after the newest row of kind `metric.*`, marked or not. */
class UnmarkedRowMovesThePosition extends SimulatedLog {
  #position = -1n;

  override poll(basis: PollBasis): Promise<Poll> {
    return super.poll({ ...basis, appliedPosition: this.#after(basis.appliedPosition) });
  }

  override async journalSince(lastApplied: AppliedRow | null, after: bigint): Promise<Since> {
    const since = await super.journalSince(lastApplied, this.#after(after));
    this.#position = this.#after(BigInt(since.rows.at(-1)?.id ?? -1));
    return since;
  }

  #after(id: bigint): bigint {
    return id > this.#position ? id : this.#position;
  }
}

class LastAppliedUnchecked extends SimulatedLog {
  protected override appliedIn(_snapshot: State, lastApplied: AppliedRow | null): string | null {
    return lastApplied?.fingerprint ?? null;
  }
}

/** Appends under ids that the session cached long ago. */
class KeepsCachedIds extends SimulatedLog {
  protected override discard(): void {
    // They stay.
  }
}

/** Keeps its memory when it changes to a new connection. */
class KeepsItsMemory implements Pick<Daemon, "analyzer" | "due" | "run" | "abandon"> {
  readonly #settings: DaemonSettings;
  readonly #ports: ConstructorParameters<typeof Daemon>[1];
  readonly #bell: Bell;
  readonly #stop: AbortSignal;
  readonly #reported = new Reported();
  #log: OutboxLog | null = null;
  #connected = false;
  #recorder: Recorder | null = null;

  constructor(...[settings, ports, bell, stop]: Parameters<DaemonFactory>) {
    this.#settings = settings;
    this.#ports = ports;
    this.#bell = bell;
    this.#stop = stop;
  }

  get analyzer(): Daemon["analyzer"] {
    return this.#recorder?.projection.analyzer ?? null;
  }

  get due(): number {
    return this.#recorder?.writer.due() ?? 0;
  }

  abandon(): void {
    this.#log?.destroy();
  }

  async run(): Promise<void> {
    while (!this.#stop.aborted) {
      try {
        await this.#cycle();
      } catch (error) {
        this.#log?.destroy();
        this.#connected = false;
        if (!(error instanceof DatabaseFailure)) this.#recorder = null;
        if (!(error instanceof DatabaseFailure || error instanceof HistoryReset)) throw error;
      }
      await this.#bell.wait(this.#settings.pollIntervalMs);
    }
    this.#log?.destroy();
  }

  async #cycle(): Promise<void> {
    const { open, report, clock } = this.#ports;
    if (!this.#connected) {
      const log = await open(this.#stop);
      // The same object, with another connection.
      this.#log = this.#log === null ? log : Object.assign(this.#log, log);
      this.#connected = true;
    }
    const ports = { report, clock, reported: this.#reported, stop: this.#stop };
    this.#recorder ??= await restoreRecorder(this.#log as OutboxLog, this.#settings, ports);
    await this.#recorder.poll();
    await this.#recorder.reconcilePage(PAGE_ROWS);
  }
}

const keepsItsMemory: DaemonFactory = (...all) => new KeepsItsMemory(...all);

/** A checkpoint that does not say which merges above its low-water mark are recorded. */
class ForgetsWhatIsAbove extends SimulatedLog {
  override async checkpoint(rowId: string): Promise<string | null> {
    const payload = await super.checkpoint(rowId);
    return payload?.replace(/"recorded_above":"[^"]*"/, '"recorded_above":""') ?? null;
  }
}

/** Only a row with the merge's work item counts as its record. */
class RecordedByItemOnly extends SimulatedLog {
  override async checkpoint(): Promise<null> {
    return null;
  }

  override async recordedEvents(): Promise<string[]> {
    return [];
  }
}

/** Rows that lost their work item are not recognized by the event that they name. */
class EventsNotAskedFor extends SimulatedLog {
  override async recordedEvents(): Promise<string[]> {
    return [];
  }
}

/** Merges below the oldest record are taken as recorded, although a checkpoint says which ones are. */
class FloorInSpiteOfACheckpoint extends SimulatedLog {
  // eslint-disable-next-line require-yield
  override async *checkpoints(): AsyncGenerator<CheckpointInLog> {
    // It finds none.
  }
}

/** Other transitions of a work item are not looked up. */
class NoOtherMerges extends SimulatedLog {
  override async otherMerges(): Promise<ReadonlyMap<string, readonly bigint[]>> {
    return new Map();
  }
}

export type Mutant = {
  readonly mistake: string;
  /** The random schedules that must find it; null where the explorer alone does. */
  readonly kind: Kind | null;
  /** The scope in which the explorer must find it: the cheapest one that does. Null where no scope has what it takes. */
  readonly scope: string | null;
  readonly log?: LogClass;
  readonly daemon?: DaemonFactory;
};

export const MUTANTS: readonly Mutant[] = [
  { mistake: "no lock", kind: null, scope: "two daemons, one merge", log: NoLock },
  {
    mistake: "no lock while restoring",
    kind: null,
    scope: "two daemons start, a merge, an unmarked row",
    log: NoLockToRestore,
  },
  {
    mistake: "no fence",
    kind: EXACT,
    scope: "two daemons, a merge, a checkpoint, retention of transitions",
    log: NoFence,
  },
  {
    mistake: "lock and fence in one statement",
    kind: null,
    scope: "two daemons, a merge, a checkpoint, retention of transitions",
    log: LockAndFenceInOneStatement,
  },
  {
    mistake: "REPEATABLE READ",
    kind: null,
    scope: "two daemons start, two merges, one refusal",
    log: RepeatableRead,
  },
  {
    mistake: "memory kept over a reconnect",
    kind: null,
    scope: "two daemons start, two merges, one lost connection",
    daemon: keepsItsMemory,
  },
  {
    mistake: "an unanswered COMMIT taken for done",
    kind: null,
    scope: "two daemons start, two merges, one lost connection",
    log: TrustsAnUnansweredCommit,
  },
  {
    mistake: "COMMIT's answer not looked at",
    kind: null,
    scope: "two daemons start, two merges, one refusal",
    log: IgnoresWhatCommitAnswers,
  },
  {
    mistake: "id > last instead of the low-water mark",
    kind: null,
    scope: "one daemon, two merges in any order",
    log: LastIdOnly,
  },
  {
    mistake: "low-water mark by the table's lock only",
    kind: null,
    scope: "one daemon, two merges in any order",
    log: TableLockOnly,
  },
  {
    mistake: "low-water mark without prepared transactions",
    kind: null,
    scope: "one daemon, a prepared merge, a recovery",
    log: NoPreparedTransactions,
  },
  {
    mistake: "low-water mark without renamed transactions",
    kind: null,
    scope: "one daemon, a prepared merge, a recovery",
    log: RenamedTransactionsUnknown,
  },
  {
    mistake: "an unmarked row moves the position",
    kind: null,
    scope: "two daemons, a merge, an unmarked row",
    log: UnmarkedRowMovesThePosition,
  },
  {
    mistake: "last applied row not checked after a failover",
    kind: null,
    scope: "one daemon, two merges, a failover, ids again",
    log: LastAppliedUnchecked,
    daemon: keepsItsMemory,
  },
  {
    mistake: "last applied row not checked after TRUNCATE",
    kind: SHRINKING,
    scope: null,
    log: LastAppliedUnchecked,
  },
  {
    mistake: "a floor in spite of a checkpoint",
    kind: null,
    scope: "one daemon, a checkpoint, a duplicate, retention of records, one death",
    log: FloorInSpiteOfACheckpoint,
  },
  {
    mistake: "a checkpoint that forgets what is above its low-water mark",
    kind: KEPT,
    scope: "one daemon, a late merge, a checkpoint, retention of records",
    log: ForgetsWhatIsAbove,
  },
  {
    mistake: "recorded by work item only",
    kind: null,
    scope: "two daemons, a merge, its work item deleted, one death",
    log: RecordedByItemOnly,
  },
  {
    mistake: "SET NULL: events not asked for",
    kind: null,
    scope: "two daemons, a merge, its work item deleted, one death",
    log: EventsNotAskedFor,
  },
  {
    mistake: "a work item's other transitions not asked for",
    kind: null,
    scope: "one daemon, a checkpoint, a duplicate, retention of records, one death",
    log: NoOtherMerges,
  },
  {
    mistake: "cached ids not discarded",
    kind: UNSEEN,
    scope: null,
    log: KeepsCachedIds,
  },
];
