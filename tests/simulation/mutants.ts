/** Daemons and connections with one mistake each: what the simulation is there to catch. */

import {
  type AppliedRow,
  CommitUnknown,
  DatabaseFailure,
  type OutboxLog,
  type Since,
} from "../../src/outbox/outbox-log.ts";
import type { Daemon, DaemonSettings } from "../../src/recorder/daemon.ts";
import { HistoryReset } from "../../src/recorder/projection.ts";
import { type Recorder, restoreRecorder } from "../../src/recorder/recorder.ts";
import { Reported } from "../../src/recorder/reported.ts";
import { type LogClass, SimulatedLog } from "./log.ts";
import { EXACT, KEPT, type Kind, SHRINKING, UNSEEN } from "./scenario.ts";
import type { State } from "./server.ts";
import type { DaemonFactory } from "./world.ts";

class NoLock extends SimulatedLog {
  protected override async locked(): Promise<boolean> {
    this.wire.server.begin(this.session);
    return true;
  }
}

class NoLockToRestore extends SimulatedLog {
  #restored = false;

  protected override async locked(): Promise<boolean> {
    if (this.#restored) return super.locked();
    this.#restored = true;
    this.wire.server.begin(this.session);
    return true;
  }
}

class NoFence extends SimulatedLog {
  override async journalSince(lastApplied: AppliedRow | null, after: bigint): Promise<Since> {
    const since = await super.journalSince(lastApplied, after);
    return this.session.transaction === null ? since : { ...since, rows: [], more: false };
  }
}

/** What the lock's own statement sees was taken before the lock was granted. */
class LockAndFenceInOneStatement extends SimulatedLog {
  protected before: State | null = null;

  protected override async locked(): Promise<boolean> {
    this.before = this.wire.server.state;
    return super.locked();
  }

  override async journalSince(lastApplied: AppliedRow | null, after: bigint): Promise<Since> {
    const { before } = this;
    if (this.session.transaction === null || before === null) return super.journalSince(lastApplied, after);
    // Read at once, as a part of the statement before.
    return this.sinceIn(before, lastApplied, after);
  }
}

class RepeatableRead extends LockAndFenceInOneStatement {
  protected override snapshot(): State {
    return this.session.transaction === null || this.before === null ? super.snapshot() : this.before;
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
    return new Set([...super.holders()].filter((name) => !name.startsWith("-1/")));
  }
}

/** The new name of one that was seen under another is taken for somebody else's. */
class RenamedTransactionsUnknown extends SimulatedLog {
  protected override holders(): Set<string> {
    return new Set([...super.holders()].map((name) => name.replace("-1/", "prepared/")));
  }
}

class LastAppliedUnchecked extends SimulatedLog {
  protected override appliedIn(_snapshot: State, lastApplied: AppliedRow | null): string | null {
    return lastApplied?.fingerprint ?? null;
  }
}

/** Appends under ids that were set aside long ago. */
class KeepsCachedIds extends SimulatedLog {
  protected override discard(): void {
    // They stay.
  }
}

/** Keeps its memory when the connection is lost, and goes on with another. */
class KeepsItsMemory implements Pick<Daemon, "analyzer" | "due" | "run" | "abandon"> {
  readonly #settings: DaemonSettings;
  readonly #ports: ConstructorParameters<typeof Daemon>[1];
  readonly #stop: AbortSignal;
  #log: OutboxLog | null = null;
  #recorder: Recorder | null = null;

  constructor(...[settings, ports, , stop]: Parameters<DaemonFactory>) {
    this.#settings = settings;
    this.#ports = ports;
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
    const { open, report, clock } = this.#ports;
    // Whichever connection there is now.
    const current = new Proxy({} as OutboxLog, {
      get: (_target, method) => {
        const log = this.#log as OutboxLog;
        return (log[method as keyof OutboxLog] as () => unknown).bind(log);
      },
    });
    const reported = new Reported();
    const ports = { report, clock, reported, stop: this.#stop };
    while (!this.#stop.aborted) {
      try {
        this.#log ??= await open(this.#stop);
        this.#recorder ??= await restoreRecorder(current, this.#settings, ports);
        await this.#recorder.poll();
        await this.#recorder.reconcilePage();
      } catch (error) {
        this.#log?.destroy();
        this.#log = null;
        if (!(error instanceof DatabaseFailure)) this.#recorder = null;
        if (!(error instanceof DatabaseFailure || error instanceof HistoryReset)) throw error;
      }
      await new Promise<void>((resolve) => {
        setTimeout(resolve, this.#settings.pollIntervalMs);
      });
    }
    this.#log?.destroy();
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

/** A merge is recorded where a row is filed under its work item, and in no other case. */
class RecordedByItemOnly extends SimulatedLog {
  override async checkpoint(): Promise<null> {
    return null;
  }

  override async recordedEvents(): Promise<string[]> {
    return [];
  }
}

/** What a work item's other transitions say is not asked. */
class NoOtherMerges extends SimulatedLog {
  override async otherMerges(): Promise<ReadonlyMap<string, readonly bigint[]>> {
    return new Map();
  }
}

export type Mutant = {
  readonly mistake: string;
  /** The schedules that show it. */
  readonly kind: Kind;
  readonly log?: LogClass;
  readonly daemon?: DaemonFactory;
};

export const MUTANTS: readonly Mutant[] = [
  { mistake: "no lock", kind: EXACT, log: NoLock },
  { mistake: "no lock while restoring", kind: EXACT, log: NoLockToRestore },
  { mistake: "no fence", kind: EXACT, log: NoFence },
  { mistake: "lock and fence in one statement", kind: EXACT, log: LockAndFenceInOneStatement },
  { mistake: "REPEATABLE READ", kind: EXACT, log: RepeatableRead },
  { mistake: "memory kept over a reconnect", kind: EXACT, daemon: keepsItsMemory },
  { mistake: "an unanswered COMMIT taken for done", kind: EXACT, log: TrustsAnUnansweredCommit },
  { mistake: "COMMIT's answer not looked at", kind: EXACT, log: IgnoresWhatCommitAnswers },
  { mistake: "id > last instead of the low mark", kind: EXACT, log: LastIdOnly },
  { mistake: "low mark by the table's lock only", kind: EXACT, log: TableLockOnly },
  { mistake: "low mark without prepared transactions", kind: EXACT, log: NoPreparedTransactions },
  { mistake: "low mark without renamed transactions", kind: EXACT, log: RenamedTransactionsUnknown },
  {
    mistake: "last applied row not checked after a failover",
    kind: EXACT,
    log: LastAppliedUnchecked,
    daemon: keepsItsMemory,
  },
  { mistake: "last applied row not checked after TRUNCATE", kind: SHRINKING, log: LastAppliedUnchecked },
  {
    mistake: "a checkpoint that forgets what is above its low-water mark",
    kind: KEPT,
    log: ForgetsWhatIsAbove,
  },
  { mistake: "recorded by work item only", kind: KEPT, log: RecordedByItemOnly },
  { mistake: "a work item's other transitions not asked for", kind: KEPT, log: NoOtherMerges },
  { mistake: "cached ids not discarded", kind: UNSEEN, log: KeepsCachedIds },
];
