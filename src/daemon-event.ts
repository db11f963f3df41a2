/**
 * Every fact about a running daemon that an operator or a test can observe. `log.ts` prints them, `readiness.ts` and
 * the HTTP service read them, tests wait for them. Each stands for a change, never for a state that goes on.
 */
import type { GateState } from "./core/gate.ts";
import type { SkipReason } from "./core/merge.ts";
import type { MetricName } from "./core/metric.ts";
import type { ScopeKind } from "./core/scope.ts";

/** What may be told of a failure: nothing that carries row data, SQL or secrets. */
export type Failure = {
  /** SQLSTATE, an errno name such as ECONNREFUSED, or a word of ours. */
  readonly code: string;
  readonly message: string;
};

/** Somebody whose open transaction or lock is in the way. */
export type Holder = {
  readonly pid: number | null;
  readonly application: string | null;
  readonly role: string | null;
  /** Seconds since its transaction began, or was prepared; null where our role may not know. */
  readonly seconds: number | null;
  /** The name of a prepared transaction, which has no session; else null. */
  readonly prepared: string | null;
};

export type DaemonEvent =
  | { readonly event: "daemon.starting"; readonly settings: Readonly<Record<string, unknown>> }
  /** The backlog is empty for the first time. */
  | { readonly event: "daemon.ready"; readonly seq: number; readonly took_ms: number }
  /** The process ends because of this. */
  | { readonly event: "daemon.fatal"; readonly failure: Failure; readonly problems: readonly string[] }
  | { readonly event: "config.unknown_variable"; readonly variable: string; readonly nearest: string | null }
  /** Node or a library has something to say. */
  | { readonly event: "process.warning"; readonly name: string; readonly message: string }
  | { readonly event: "http.listening"; readonly address: string }
  | { readonly event: "http.failed"; readonly failure: Failure }
  | { readonly event: "db.connected"; readonly server_version: string; readonly role: string }
  | {
      readonly event: "db.connect_failed";
      readonly failure: Failure;
      readonly attempt: number;
      readonly retry_in_ms: number;
    }
  | {
      readonly event: "db.disconnected";
      readonly failure: Failure;
      readonly attempt: number;
      readonly retry_in_ms: number;
    }
  /** The server works, and says no to what was asked: a constraint, a trigger, a privilege. */
  | {
      readonly event: "db.refused";
      readonly failure: Failure;
      readonly attempt: number;
      readonly retry_in_ms: number;
    }
  /** Something about the database that works, but not as well as it could. */
  | { readonly event: "db.warning"; readonly warning: string }
  /** The database or the log is not fit to be written to: nothing is, until it is mended. */
  | {
      readonly event: "db.unfit";
      readonly reason: string;
      readonly problems: readonly string[];
      readonly retry_in_ms: number;
    }
  /** A row of the outbox that the server cannot read: it is left out, and the others are read. */
  | { readonly event: "row.unreadable"; readonly row_id: string; readonly reason: string }
  | { readonly event: "listen.connected" }
  | { readonly event: "listen.lost"; readonly failure: Failure; readonly retry_in_ms: number }
  /** Connected, but our own notifications do not come back: polling only. */
  | { readonly event: "listen.degraded"; readonly reason: string }
  | { readonly event: "restore.started" }
  | {
      readonly event: "restore.progress";
      readonly done: number;
      readonly total: number;
      readonly per_second: number;
      readonly eta_s: number;
    }
  | {
      readonly event: "restore.completed";
      readonly seq: number;
      /** Merges whose rows were folded. */
      readonly merges: number;
      /** The `seq` of the checkpoint that the fold began with; null where it began with the first row. */
      readonly from_checkpoint: number | null;
      readonly projects: number;
      readonly skipped: number;
      readonly took_ms: number;
    }
  | { readonly event: "checkpoint.written"; readonly seq: number; readonly bytes: number }
  /** The table does not take checkpoints: merges are recorded all the same, and each start reads more. */
  | { readonly event: "checkpoint.refused"; readonly failure: Failure; readonly retry_in_ms: number }
  /** A checkpoint that does not serve: the journal is folded instead. */
  | { readonly event: "checkpoint.unusable"; readonly row_id: string; readonly reason: string }
  | { readonly event: "backlog.started" }
  | {
      readonly event: "backlog.progress";
      readonly done: number;
      readonly total: number;
      readonly per_second: number;
      readonly eta_s: number;
      readonly recorded: number;
    }
  | { readonly event: "backlog.completed"; readonly recorded: number; readonly took_ms: number }
  | {
      readonly event: "merge.recorded";
      readonly seq: number;
      readonly event_id: string;
      readonly work_item_id: string;
      readonly project: string;
      readonly attempts: number;
      /** The global value of each recorded metric, null while undefined. */
      readonly values: Readonly<Partial<Record<MetricName, number | null>>>;
      /** From the transition row's created_at to the commit of its metric rows; null where that is no date. */
      readonly commit_to_record_ms: number | null;
      /** Whether a merge with a higher id had been recorded before. */
      readonly late: boolean;
      readonly found_by: "poll" | "reconciliation";
    }
  | {
      readonly event: "merge.skipped";
      readonly event_id: string;
      readonly work_item_id: string | null;
      readonly reason: SkipReason;
    }
  | {
      readonly event: "merge.duplicate_ignored";
      readonly event_id: string;
      readonly work_item_id: string | null;
    }
  /** No row records it, and no checkpoint knows: rows are gone from the journal's old end, and it is older than what is left. */
  | {
      readonly event: "merge.presumed_recorded";
      readonly event_id: string;
      readonly work_item_id: string | null;
      readonly reason: "older_than_journal";
    }
  /** The table did not take its rows: it is tried again, and nothing waits for it. */
  | {
      readonly event: "merge.refused";
      readonly event_id: string;
      readonly work_item_id: string | null;
      readonly failure: Failure;
      readonly retry_in_ms: number;
    }
  | {
      readonly event: "metric.defined";
      readonly metric: MetricName;
      readonly scope: ScopeKind;
      readonly project: string | null;
      readonly value: number;
    }
  | {
      readonly event: "threshold.crossed";
      readonly metric: MetricName;
      readonly gate: string;
      readonly scope: ScopeKind;
      readonly project: string | null;
      readonly from: GateState;
      readonly to: GateState;
      readonly value: number | null;
      readonly upper: number;
      readonly lower: number;
      /** Whether the orchestrator may do more from now on; false where it is restricted. */
      readonly permissive: boolean;
    }
  /** Rows that another daemon recorded. */
  | { readonly event: "journal.peer_rows_applied"; readonly merges: number; readonly skipped: number }
  /** Rows of kind `metric.*` without our marker. */
  | { readonly event: "journal.unmarked_rows_ignored"; readonly rows: number }
  /** Everything this daemon wanted to record had been recorded by another one in the meantime. */
  | { readonly event: "writer.fenced"; readonly merges: number }
  /** The writers' lock is held by somebody for longer than the lock timeout. */
  | { readonly event: "writer.blocked"; readonly holders: readonly Holder[]; readonly retry_in_ms: number }
  | { readonly event: "commit.unknown"; readonly merges: number; readonly failure: Failure }
  | { readonly event: "commit.resolved"; readonly outcome: "committed" | "aborted" }
  /** The low mark has not moved for a while because of these. */
  | { readonly event: "settle.waiting"; readonly holders: readonly Holder[] }
  | { readonly event: "settle.gave_up"; readonly holders: readonly Holder[] }
  | { readonly event: "reconciliation.completed"; readonly found: number; readonly took_ms: number }
  | { readonly event: "lag.high"; readonly seconds: number }
  | { readonly event: "lag.recovered" }
  | { readonly event: "history.truncated"; readonly first_seq: number }
  /** The newest row that memory stood on is gone or another: everything is read again. */
  | {
      readonly event: "history.reset";
      readonly row_id: string;
      /** Merges that were recorded as far as memory knew. */
      readonly seq_before: number;
      /** Merges that the log has as recorded now, known after it was read again; null where that is still to come. */
      readonly seq_now: number | null;
      /** How many fewer these are. */
      readonly lost: number | null;
    }
  | { readonly event: "shutdown.started"; readonly signal: string }
  | { readonly event: "shutdown.completed"; readonly took_ms: number };

export type Report = (event: DaemonEvent) => void;
