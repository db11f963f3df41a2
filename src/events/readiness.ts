/**
 * Whether the daemon records merges now, derived from its events. Reasons are codes without names, messages or row data,
 * because every client can read `/readyz`.
 *
 * After every failure the daemon forgets its memory, connects again and restores; a restore takes the writers' lock first.
 * So a completed restore proves that the writer works again, and nothing else does.
 */

import type { DaemonEvent } from "./daemon-event.ts";
import { type Holder, sentences } from "./fields.ts";
import { meaningOf } from "./meaning.ts";

export type Check = {
  readonly ok: boolean;
  /** When `ok` last changed: ISO 8601. */
  readonly since: string;
  /** Why it is not ok; else null. */
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

/** A check with the reason why it is not ok, or null if it is ok again. */
type Change = readonly [check: CheckName, reason: string | null];

type Before = {
  readonly lag: Check;
  /** The backlog was empty once. */
  readonly caughtUp: boolean;
};

type Changes = {
  readonly [Name in DaemonEvent["event"]]?: (
    event: Extract<DaemonEvent, { readonly event: Name }>,
    before: Before,
  ) => readonly Change[];
};

const FORGOTTEN: Change = ["restore", "pending"];

/** Most events do not affect readiness. */
const CHANGES: Changes = {
  "db.connected": () => [["database", null]],
  "db.connect_failed": ({ failure }) => [
    ["database", meaningOf(failure.code).reason ?? "connect_failed"],
    FORGOTTEN,
  ],
  "db.disconnected": ({ failure }) => [
    ["database", meaningOf(failure.code).reason ?? "disconnected"],
    FORGOTTEN,
  ],
  // A refusal is an answer, so the database is ok.
  "db.refused": ({ failure }) => [
    ["database", null],
    ["writer", meaningOf(failure.code).reason ?? "refused"],
    FORGOTTEN,
  ],
  "db.unfit": ({ reason }) => [["database", null], ["writer", word(reason)], FORGOTTEN],
  "writer.blocked": () => [["writer", "lock_held"], FORGOTTEN],
  "commit.unknown": () => [["writer", "commit_unknown"]],
  // With `seq_now` the log has been read again already.
  "history.reset": ({ seq_now: now }) => (now === null ? [["restore", "history_reset"]] : []),
  "restore.started": () => [["restore", "under_way"]],
  "restore.completed": () => [
    ["restore", null],
    ["writer", null],
  ],
  "listen.connected": () => [["listen", null]],
  "listen.lost": () => [["listen", "connection_lost"]],
  "listen.degraded": () => [["listen", "not_heard"]],
  // A later backlog counts by its age alone.
  "backlog.started": (_, { lag }) => (lag.reason === "starting" ? [["lag", "backlog"]] : []),
  "lag.high": () => [["lag", "high"]],
  "lag.recovered": (_, { caughtUp }) => [["lag", caughtUp ? null : "backlog"]],
  "daemon.ready": () => [["lag", null]],
  "shutdown.started": () => [["writer", "shutting_down"]],
  "daemon.fatal": () => [["writer", "fatal"]],
};

export class Readiness {
  readonly #now: () => Date;
  readonly #checks: Record<CheckName, Check>;
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
    this.#caughtUp ||= event.event === "daemon.ready";
    const before = { lag: this.#checks.lag, caughtUp: this.#caughtUp };
    // Event and row are of one name, which the compiler cannot see.
    for (const [name, reason] of CHANGES[event.event]?.(event as never, before) ?? []) {
      const { ok, since } = this.#checks[name];
      const changes = ok !== (reason === null);
      this.#checks[name] = {
        ok: reason === null,
        since: changes ? this.#now().toISOString() : since,
        reason,
      };
    }
  }
}

/** Null if an event changes nothing about them. */
function problemsAfter(event: DaemonEvent): readonly string[] | null {
  // Most events are no obstacle.
  // oxlint-disable-next-line typescript/switch-exhaustiveness-check
  switch (event.event) {
    case "db.connect_failed":
    case "db.disconnected":
    case "db.refused":
      return [`${meaningOf(event.failure.code).advice} (${event.failure.code})`];
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

function named(holders: readonly Holder[]): string {
  const sessions = holders.flatMap(({ pid, application }) =>
    pid === null ? [] : `pid ${pid}${application === null ? "" : `, ${application}`}`,
  );
  return sessions.length === 0 ? "" : ` (${sessions.join("; ")})`;
}

/** Only a word passes: a sentence could name tables or roles. */
function word(reason: string): string {
  return /^[a-z][a-z0-9_]{0,62}$/.test(reason) ? reason : "unspecified";
}
