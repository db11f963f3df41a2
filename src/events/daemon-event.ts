/**
 * Every fact about a running daemon that an operator or a test can observe, with the line that the log prints of it. The
 * log prints them, readiness and the HTTP service read them, tests wait for them. Each is a change, never a state that lasts.
 *
 * This table is the only list of events: the type `DaemonEvent` is derived from it, and a test compares `docs/logs.md`
 * with it. The log prints exactly the fields that are named here.
 */

import type { GateState } from "../core/gate.ts";
import type { SkipReason } from "../core/merge.ts";
import type { MetricName } from "../core/metric.ts";
import type { ScopeKind } from "../core/scope.ts";
import { databaseFailure, failure, holders, is, sentence, sentences } from "./fields.ts";
import type { LogLevel } from "./log-level.ts";

type Fields = Readonly<Record<string, (value: never) => unknown>>;
type ValueOf<Field> = Field extends (value: infer Value) => unknown ? Value : never;
type ValuesOf<F extends Fields> = { readonly [Key in keyof F]: ValueOf<F[Key]> };

/** How an event is printed: its level, its constant message, and its fields by what is printed of each. */
export type Entry<F extends Fields = Fields> = {
  readonly level: LogLevel | ((values: ValuesOf<F>) => LogLevel);
  readonly msg: string;
  readonly fields: F;
};

function entry<F extends Fields>(level: Entry<F>["level"], msg: string, fields: F): Entry<F> {
  return { level, msg, fields };
}

/** Merges of one transaction that are logged one by one. */
export const SMALL_BATCH = 25;

const retry = { failure: databaseFailure, attempt: is<number>, retry_in_ms: is<number> };
/** `done` and `total` count outbox ids, `eta_s` is how long the rest takes at this rate. */
const progress = { done: is<number>, total: is<number>, per_second: is<number>, eta_s: is<number> };
const merge = { event_id: is<string>, work_item_id: is<string | null> };
const place = { scope: is<ScopeKind>, project: is<string | null> };

export const EVENTS = {
  "daemon.starting": entry("info", "starting", { settings: is<Readonly<Record<string, unknown>>> }),
  /** The backlog is empty for the first time. */
  "daemon.ready": entry("info", "every due merge is recorded, following the log", {
    seq: is<number>,
    took_ms: is<number>,
  }),
  /** The process ends because of this. */
  "daemon.fatal": entry("fatal", "cannot continue, exiting", { failure, problems: sentences }),
  "config.unknown_variable": entry("warn", "unknown environment variable, it has no effect", {
    variable: is<string>,
    nearest: is<string | null>,
  }),
  "process.warning": entry("warn", "warning from Node or a library", { name: is<string>, message: sentence }),
  "http.listening": entry("info", "HTTP service is listening", { address: is<string> }),
  "http.failed": entry("error", "HTTP service cannot listen", { failure }),
  "db.connected": entry("info", "connected to the database", {
    server_version: is<string>,
    role: is<string>,
  }),
  "db.connect_failed": entry("warn", "cannot connect to the database, retrying", retry),
  "db.disconnected": entry("warn", "lost the database connection, reconnecting", retry),
  /** The server works and refuses what was asked: a constraint, a trigger, a privilege. */
  "db.refused": entry("error", "the database refuses what the daemon asks, retrying", retry),
  "db.warning": entry("warn", "the database works, but not as well as it could", { warning: is<string> }),
  "db.unfit": entry("error", "the database or the log is unfit, nothing is recorded until it is fixed", {
    reason: is<string>,
    problems: sentences,
    retry_in_ms: is<number>,
  }),
  "row.unreadable": entry(
    "error",
    "the server cannot read this row of events_outbox, it is skipped; restore or delete the row",
    { row_id: is<string>, reason: is<string> },
  ),
  "listen.connected": entry("info", "listening for notifications", {}),
  "listen.lost": entry("warn", "lost the LISTEN connection, polling meanwhile", {
    failure: databaseFailure,
    retry_in_ms: is<number>,
  }),
  /** Connected, but the daemon's own notifications do not arrive. */
  "listen.degraded": entry("warn", "notifications do not arrive, polling only", { reason: is<string> }),
  "restore.started": entry("info", "reading the journal", {}),
  "restore.progress": entry("info", "still reading the journal", progress),
  /**
   * `merges` counts those whose rows were applied. `from_checkpoint` is the `seq` of the checkpoint that the replay began
   * with; null if it began with the first row.
   */
  "restore.completed": entry("info", "memory equals the journal", {
    seq: is<number>,
    merges: is<number>,
    from_checkpoint: is<number | null>,
    projects: is<number>,
    skipped: is<number>,
    took_ms: is<number>,
  }),
  "checkpoint.written": entry("debug", "wrote a checkpoint for the next start", {
    seq: is<number>,
    bytes: is<number>,
  }),
  "checkpoint.refused": entry(
    "warn",
    "events_outbox refuses checkpoints; merges are recorded, but each start reads more until it takes them",
    { failure: databaseFailure, retry_in_ms: is<number> },
  ),
  "checkpoint.unusable": entry("warn", "checkpoint unusable, replaying the journal", {
    row_id: is<string>,
    reason: is<string>,
  }),
  "backlog.started": entry("info", "recording the backlog", {}),
  "backlog.progress": entry("info", "still recording the backlog", { ...progress, recorded: is<number> }),
  "backlog.completed": entry("info", "the backlog is recorded", {
    recorded: is<number>,
    took_ms: is<number>,
  }),
  /**
   * `values` are the global value of each recorded metric, null while undefined. `commit_to_record_ms` runs from the
   * transition row's created_at to the commit of its metric rows; null if created_at is not a date. `late`: a merge
   * with a higher id had been recorded before. `batch` counts the merges of its transaction.
   */
  "merge.recorded": entry(({ batch }) => (batch > SMALL_BATCH ? "debug" : "info"), "merge recorded", {
    seq: is<number>,
    event_id: is<string>,
    work_item_id: is<string>,
    project: is<string>,
    attempts: is<number>,
    values: is<Readonly<Partial<Record<MetricName, number | null>>>>,
    commit_to_record_ms: is<number | null>,
    late: is<boolean>,
    found_by: is<"poll" | "reconciliation">,
    batch: is<number>,
  }),
  /** A transaction of a backlog: its merges are logged one by one at level debug. `seq` is the last one's. */
  "batch.recorded": entry("info", "many merges recorded in one transaction", {
    merges: is<number>,
    seq: is<number>,
    took_ms: is<number>,
  }),
  "merge.skipped": entry("error", "merge skipped, its facts are unusable", {
    ...merge,
    reason: is<SkipReason>,
  }),
  "merge.duplicate_ignored": entry("info", "duplicate ignored, only a work item's first merge counts", merge),
  /** No row and no checkpoint records it, rows are gone from the journal's old end, and it is older than what is left. */
  "merge.presumed_recorded": entry(
    "warn",
    "taken as recorded: the merge is older than the rows that retention left, and no checkpoint covers it",
    { ...merge, reason: is<"older_than_journal"> },
  ),
  /** No other merge waits for it. */
  "merge.refused": entry(
    "error",
    "events_outbox refuses the rows of this merge; the others are recorded, this one is retried",
    { ...merge, failure: databaseFailure, retry_in_ms: is<number> },
  ),
  "metric.defined": entry("info", "window is full, metric is defined", {
    metric: is<MetricName>,
    ...place,
    value: is<number>,
  }),
  /** `permissive`: the orchestrator may do more from now on; false if it is restricted. */
  "threshold.crossed": entry(({ permissive }) => (permissive ? "info" : "warn"), "gate crossed a threshold", {
    metric: is<MetricName>,
    gate: is<string>,
    ...place,
    from: is<GateState>,
    to: is<GateState>,
    value: is<number | null>,
    upper: is<number>,
    lower: is<number>,
    permissive: is<boolean>,
  }),
  "journal.peer_rows_applied": entry("debug", "applied what a peer daemon recorded", {
    merges: is<number>,
    skipped: is<number>,
  }),
  "journal.unmarked_rows_ignored": entry("warn", "ignored rows of kind metric.* without our marker", {
    rows: is<number>,
  }),
  /** A peer daemon recorded everything first. */
  "writer.fenced": entry("debug", "a peer daemon recorded these merges first", { merges: is<number> }),
  /** For longer than the lock timeout. */
  "writer.blocked": entry("warn", "another session holds the writers' lock", {
    holders,
    retry_in_ms: is<number>,
  }),
  "commit.unknown": entry("warn", "unknown commit outcome, reading the log to learn it", {
    merges: is<number>,
    failure,
  }),
  "commit.resolved": entry("info", "the log shows how the commit ended", {
    outcome: is<"committed" | "aborted">,
  }),
  "settle.waiting": entry("warn", "long transactions hold the low-water mark back; merges do not wait", {
    holders,
  }),
  "settle.gave_up": entry(
    "warn",
    "no longer waiting for long transactions, reconciliation finds their rows",
    {
      holders,
    },
  ),
  "reconciliation.completed": entry(
    ({ found }) => (found > 0 ? "warn" : "debug"),
    "compared the whole log with the journal",
    { found: is<number>, took_ms: is<number> },
  ),
  "lag.high": entry("warn", "due merges wait to be recorded", { seconds: is<number> }),
  "lag.recovered": entry("info", "no merge waits", {}),
  "history.truncated": entry("warn", "old journal rows are gone, windows count up from what is left", {
    first_seq: is<number>,
  }),
  /**
   * `seq_before` counts the merges that memory knew as recorded, `seq_now` those that the log records after it was read
   * again, `lost` how many fewer these are. Both are null while the log has not been read again.
   */
  "history.reset": entry(
    "error",
    "the log went back: the newest recorded row is missing or changed. Everything is read again and due merges are " +
      "recorded; check what was restored, truncated or renamed",
    {
      row_id: is<string>,
      seq_before: is<number>,
      seq_now: is<number | null>,
      lost: is<number | null>,
    },
  ),
  "shutdown.started": entry("info", "shutting down", { signal: is<string> }),
  "shutdown.completed": entry("info", "shut down", { took_ms: is<number> }),
};

type Name = keyof typeof EVENTS;

export type DaemonEvent = {
  [N in Name]: { readonly event: N } & ValuesOf<(typeof EVENTS)[N]["fields"]>;
}[Name];

export type Report = (event: DaemonEvent) => void;
