import { beforeEach, describe, expect, test } from "vitest";
import type { DaemonEvent } from "../src/events/daemon-event.ts";
import { Readiness } from "../src/events/readiness.ts";

const failure = { code: "ECONNREFUSED", message: "connect ECONNREFUSED 10.0.0.7:5432" };
const at = (second: number) => `2026-11-22T10:00:${String(second).padStart(2, "0")}.000Z`;

let second: number;
let readiness: Readiness;

beforeEach(() => {
  second = 0;
  readiness = new Readiness(() => new Date(at(second)));
});

/** Reports events one second apart. */
function report(...events: DaemonEvent[]): void {
  for (const event of events) {
    second += 1;
    readiness.accept(event);
  }
}

const connected: DaemonEvent = { event: "db.connected", server_version: "18", role: "damascus_metrics" };
const disconnected: DaemonEvent = { event: "db.disconnected", failure, attempt: 1, retry_in_ms: 100 };
const restoring: DaemonEvent = { event: "restore.started" };
const restored: DaemonEvent = {
  event: "restore.completed",
  seq: 1,
  merges: 1,
  from_checkpoint: null,
  projects: 1,
  skipped: 0,
  took_ms: 1,
};
const caughtUp: DaemonEvent = { event: "daemon.ready", seq: 1, took_ms: 1 };
const blocked: DaemonEvent = { event: "writer.blocked", holders: [], retry_in_ms: 100 };

const start = () => report({ event: "listen.connected" }, connected, restoring, restored, caughtUp);
const unfit = (reason: string): DaemonEvent => ({ event: "db.unfit", reason, problems: [], retry_in_ms: 1 });
const state = () => {
  const { ready, degraded, checks } = readiness.current();
  const failing = Object.entries(checks).flatMap(([name, check]) =>
    check.ok ? [] : [`${name}: ${check.reason}`],
  );
  return { ready, degraded, failing };
};

const WELL = { ready: true, degraded: false, failing: [] };

describe("at start", () => {
  test("nothing is ok before it was seen to be", () => {
    expect(state()).toStrictEqual({
      ready: false,
      degraded: true,
      failing: [
        "database: starting",
        "listen: starting",
        "restore: starting",
        "writer: starting",
        "lag: starting",
      ],
    });
  });

  test("the daemon is not ready until the backlog was empty once", () => {
    report({ event: "listen.connected" }, connected, restoring, restored, { event: "backlog.started" });
    expect(state().failing).toStrictEqual(["lag: backlog"]);
    report({ event: "lag.high", seconds: 61 });
    expect(state().failing).toStrictEqual(["lag: high"]);
    report({ event: "lag.recovered" });
    expect(state()).toMatchObject({ ready: false, failing: ["lag: backlog"] });
    report(caughtUp);
    expect(state()).toStrictEqual(WELL);
  });

  test("an unavailable database is a reason, and so is one that refuses the login or starts up", () => {
    for (const [code, reason] of [
      ["ECONNREFUSED", "connect_failed"],
      ["28P01", "login_refused"],
      ["28000", "login_refused"],
      ["57P03", "server_starting"],
    ] as const) {
      report({ event: "db.connect_failed", failure: { code, message: "no" }, attempt: 1, retry_in_ms: 1 });
      expect(state().failing).toContain(`database: ${reason}`);
    }
  });
});

describe("while running", () => {
  beforeEach(start);

  test("without notifications it is ready, but degraded", () => {
    report({ event: "listen.lost", failure, retry_in_ms: 100 });
    expect(state()).toStrictEqual({ ready: true, degraded: true, failing: ["listen: connection_lost"] });
    report({ event: "listen.degraded", reason: "notifications do not arrive" });
    expect(state()).toStrictEqual({ ready: true, degraded: true, failing: ["listen: not_heard"] });
    report({ event: "listen.connected" });
    expect(state()).toStrictEqual(WELL);
  });

  test("a lost database is over once memory is restored, not once it is connected", () => {
    report(disconnected);
    expect(state()).toMatchObject({ ready: false, failing: ["database: disconnected", "restore: pending"] });
    report(connected);
    expect(state()).toMatchObject({ ready: false, failing: ["restore: pending"] });
    report(restoring);
    expect(state()).toMatchObject({ ready: false, failing: ["restore: under_way"] });
    report(restored);
    expect(state()).toStrictEqual(WELL);
  });

  test("a server that reports what is unfit is available", () => {
    report(disconnected, unfit("read_only_server"));
    expect(state().failing).toStrictEqual(["restore: pending", "writer: read_only_server"]);
  });

  test("what makes the database or the log unfit is the reason, through every attempt, until a restore succeeds", () => {
    report(unfit("read_only_server"));
    expect(state()).toMatchObject({
      ready: false,
      failing: ["restore: pending", "writer: read_only_server"],
    });
    report(connected, unfit("contradiction"), connected, restoring);
    expect(state()).toMatchObject({ ready: false, failing: ["restore: under_way", "writer: contradiction"] });
    report(restored);
    expect(state()).toStrictEqual(WELL);
  });

  test("a held lock is over once the restore, which takes it, succeeds", () => {
    report(blocked, connected, restoring, blocked, connected);
    expect(state()).toMatchObject({ ready: false, failing: ["restore: pending", "writer: lock_held"] });
    report(restoring, restored);
    expect(state()).toStrictEqual(WELL);
  });

  test("a commit without an answer is not ready until the log is read again", () => {
    report({ event: "commit.unknown", merges: 1, failure });
    expect(state()).toMatchObject({ ready: false, failing: ["writer: commit_unknown"] });
    report(disconnected, connected, restoring, restored, { event: "commit.resolved", outcome: "committed" });
    expect(state()).toStrictEqual(WELL);
  });

  test("a history that was reset is not ready until it is restored", () => {
    report({ event: "history.reset", row_id: "5", seq_before: 3, seq_now: null, lost: null });
    expect(state()).toMatchObject({ ready: false, failing: ["restore: history_reset"] });
    report(connected, restoring, restored);
    expect(state()).toStrictEqual(WELL);
  });

  test("high lag is not ready until it is gone", () => {
    report({ event: "lag.high", seconds: 61 });
    expect(state()).toMatchObject({ ready: false, failing: ["lag: high"] });
    report({ event: "backlog.started" });
    expect(state()).toMatchObject({ ready: false, failing: ["lag: high"] });
    report({ event: "lag.recovered" });
    expect(state()).toStrictEqual(WELL);
  });

  test("a backlog while running is judged by its age alone", () => {
    report({ event: "backlog.started" });
    expect(state()).toStrictEqual(WELL);
  });

  test("a shutdown is not ready", () => {
    report({ event: "shutdown.started", signal: "SIGTERM" });
    expect(state()).toMatchObject({ ready: false, failing: ["writer: shutting_down"] });
  });

  test("since is when it changed, even if the reason changed later", () => {
    report(disconnected, disconnected, {
      event: "db.connect_failed",
      failure: { code: "28P01", message: "no" },
      attempt: 3,
      retry_in_ms: 1,
    });
    expect(readiness.current().checks.database).toStrictEqual({
      ok: false,
      since: at(6),
      reason: "login_refused",
    });
    report(connected, connected);
    expect(readiness.current().checks.database).toStrictEqual({ ok: true, since: at(9), reason: null });
  });

  test("reasons are codes: anything else of a reason is hidden", () => {
    report(
      unfit("row 5 of project atlas"),
      { event: "listen.degraded", reason: "pgbouncer at 10.0.0.7" },
      disconnected,
    );
    expect(JSON.stringify(readiness.current())).not.toMatch(/atlas|10\.0\.0\.7|damascus_metrics/);
  });
});

describe("problems on the page", () => {
  test("the advice for a failure, the problems of an unfit database, the sessions that hold the lock; gone when restored", () => {
    report(disconnected);
    expect(readiness.problems()).toStrictEqual([
      "the database cannot be reached: check that it is running and that DATABASE_URL is right (ECONNREFUSED)",
    ]);
    report({
      event: "db.unfit",
      reason: "missing_table",
      problems: ["table public.events_outbox does not exist", "see postgres://u:canary@h/d"],
      retry_in_ms: 1,
    });
    expect(readiness.problems()).toStrictEqual([
      "table public.events_outbox does not exist",
      "see postgres://u:[redacted]@h/d",
    ]);
    const holder = { pid: 4711, application: "psql", role: null, seconds: 3, prepared: null };
    report({ event: "writer.blocked", holders: [holder], retry_in_ms: 1 });
    expect(readiness.problems()).toStrictEqual([
      "another session holds the writers' lock: end it, or wait until it ends (pid 4711, psql)",
    ]);
    report(connected, restoring);
    expect(readiness.problems()).toHaveLength(1);
    report(restored);
    expect(readiness.problems()).toStrictEqual([]);
  });

  test("`/readyz` has none of it", () => {
    report(unfit("missing_table"));
    expect(Object.keys(readiness.current())).toStrictEqual(["ready", "degraded", "checks"]);
  });
});
