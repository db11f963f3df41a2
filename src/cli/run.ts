/** The daemon's process: binds the loop to PostgreSQL, logs, HTTP and signals, and lives until it is told to stop. */
import { randomBytes } from "node:crypto";
import { Bell } from "../bell.ts";
import { systemClock } from "../clock.ts";
import type { Config } from "../config.ts";
import { UnfitLog } from "../core/journal-row.ts";
import { Daemon } from "../daemon.ts";
import type { DaemonEvent, Report } from "../daemon-event.ts";
import { createLogger } from "../log.ts";
import { UnfitDatabase } from "../outbox-log.ts";
import { daemonName } from "../postgres/application-name.ts";
import { openLog } from "../postgres/open-log.ts";
import { listen } from "../postgres/wakeup.ts";
import { PRODUCER } from "../version.ts";

const BACKOFF = { firstMs: 200, capMs: 10_000 };
const SELF_CHECK = { everyMs: 10_000, withinMs: 5_000 };
/** What is left of the shutdown timeout when whatever is still under way is abandoned. */
const ABANDON_BEFORE_MS = 500;
const EXIT = { done: 0, failure: 1, unfit: 3 };

/** @returns the process's exit code. */
export async function run(config: Config): Promise<number> {
  const instance = randomBytes(4).toString("hex");
  const { report } = createLogger({ level: config.logLevel, instance });
  for (const warning of config.warnings) report({ event: "config.unknown_variable", ...warning });
  report({ event: "daemon.starting", settings: settingsToTell(config) });

  const stop = new AbortController();
  const bell = new Bell();
  const connection = {
    database: config.database,
    applicationName: daemonName(instance),
    connectTimeoutMs: config.connectTimeoutMs,
    statementTimeoutMs: config.statementTimeoutMs,
    lockTimeoutMs: config.lockTimeoutMs,
  };
  const daemon = new Daemon(
    {
      metrics: config.metrics,
      producer: PRODUCER,
      pollIntervalMs: config.pollIntervalMs,
      auditIntervalMs: config.auditIntervalMs,
      backoff: BACKOFF,
    },
    {
      open: (signal) =>
        openLog({ ...connection, schema: config.schema, merge: config.merge }, report, signal),
      report,
      clock: systemClock,
    },
    bell,
    stop.signal,
  );
  const listening = listen(
    {
      ...connection,
      notifyChannel: config.notifyChannel,
      selfChannel: `damascus_metrics_${instance}`,
      backoff: BACKOFF,
      selfCheck: SELF_CHECK,
    },
    () => bell.ring(),
    report,
    systemClock,
    stop.signal,
  );
  const shutdown = stopOnSignals(stop, daemon, config.shutdownTimeoutMs, report);
  try {
    await daemon.run();
    return EXIT.done;
  } catch (error) {
    report(fatal(error));
    return error instanceof UnfitDatabase || error instanceof UnfitLog ? EXIT.unfit : EXIT.failure;
  } finally {
    stop.abort();
    await listening;
    shutdown();
  }
}

/** @returns what to call when everything has ended. */
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
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
  return () => {
    clearTimeout(abandoning);
    process.off("SIGTERM", onSignal);
    process.off("SIGINT", onSignal);
    if (startedAt !== null)
      report({ event: "shutdown.completed", took_ms: Math.round(systemClock.monotonic() - startedAt) });
  };
}

function fatal(error: unknown): DaemonEvent {
  if (error instanceof UnfitDatabase)
    return {
      event: "daemon.fatal",
      failure: { code: error.reason, message: "the database is not fit" },
      problems: error.problems,
    };
  if (error instanceof UnfitLog)
    return {
      event: "daemon.fatal",
      failure: { code: error.reason, message: "the log is not fit" },
      problems: [error.message],
    };
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { event: "daemon.fatal", failure: { code: "unexpected", message }, problems: [] };
}

/** The settings that a log may show: no connection, as it may hold a password. */
function settingsToTell(config: Config): Readonly<Record<string, unknown>> {
  const { database: _, origins: __, warnings: ___, ...settings } = config;
  return settings;
}
