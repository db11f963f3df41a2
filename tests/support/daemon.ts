/** The daemon in this process, on a test database as the role of config/grants.sql: started, watched, stopped, crashed. */
import { randomBytes } from "node:crypto";
import type { Backoff } from "../../src/backoff.ts";
import { readSnapshot } from "../../src/cli/read-snapshot.ts";
import { type Clock, systemClock } from "../../src/clock.ts";
import { type Config, loadConfig } from "../../src/config.ts";
import type { MetricSettings } from "../../src/core/metric.ts";
import { type Snapshot, snapshotOf } from "../../src/core/snapshot.ts";
import type { DaemonEvent } from "../../src/events/daemon-event.ts";
import type { OutboxLog } from "../../src/outbox/outbox-log.ts";
import { DAEMON_NAME } from "../../src/postgres/lock-holders.ts";
import { openLog } from "../../src/postgres/open-log.ts";
import { listen } from "../../src/postgres/wakeup.ts";
import { Bell } from "../../src/recorder/bell.ts";
import { Daemon } from "../../src/recorder/daemon.ts";
import { PRODUCER } from "../../src/version.ts";
import type { TestDatabase } from "./database.ts";
import { READABLE } from "./oracle.ts";
import { Told } from "./told.ts";
import { until, WITHIN_MS } from "./until.ts";

export type EventName = DaemonEvent["event"];
export type EventOf<Name extends EventName> = Extract<DaemonEvent, { event: Name }>;

/** What a daemon is made of. */
export type DaemonCode = { readonly Daemon: typeof Daemon; readonly openLog: typeof openLog };

export type TestDaemonOptions = {
  /** Default: the test database's own. A proxy has another. */
  readonly url?: string;
  /** Default 100 ms. */
  readonly pollIntervalMs?: number;
  /** Default an hour, so that only the first comparison runs and nothing hides behind the others. */
  readonly auditIntervalMs?: number;
  readonly statementTimeoutMs?: number;
  readonly lockTimeoutMs?: number;
  readonly connectTimeoutMs?: number;
  readonly backoff?: Backoff;
  readonly clock?: Clock;
  readonly metrics?: readonly MetricSettings[];
  /** Whether it listens for notifications. Default false. */
  readonly listens?: boolean;
  readonly selfCheck?: { readonly everyMs: number; readonly withinMs: number };
  /** Stands between the recorder and the log: to watch it, or to break it. */
  readonly wrap?: (log: OutboxLog) => OutboxLog;
  /** Another build of the daemon, such as one with a mistake in it. Default: this one. */
  readonly code?: DaemonCode;
};

export interface TestDaemon extends AsyncDisposable {
  readonly events: readonly DaemonEvent[];
  readonly instance: string;
  /** Rejects only when the daemon gave up by itself. */
  readonly running: Promise<void>;
  /** All events of this name so far. */
  all<Name extends EventName>(name: Name): EventOf<Name>[];
  /** The first event of this name after `from` (default: from the beginning) that matches. */
  event<Name extends EventName>(
    name: Name,
    matches?: (event: EventOf<Name>) => boolean,
    from?: number,
  ): Promise<EventOf<Name>>;
  /** A place in the events: what comes later comes after this. */
  mark(): number;
  ring(): void;
  ready(): Promise<void>;
  /** Resolves when every committed merge is recorded or skipped, and memory has all of it. */
  converged(withinMs?: number): Promise<void>;
  /** What is in memory now; null while it cannot be trusted. */
  memory(): Snapshot | null;
  /** Lets go in good order. */
  stop(): Promise<void>;
  /** Is gone from one moment to the next, as by kill -9: connections break without a word. */
  crash(): Promise<void>;
}

export function configOf(url: string): Config {
  return loadConfig({ DATABASE_URL: url });
}

export function startDaemon(database: TestDatabase, options: TestDaemonOptions = {}): TestDaemon {
  const config = configOf(options.url ?? database.daemonUrl);
  const instance = randomBytes(4).toString("hex");
  const clock = options.clock ?? systemClock;
  const backoff = options.backoff ?? { firstMs: 10, capMs: 100 };
  const told = new Told<DaemonEvent>(() => running.then(() => "the daemon ended"), lastWords);
  const events = told.all;
  const stopping = new AbortController();
  const bell = new Bell();
  const report = (event: DaemonEvent): void => told.add(event);
  const connection = {
    database: config.database,
    applicationName: DAEMON_NAME + instance,
    connectTimeoutMs: options.connectTimeoutMs ?? 5_000,
    statementTimeoutMs: options.statementTimeoutMs ?? 5_000,
    lockTimeoutMs: options.lockTimeoutMs ?? 5_000,
  };
  const code = options.code ?? { Daemon, openLog };
  const daemon = new code.Daemon(
    {
      metrics: options.metrics ?? config.metrics,
      producer: PRODUCER,
      pollIntervalMs: options.pollIntervalMs ?? 100,
      auditIntervalMs: options.auditIntervalMs ?? 3_600_000,
      backoff,
    },
    {
      open: async (signal) => {
        const log = await code.openLog(
          { ...connection, schema: config.schema, merge: config.merge },
          report,
          signal,
          () => bell.ring("loss"),
        );
        return options.wrap?.(log) ?? log;
      },
      report,
      clock,
    },
    bell,
    stopping.signal,
  );
  const running = daemon.run();
  // Awaited where it matters; a test that expects the daemon to give up looks at it itself.
  running.catch(() => undefined);
  const listening =
    options.listens === true
      ? listen(
          {
            ...connection,
            notifyChannel: config.notifyChannel,
            selfChannel: `damascus_metrics_${instance}`,
            backoff,
            selfCheck: options.selfCheck ?? { everyMs: 1_000, withinMs: 1_000 },
          },
          (source) => bell.ring(source),
          report,
          clock,
          stopping.signal,
        )
      : Promise.resolve();

  function lastWords(): string {
    return `the last events:\n${events
      .slice(-12)
      .map((one) => JSON.stringify(one))
      .join("\n")}`;
  }

  function all<Name extends EventName>(name: Name): EventOf<Name>[] {
    return events.filter((one): one is EventOf<Name> => one.event === name);
  }

  function awaited<Name extends EventName>(
    name: Name,
    matches: (event: EventOf<Name>) => boolean = () => true,
    from = 0,
  ): Promise<EventOf<Name>> {
    return told.first(name, (one) => matches(one as EventOf<Name>), from) as Promise<EventOf<Name>>;
  }

  function memory(): Snapshot | null {
    const { analyzer } = daemon;
    if (analyzer === null) return null;
    return snapshotOf(analyzer, { generatedAt: "", running: 0, lag: { merges: daemon.due, seconds: null } });
  }

  async function converged(withinMs?: number): Promise<void> {
    let state = {};
    // Polling would find them as well, a little later.
    bell.ring();
    await until(
      "every merge is recorded and in memory",
      async () => {
        // Counting is much work for the server, and in vain while nothing is in memory.
        if (memory() === null) return false;
        const counted = await countRecorded(database);
        const now = memory();
        state = { ...counted, memory: now?.as_of.seq ?? null };
        return counted.due === 0 && now?.as_of.seq === counted.seq && now.skipped.total === counted.skipped;
      },
      withinMs,
    ).catch((error: unknown) => {
      throw new Error(`${String(error)}: ${JSON.stringify(state)}\n${lastWords()}`);
    });
  }

  /** Throws when it does not come to its end. */
  async function ended(): Promise<void> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => late.reject(new Error(`the daemon does not end\n${lastWords()}`)),
      WITHIN_MS,
    );
    try {
      await Promise.race([Promise.all([listening, running]), late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  async function stop(): Promise<void> {
    stopping.abort();
    await ended();
  }

  async function crash(): Promise<void> {
    daemon.abandon();
    stopping.abort();
    await ended().catch((error: unknown) => {
      if (String(error).includes("does not end")) throw error;
    });
  }

  return {
    events,
    instance,
    running,
    all,
    event: awaited,
    mark: () => events.length,
    ring: () => bell.ring(),
    ready: async () => {
      await awaited("daemon.ready");
    },
    converged,
    memory,
    stop,
    crash,
    [Symbol.asyncDispose]: crash,
  };
}

export type Counted = { readonly due: number; readonly seq: number; readonly skipped: number };

/** Work items that have merged and are neither recorded nor skipped; the newest seq; the skips. */
export async function countRecorded(database: TestDatabase): Promise<Counted> {
  const { rows } = await database.admin.query<Counted>(
    `WITH ours AS (
       SELECT kind, p FROM (
         SELECT kind, CASE WHEN ${READABLE} THEN to_jsonb(payload) END AS p
           FROM events_outbox WHERE kind IN ('metric.first_pass_merge_rate', 'metric.merge_skipped')
       ) AS readable WHERE p->>'producer' IS NOT NULL
     ), merges AS (
       SELECT DISTINCT coalesce(work_item_id::text, 'event ' || id) AS identity FROM events_outbox
        WHERE kind = 'phase.transition' AND payload::text ~ '"target" ?: ?"merged"'
     ), recorded AS (
       SELECT coalesce(p->'merge'->>'work_item_id', 'event ' || (p->'merge'->>'event_id')) AS identity
         FROM ours
     )
     SELECT (SELECT count(*) FROM merges WHERE identity NOT IN (SELECT identity FROM recorded))::int AS due,
            coalesce((SELECT max((p->>'seq')::int) FROM ours WHERE kind <> 'metric.merge_skipped'), 0) AS seq,
            (SELECT count(*) FROM ours WHERE kind = 'metric.merge_skipped')::int AS skipped`,
  );
  return rows[0] ?? { due: 0, seq: 0, skipped: 0 };
}

export async function untilRecorded(database: TestDatabase): Promise<void> {
  await until("every merge is recorded", async () => (await countRecorded(database)).due === 0);
}

/** Two snapshots are the same as far as the log decides: the moment, who runs, and what is due beside. */
export function comparable(snapshot: Snapshot | null): unknown {
  if (snapshot === null) return null;
  const { as_of, skipped, metrics } = snapshot;
  return { as_of: { ...as_of, generated_at: "" }, skipped, metrics };
}

/** What `metrics snapshot` reads from the log alone. */
export function snapshotFromLog(database: TestDatabase): Promise<Snapshot> {
  return readSnapshot(configOf(database.daemonUrl), { timeoutMs: 5_000 });
}
