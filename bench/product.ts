/** The product's own pieces, put together as `metrics run` does, but within this process, where a clock can be held to them. */
import { randomBytes } from "node:crypto";
import { systemClock } from "../src/clock.ts";
import { type Config, loadConfig } from "../src/config.ts";
import type { DaemonEvent } from "../src/events/daemon-event.ts";
import type { OutboxLog } from "../src/outbox/outbox-log.ts";
import { DAEMON_NAME } from "../src/postgres/lock-holders.ts";
import { openLog } from "../src/postgres/open-log.ts";
import { listen } from "../src/postgres/wakeup.ts";
import { Bell } from "../src/recorder/bell.ts";
import { Daemon } from "../src/recorder/daemon.ts";
import { prove, type Recorder, restoreRecorder } from "../src/recorder/recorder.ts";
import { Reported } from "../src/recorder/reported.ts";
import { PRODUCER } from "../src/version.ts";

const BACKOFF = { firstMs: 200, capMs: 10_000 };
const SELF_CHECK = { everyMs: 10_000, withinMs: 5_000 };
const NEVER_MS = 86_400_000;
/** A slow page of a large replay must not end a measurement. */
const STATEMENT_TIMEOUT_MS = 60_000;

export function configOf(databaseUrl: string): Config {
  return loadConfig({ DATABASE_URL: databaseUrl });
}

function connectionOf(config: Config, instance: string) {
  return {
    database: config.database,
    applicationName: DAEMON_NAME + instance,
    connectTimeoutMs: config.connectTimeoutMs,
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    lockTimeoutMs: config.lockTimeoutMs,
  };
}

/** As the daemon opens its log. */
export function open(databaseUrl: string): Promise<OutboxLog> {
  const config = configOf(databaseUrl);
  const settings = { ...connectionOf(config, "bench"), schema: config.schema, merge: config.merge };
  return openLog(settings, () => undefined, new AbortController().signal);
}

/** The same log without any checkpoint. */
export function withoutCheckpoints(log: OutboxLog): OutboxLog {
  return { ...log, checkpoints: async function* () {} };
}

export function restoreFrom(
  log: OutboxLog,
  databaseUrl: string,
  report: (event: DaemonEvent) => void = () => undefined,
): Promise<Recorder> {
  return restoreRecorder(
    log,
    { metrics: configOf(databaseUrl).metrics, producer: PRODUCER },
    { report, reported: new Reported(), clock: systemClock, stop: new AbortController().signal },
  );
}

export interface Recording extends AsyncDisposable {
  readonly recorder: Recorder;
  /** Records all that is due. @returns how many merges that were. */
  poll(): Promise<number>;
}

/** A recorder without a loop: it looks when it is told to. */
export async function record(databaseUrl: string): Promise<Recording> {
  const log = await open(databaseUrl);
  const recorder = await prove(await restoreFrom(log, databaseUrl));
  return {
    recorder,
    poll: async () => Number(await recorder.poll()),
    [Symbol.asyncDispose]: () => log.end(),
  };
}

export interface LiveDaemon extends AsyncDisposable {
  /** Resolves when it is ready and has compared the whole log once, so that it does nothing but wait. */
  quiet(): Promise<void>;
  /** Resolves with the time at which the merge of this event was committed as recorded. */
  recorded(eventId: string): Promise<number>;
}

/**
 * The daemon with its listener. It finds merges by notifications alone, so a poll at the right moment cannot
 * flatter the result, and it reconciles the whole log once.
 */
export function startDaemon(databaseUrl: string): LiveDaemon {
  const config = configOf(databaseUrl);
  const connection = connectionOf(config, randomBytes(4).toString("hex"));
  const stopping = new AbortController();
  const bell = new Bell();
  const recordedAt = new Map<string, number>();
  const waiting = new Map<string, (at: number) => void>();
  const ready = Promise.withResolvers<void>();
  const compared = Promise.withResolvers<void>();
  const listening = Promise.withResolvers<void>();
  const report = (event: DaemonEvent): void => {
    if (event.event === "merge.recorded") {
      const at = performance.now();
      recordedAt.set(event.event_id, at);
      waiting.get(event.event_id)?.(at);
    } else if (event.event === "daemon.ready") ready.resolve();
    else if (event.event === "reconciliation.completed") compared.resolve();
    else if (event.event === "listen.connected") listening.resolve();
  };
  const settings = { ...connection, schema: config.schema, merge: config.merge };
  const daemon = new Daemon(
    {
      metrics: config.metrics,
      producer: PRODUCER,
      pollIntervalMs: NEVER_MS,
      auditIntervalMs: NEVER_MS,
      backoff: BACKOFF,
    },
    { open: (signal) => openLog(settings, report, signal), report, clock: systemClock },
    bell,
    stopping.signal,
  );
  const running = daemon.run();
  running.catch((error: unknown) => {
    for (const gate of [ready, compared, listening]) gate.reject(error);
  });
  const ears = listen(
    {
      ...connection,
      notifyChannel: config.notifyChannel,
      selfChannel: "bench_self",
      backoff: BACKOFF,
      selfCheck: SELF_CHECK,
    },
    () => bell.ring(),
    report,
    systemClock,
    stopping.signal,
  );
  return {
    quiet: async () => {
      await Promise.all([ready.promise, compared.promise, listening.promise]);
    },
    recorded: (eventId) =>
      new Promise((resolve, reject) => {
        const at = recordedAt.get(eventId);
        if (at !== undefined) return resolve(at);
        waiting.set(eventId, resolve);
        setTimeout(() => reject(new Error(`merge ${eventId} was not recorded within 30 s`)), 30_000).unref();
      }),
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await running;
      await ears;
    },
  };
}
