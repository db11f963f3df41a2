/** The daemon's process: binds the loop to PostgreSQL, log, HTTP and signals, until a signal or a fatal error ends it. */
import { randomBytes } from "node:crypto";
import { isatty } from "node:tty";
import { pause } from "../backoff.ts";
import { systemClock } from "../clock.ts";
import { settingsForLog } from "../config/effective.ts";
import type { Config } from "../config.ts";
import { UnfitLog } from "../core/journal-row.ts";
import type { DaemonEvent, Report } from "../events/daemon-event.ts";
import { createLogger } from "../events/log.ts";
import { Readiness } from "../events/readiness.ts";
import { LatePrometheus } from "../http/late-prometheus.ts";
import { Memory } from "../http/memory.ts";
import type { HttpService, Served } from "../http/server.ts";
import { UnfitDatabase } from "../outbox/outbox-log.ts";
import { DAEMON_NAME } from "../postgres/lock-holders.ts";
import { openLog } from "../postgres/open-log.ts";
import { listen } from "../postgres/wakeup.ts";
import { Bell } from "../recorder/bell.ts";
import { Daemon } from "../recorder/daemon.ts";
import { PRODUCER } from "../version.ts";
import { reportForeignOutput } from "./foreign-output.ts";
import { hasCursor, runProgress } from "./progress.ts";
import { processTerminal } from "./terminal.ts";

const BACKOFF = { firstMs: 200, capMs: 10_000 };
/** Loading the service keeps the process's one thread busy: it waits until everything is recorded, but no longer than this. */
const SERVE_WITHIN_MS = 250;
const SELF_CHECK = { everyMs: 10_000, withinMs: 5_000 };
/** Unfinished work is abandoned when this much of the shutdown timeout is left. */
const ABANDON_BEFORE_MS = 500;
const SIGNALS = ["SIGTERM", "SIGINT"] as const;
const EXIT = { done: 0, failure: 1, unfit: 3 };

/** @returns the process's exit code. */
export async function run(config: Config): Promise<number> {
  const instance = randomBytes(4).toString("hex");
  const log = createLogger({ level: config.logLevel, instance });
  const readiness = new Readiness(systemClock.now);
  const prometheus = new LatePrometheus();
  const progress = progressOnScreen();
  const recorded = new AbortController();
  const report: Report = (event) => {
    if (event.event === "daemon.ready") recorded.abort();
    readiness.accept(event);
    prometheus.accept(event);
    if (progress === null) log.report(event);
    else progress(event, () => log.report(event));
  };
  // Runs before the handler of `program.ts`, so that the log has the reason.
  process.prependListener("uncaughtException", (error) => {
    report(fatal(error));
    process.exit(EXIT.failure);
  });
  const restoreOutput = reportForeignOutput(report);
  for (const warning of config.warnings) report({ event: "config.unknown_variable", ...warning });
  report({ event: "daemon.starting", settings: settingsForLog(config) });

  const stop = new AbortController();
  const bell = new Bell((source) => prometheus.wokenBy(source));
  const connection = {
    database: config.database,
    applicationName: DAEMON_NAME + instance,
    connectTimeoutMs: config.connectTimeoutMs,
    statementTimeoutMs: config.statementTimeoutMs,
    lockTimeoutMs: config.lockTimeoutMs,
  };
  const logSettings = { ...connection, schema: config.schema, merge: config.merge };
  const daemon = new Daemon(
    { ...config, producer: PRODUCER, backoff: BACKOFF },
    {
      open: (signal) => openLog(logSettings, report, signal, () => bell.ring("loss")),
      report,
      clock: systemClock,
    },
    bell,
    stop.signal,
  );
  const stopped = stopOnSignals(stop, daemon, config.shutdownTimeoutMs, report);
  let alive = true;
  const running = daemon.run();
  // Its failure is handled below, when the service is there.
  running.catch(() => undefined);
  await pause(SERVE_WITHIN_MS, AbortSignal.any([recorded.signal, stop.signal]));
  const listening = listen(
    {
      ...connection,
      notifyChannel: config.notifyChannel,
      selfChannel: `damascus_metrics_${instance}`,
      backoff: BACKOFF,
      selfCheck: SELF_CHECK,
    },
    (source) => bell.ring(source),
    report,
    systemClock,
    stop.signal,
  );
  const served: Served = {
    isAlive: () => alive,
    readiness,
    memory: new Memory(daemon, config.metrics, systemClock.now),
    merge: config.merge,
    prometheus: () => prometheus.load(),
  };
  const http = await serve(config, served, report).catch(async (error: unknown) => {
    stop.abort();
    daemon.abandon();
    await Promise.allSettled([running, listening]);
    throw error;
  });
  try {
    await running;
    return EXIT.done;
  } catch (error) {
    report(fatal(error));
    return error instanceof UnfitDatabase || error instanceof UnfitLog ? EXIT.unfit : EXIT.failure;
  } finally {
    alive = false;
    stop.abort();
    await listening;
    await http?.close();
    stopped();
    restoreOutput();
  }
}

/** @returns null if the service is off. @throws Failed */
async function serve(config: Config, served: Served, report: Report): Promise<HttpService | null> {
  if (!config.httpEnabled) return null;
  const { startHttp } = await import("../http/server.ts");
  return startHttp({ host: config.httpHost, port: config.httpPort }, served, report);
}

const STDOUT = 1;
const STDERR = 2;

/** Null unless standard error is a terminal. `process.stderr` would open the stream, so this checks the descriptor. */
function progressOnScreen(): ReturnType<typeof runProgress> | null {
  if (!isatty(STDERR) || !hasCursor(processTerminal)) return null;
  return runProgress(processTerminal, isatty(STDOUT));
}

/** @returns a function to call when the daemon has ended. */
function stopOnSignals(stop: AbortController, daemon: Daemon, timeoutMs: number, report: Report): () => void {
  let startedAt: number | null = null;
  let abandoning: NodeJS.Timeout | undefined;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (startedAt !== null) return;
    startedAt = systemClock.monotonic();
    report({ event: "shutdown.started", signal });
    stop.abort();
    abandoning = setTimeout(() => daemon.abandon(), Math.max(timeoutMs - ABANDON_BEFORE_MS, timeoutMs / 2));
  };
  for (const signal of SIGNALS) {
    // Replaces the listener that `bin/metrics.js` has while the daemon is loaded. Adds before it removes: without a listener,
    // a pending signal would be lost.
    const loading = process.listeners(signal);
    process.on(signal, onSignal);
    for (const listener of loading) process.off(signal, listener);
  }
  return () => {
    clearTimeout(abandoning);
    for (const signal of SIGNALS) process.off(signal, onSignal);
    if (startedAt !== null)
      report({ event: "shutdown.completed", took_ms: Math.round(systemClock.monotonic() - startedAt) });
  };
}

function fatal(error: unknown): DaemonEvent {
  const event = "daemon.fatal";
  if (error instanceof UnfitDatabase) {
    const failure = { code: error.reason, message: "the database is not fit" };
    return { event, failure, problems: error.problems };
  }
  if (error instanceof UnfitLog) {
    const failure = { code: error.reason, message: "the log is not fit" };
    return { event, failure, problems: [error.message] };
  }
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { event, failure: { code: "unexpected", message }, problems: [] };
}
