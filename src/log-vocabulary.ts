/**
 * The words of the log: for each event its level, its constant message, and the fields that are printed. Only fields
 * named here reach a line, so nothing slips in with an object. `docs/logs.md` says the same for operators; a test
 * holds the two together.
 */
import type { LogLevel } from "./config/variables.ts";
import type { DaemonEvent } from "./daemon-event.ts";

type Name = DaemonEvent["event"];
type EventOf<N extends Name> = Extract<DaemonEvent, { event: N }>;

type Entry<N extends Name> = {
  readonly level: LogLevel | ((event: EventOf<N>) => LogLevel);
  readonly msg: string;
  /** Exactly the event's own: the compiler misses a forgotten one. */
  readonly fields: { readonly [F in Exclude<keyof EventOf<N>, "event">]: true };
};

export const VOCABULARY: { readonly [N in Name]: Entry<N> } = {
  "daemon.starting": { level: "info", msg: "starting", fields: { settings: true } },
  "daemon.ready": {
    level: "info",
    msg: "every merge is recorded, following",
    fields: { seq: true, took_ms: true },
  },
  "daemon.fatal": { level: "fatal", msg: "cannot go on, exiting", fields: { failure: true, problems: true } },
  "config.unknown_variable": {
    level: "warn",
    msg: "environment variable is not known and has no effect",
    fields: { variable: true, nearest: true },
  },
  "process.warning": {
    level: "warn",
    msg: "Node or a library warns",
    fields: { name: true, message: true },
  },
  "http.listening": { level: "info", msg: "HTTP service listens", fields: { address: true } },
  "http.failed": { level: "error", msg: "HTTP service cannot listen", fields: { failure: true } },
  "db.connected": {
    level: "info",
    msg: "connected to the database",
    fields: { server_version: true, role: true },
  },
  "db.connect_failed": {
    level: "warn",
    msg: "cannot connect to the database, trying again",
    fields: { failure: true, attempt: true, retry_in_ms: true },
  },
  "db.disconnected": {
    level: "warn",
    msg: "lost the database, connecting again",
    fields: { failure: true, attempt: true, retry_in_ms: true },
  },
  "db.refused": {
    level: "error",
    msg: "the database refuses what the daemon asks, trying again",
    fields: { failure: true, attempt: true, retry_in_ms: true },
  },
  "db.warning": {
    level: "warn",
    msg: "the database works, but could do so better",
    fields: { warning: true },
  },
  "db.unfit": {
    level: "error",
    msg: "the database or the log is not fit, nothing is recorded until it is mended",
    fields: { reason: true, problems: true, retry_in_ms: true },
  },
  "listen.connected": { level: "info", msg: "listening for notifications", fields: {} },
  "listen.lost": {
    level: "warn",
    msg: "lost the notifications, polling meanwhile",
    fields: { failure: true, retry_in_ms: true },
  },
  "listen.degraded": {
    level: "warn",
    msg: "notifications do not arrive, polling only",
    fields: { reason: true },
  },
  "restore.started": { level: "info", msg: "reading the journal", fields: {} },
  "restore.progress": {
    level: "info",
    msg: "still reading the journal",
    fields: { done: true, total: true, per_second: true, eta_s: true },
  },
  "restore.completed": {
    level: "info",
    msg: "memory equals the journal",
    fields: { seq: true, merges: true, from_checkpoint: true, projects: true, skipped: true, took_ms: true },
  },
  "checkpoint.written": {
    level: "debug",
    msg: "left a checkpoint for the next start",
    fields: { seq: true, bytes: true },
  },
  "checkpoint.refused": {
    level: "warn",
    msg: "events_outbox does not take checkpoints, merges are recorded all the same; each start reads more until it does",
    fields: { failure: true, retry_in_ms: true },
  },
  "checkpoint.unusable": {
    level: "warn",
    msg: "a checkpoint does not serve, the journal is folded instead",
    fields: { row_id: true, reason: true },
  },
  "backlog.started": { level: "info", msg: "recording what is due", fields: {} },
  "backlog.progress": {
    level: "info",
    msg: "still recording what is due",
    fields: { done: true, total: true, per_second: true, eta_s: true, recorded: true },
  },
  "backlog.completed": {
    level: "info",
    msg: "everything due is recorded",
    fields: { recorded: true, took_ms: true },
  },
  "merge.recorded": {
    level: "info",
    msg: "merge recorded",
    fields: {
      seq: true,
      event_id: true,
      work_item_id: true,
      project: true,
      attempts: true,
      values: true,
      commit_to_record_ms: true,
      late: true,
      found_by: true,
    },
  },
  "merge.skipped": {
    level: "error",
    msg: "merge cannot be counted, its facts are unusable",
    fields: { event_id: true, work_item_id: true, reason: true },
  },
  "merge.duplicate_ignored": {
    level: "info",
    msg: "work item merged again, only the first time counts",
    fields: { event_id: true, work_item_id: true },
  },
  "row.unreadable": {
    level: "error",
    msg: "the server cannot read this row of events_outbox: it is left out; restore it, or delete it",
    fields: { row_id: true, reason: true },
  },
  "merge.presumed_recorded": {
    level: "warn",
    msg: "no row records this merge and no checkpoint knows it: it is older than the rows that retention left, and taken as recorded",
    fields: { event_id: true, work_item_id: true, reason: true },
  },
  "merge.refused": {
    level: "error",
    msg: "events_outbox did not take the rows of this merge, the others are recorded; it is tried again",
    fields: { event_id: true, work_item_id: true, failure: true, retry_in_ms: true },
  },
  "metric.defined": {
    level: "info",
    msg: "window is full, metric is defined",
    fields: { metric: true, scope: true, project: true, value: true },
  },
  "threshold.crossed": {
    level: ({ permissive }) => (permissive ? "info" : "warn"),
    msg: "gate crossed a threshold",
    fields: {
      metric: true,
      gate: true,
      scope: true,
      project: true,
      from: true,
      to: true,
      value: true,
      upper: true,
      lower: true,
      permissive: true,
    },
  },
  "journal.peer_rows_applied": {
    level: "debug",
    msg: "folded what another daemon recorded",
    fields: { merges: true, skipped: true },
  },
  "journal.unmarked_rows_ignored": {
    level: "warn",
    msg: "rows of kind metric.* without our marker are ignored",
    fields: { rows: true },
  },
  "writer.fenced": { level: "debug", msg: "another daemon was first", fields: { merges: true } },
  "writer.blocked": {
    level: "warn",
    msg: "the writers' lock is held by somebody",
    fields: { holders: true, retry_in_ms: true },
  },
  "commit.unknown": {
    level: "warn",
    msg: "no answer to a commit, reading the log to learn its outcome",
    fields: { merges: true, failure: true },
  },
  "commit.resolved": { level: "info", msg: "learned the outcome of the commit", fields: { outcome: true } },
  "settle.waiting": {
    level: "warn",
    msg: "long transactions keep the scan long; no merge waits for them",
    fields: { holders: true },
  },
  "settle.gave_up": {
    level: "warn",
    msg: "transactions open for too long are passed over, the comparison will find their rows",
    fields: { holders: true },
  },
  "reconciliation.completed": {
    level: ({ found }) => (found > 0 ? "warn" : "debug"),
    msg: "compared the whole log with the journal",
    fields: { found: true, took_ms: true },
  },
  "lag.high": { level: "warn", msg: "merges wait to be recorded", fields: { seconds: true } },
  "lag.recovered": { level: "info", msg: "no merge waits any more", fields: {} },
  "history.truncated": {
    level: "warn",
    msg: "old rows of the journal are gone, windows count up from what is left",
    fields: { first_seq: true },
  },
  "history.reset": {
    level: "error",
    msg: "the log went back: the newest row of the journal is gone or another one, everything is read again and what is due is recorded; check what was restored, truncated or renamed",
    fields: { row_id: true, seq_before: true, seq_now: true, lost: true },
  },
  "shutdown.started": { level: "info", msg: "shutting down", fields: { signal: true } },
  "shutdown.completed": { level: "info", msg: "shut down", fields: { took_ms: true } },
};

/** The entry of an event, whichever it is. */
export function entryOf(event: DaemonEvent): { level: LogLevel; msg: string; fields: readonly string[] } {
  const entry = VOCABULARY[event.event] as Entry<Name>;
  const { level } = entry;
  return {
    level: typeof level === "function" ? level(event) : level,
    msg: entry.msg,
    fields: Object.keys(entry.fields),
  };
}
