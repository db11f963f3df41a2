/**
 * Whether the daemon does its job now, derived from what it reports. Reasons are codes without names, messages or row data,
 * because every client can read `/readyz`.
 *
 * After every failure the daemon forgets its memory, connects again and restores; a restore takes the writers' lock first.
 * So a completed restore proves that the writer works again, and nothing else does.
 */

import type { DaemonEvent } from "./daemon-event.ts";
import { type Failure, type Holder, sentences } from "./fields.ts";
import { meaningOf } from "./meaning.ts";

export type Check = {
  readonly ok: boolean;
  /** Since when it is, or is not, ok: ISO 8601. */
  readonly since: string;
  /** Why it is not ok; null where it is. */
  readonly reason: string | null;
};

type CheckName = "database" | "listen" | "restore" | "writer" | "lag";

export type ReadinessReport = {
  /** Every check but `listen` is ok, and the backlog was empty once. */
  readonly ready: boolean;
  /** Notifications do not arrive: merges are found by polling, later than usual. */
  readonly degraded: boolean;
  readonly checks: Readonly<Record<CheckName, Check>>;
};

export class Readiness {
  readonly #now: () => Date;
  readonly #checks: Record<CheckName, Check>;
  /** The backlog was empty once. */
  #caughtUp = false;
  #problems: readonly string[] = [];

  constructor(now: () => Date) {
    this.#now = now;
    const starting = { ok: false, since: now().toISOString(), reason: "starting" };
    this.#checks = {
      database: starting,
      listen: starting,
      restore: starting,
      writer: starting,
      lag: starting,
    };
  }

  current(): ReadinessReport {
    const { listen, ...needed } = this.#checks;
    return {
      ready: Object.values(needed).every((check) => check.ok),
      degraded: !listen.ok,
      checks: { ...this.#checks },
    };
  }

  /**
   * What keeps the daemon from recording, and what to do about it, in sentences. They may name tables, roles and sessions, so
   * the status page shows them and `/readyz` does not.
   */
  problems(): readonly string[] {
    return this.#problems;
  }

  accept(event: DaemonEvent): void {
    this.#problems = problemsAfter(event) ?? this.#problems;
    // Most events do not affect readiness.
    // oxlint-disable-next-line typescript/switch-exhaustiveness-check
    switch (event.event) {
      case "db.connected":
        return this.#ok("database");
      case "db.connect_failed":
      case "db.disconnected":
        this.#not("database", failureReason(event.failure.code, event.event));
        return this.#not("restore", "pending");
      case "db.refused":
        this.#ok("database");
        this.#not("writer", meaningOf(event.failure.code).reason ?? "refused");
        return this.#not("restore", "pending");
      case "db.unfit":
        // The server answered, or this would not be known.
        this.#ok("database");
        this.#not("writer", code(event.reason));
        return this.#not("restore", "pending");
      case "writer.blocked":
        this.#not("writer", "lock_held");
        return this.#not("restore", "pending");
      case "commit.unknown":
        return this.#not("writer", "commit_unknown");
      case "history.reset":
        // With `seq_now` the log has been read again already.
        return event.seq_now === null ? this.#not("restore", "history_reset") : undefined;
      case "restore.started":
        return this.#not("restore", "under_way");
      case "restore.completed":
        this.#ok("restore");
        return this.#ok("writer");
      case "listen.connected":
        return this.#ok("listen");
      case "listen.lost":
        return this.#not("listen", "connection_lost");
      case "listen.degraded":
        return this.#not("listen", "not_heard");
      case "backlog.started":
        // A later backlog counts by its age alone.
        if (this.#checks.lag.reason === "starting") this.#not("lag", "backlog");
        return;
      case "lag.high":
        return this.#not("lag", "high");
      case "daemon.ready":
        this.#caughtUp = true;
        return this.#ok("lag");
      case "lag.recovered":
        return this.#caughtUp ? this.#ok("lag") : this.#not("lag", "backlog");
      case "shutdown.started":
        return this.#not("writer", "shutting_down");
      case "daemon.fatal":
        return this.#not("writer", "fatal");
      default:
    }
  }

  #ok(name: CheckName): void {
    if (!this.#checks[name].ok)
      this.#checks[name] = { ok: true, since: this.#now().toISOString(), reason: null };
  }

  #not(name: CheckName, reason: string): void {
    const { ok, since } = this.#checks[name];
    this.#checks[name] = { ok: false, since: ok ? this.#now().toISOString() : since, reason };
  }
}

/** Null where an event changes nothing about them. */
function problemsAfter(event: DaemonEvent): readonly string[] | null {
  // Most events are no obstacle.
  // oxlint-disable-next-line typescript/switch-exhaustiveness-check
  switch (event.event) {
    case "db.connect_failed":
    case "db.disconnected":
    case "db.refused":
      return [adviceFor(event.failure)];
    case "db.unfit":
      return sentences(event.problems);
    case "writer.blocked":
      return [
        `another session holds the writers' lock: end it, or wait until it ends${named(event.holders)}`,
      ];
    case "restore.completed":
      return [];
    default:
      return null;
  }
}

function adviceFor({ code: cause }: Failure): string {
  return `${meaningOf(cause).advice} (${cause})`;
}

function named(holders: readonly Holder[]): string {
  const sessions = holders.flatMap(({ pid, application }) =>
    pid === null ? [] : [`pid ${pid}${application === null ? "" : `, ${application}`}`],
  );
  return sessions.length === 0 ? "" : ` (${sessions.join("; ")})`;
}

function failureReason(sqlState: string, event: "db.connect_failed" | "db.disconnected"): string {
  const { reason } = meaningOf(sqlState);
  if (reason !== null) return reason;
  return event === "db.disconnected" ? "disconnected" : "connect_failed";
}

/** Only a word passes; a sentence could say too much. */
function code(reason: string): string {
  return /^[a-z][a-z0-9_]{0,62}$/.test(reason) ? reason : "unspecified";
}
