/**
 * `npm run soak`: hours in minutes. An orchestrator that never rests, one daemon that runs all the time and one that is
 * told to stop or killed again and again, all on a PostgreSQL of its own. It ends by itself, and fails where a merge is
 * not recorded exactly once, a number is wrong, or the memory of the daemon that runs all the time keeps growing.
 */
import { setTimeout as delay } from "node:timers/promises";
import { Command, InvalidArgumentError } from "commander";
import pg from "pg";
import { installPackage } from "../build/package.ts";
import { mulberry32, type Random } from "../demo/random.ts";
import { violations } from "../tests/support/oracle.ts";
import type { ProbeMessage } from "./probe.ts";
import { type DaemonProcess, type DaemonProcessOptions, daemonProcess, IMAGE_FLAGS } from "./processes.ts";
import { type Database, startServer } from "./server.ts";
import { type SoakOrchestrator, soakOrchestrator } from "./soak-orchestrator.ts";
import { SoakWatch } from "./soak-watch.ts";

type Options = {
  readonly minutes: number;
  readonly seed: number;
  readonly rate: number;
  /** MB per minute by which memory may grow: what is live, and from ten minutes on what is resident. */
  readonly maxSlope: number;
};

const PROBE = new URL("./probe.ts", import.meta.url).href;
const BURST = { burst: 500, burstEveryMs: 20_000 };
const RESTART_EVERY_MS = 15_000;
/** Before, a process still takes what it needs to work, and a slope says nothing. What is live, it says at once. */
const RESIDENT_JUDGED_FROM_MINUTES = 10;
const RECORDED_WITHIN_MS = 60_000;
const TOLD_EVERY_MS = 30_000;
const MINUTE_MS = 60_000;

const startedAt = performance.now();

process.exitCode = await soak(parseOptions(process.argv.slice(2)));

async function soak(options: Options): Promise<number> {
  say("building and installing the package");
  await using shipped = await installPackage();
  const { entry } = shipped;
  await using server = await startServer();
  await using database = await server.database("soak");
  const random = mulberry32(options.seed);
  const orchestrator = soakOrchestrator(database, random, { rate: options.rate, ...BURST });
  const watch = new SoakWatch(orchestrator, say);
  const end = AbortSignal.timeout(options.minutes * MINUTE_MS);
  say(
    `PostgreSQL ${server.version}, ${options.minutes} minutes, ${options.rate} merges/s, seed ${options.seed}`,
  );

  await using steady = await startDaemon(entry, database, {
    onLine: (line) => watch.read(line),
    onMessage: (message) => watch.probed(message as ProbeMessage),
  });
  const telling = setInterval(() => say(watch.summary()), TOLD_EVERY_MS);
  const restarts = restartAgainAndAgain(entry, database, random, watch, end);
  const loadMs = performance.now();
  await orchestrator.run(end);
  const rate = orchestrator.committed.size / ((performance.now() - loadMs) / 1_000);
  clearInterval(telling);
  const restarted = await restarts;
  await allRecorded(database, orchestrator);
  await stop(steady);

  const wrong = await judge(database, orchestrator);
  const growth = watch.growth();
  say(watch.summary());
  say(`${rate.toFixed(1)} merges/s, ${orchestrator.rolledBack} rolled back, ${restarted} restarts beside it`);
  for (const line of watch.lags()) say(line);
  say(
    `memory by linear regression: resident ${growth.rss.toFixed(2)} MB/min, live ${growth.live.toFixed(2)} MB/min, ` +
      `at most ${options.maxSlope} allowed`,
  );
  for (const line of wrong) say(`WRONG: ${line}`);
  const judged =
    options.minutes >= RESIDENT_JUDGED_FROM_MINUTES ? Math.max(growth.rss, growth.live) : growth.live;
  const grows = judged > options.maxSlope;
  if (grows) say("WRONG: the daemon's memory keeps growing");
  if (wrong.length === 0 && !grows) say("every merge is recorded exactly once, and every number is right");
  return wrong.length > 0 || grows ? 1 : 0;
}

function startDaemon(
  entry: string,
  database: Database,
  options: DaemonProcessOptions,
): Promise<DaemonProcess> {
  return daemonProcess(entry, database.daemonUrl, {
    ...options,
    flags: [...IMAGE_FLAGS, ...(options.onMessage === undefined ? [] : ["--import", PROBE])],
    // Merges without a notification are found within a second; the whole log is reconciled several times.
    environment: { METRICS_POLL_INTERVAL: "1s", METRICS_AUDIT_INTERVAL: "20s" },
  });
}

/** A second daemon that comes and goes. @returns how often. */
async function restartAgainAndAgain(
  entry: string,
  database: Database,
  random: Random,
  watch: SoakWatch,
  end: AbortSignal,
): Promise<number> {
  let times = 0;
  while (!end.aborted) {
    await using daemon = await startDaemon(entry, database, { onLine: (line) => watch.read(line) });
    await delay(RESTART_EVERY_MS * (0.5 + random()), undefined, { signal: end }).catch(() => undefined);
    if (random() < 0.5) await stop(daemon);
    times += 1;
  }
  return times;
}

async function stop(daemon: DaemonProcess): Promise<void> {
  await daemon.end("SIGTERM");
  if (daemon.child.exitCode !== 0) throw new Error(`a daemon ended with exit code ${daemon.child.exitCode}`);
}

async function allRecorded({ owner }: Database, { committed }: SoakOrchestrator): Promise<void> {
  for (const until = performance.now() + RECORDED_WITHIN_MS; ; await delay(100)) {
    const { rows } = await owner.query<{ seq: number }>(
      `SELECT (payload->>'seq')::int AS seq FROM events_outbox
        WHERE kind = 'metric.first_pass_merge_rate' ORDER BY id DESC LIMIT 1`,
    );
    if (rows[0]?.seq === committed.size) return;
    if (performance.now() > until)
      return say(`WRONG: seq ${rows[0]?.seq} of ${committed.size} after ${RECORDED_WITHIN_MS / 1_000} s`);
  }
}

/** @returns what is wrong. */
async function judge(database: Database, { committed }: SoakOrchestrator): Promise<string[]> {
  const pool = new pg.Pool({ connectionString: database.ownerUrl, max: 1 });
  try {
    const wrong = await violations(pool);
    const { rows } = await pool.query<{ event_id: string }>(
      `SELECT payload->'merge'->>'event_id' AS event_id FROM events_outbox WHERE kind = 'metric.first_pass_merge_rate'`,
    );
    const recorded = new Set(rows.map(({ event_id }) => event_id));
    const missing = [...committed.keys()].filter((eventId) => !recorded.has(eventId));
    if (missing.length > 0 || rows.length !== committed.size)
      wrong.push(
        `${committed.size} merges were committed, ${rows.length} recorded, missing: ${missing.slice(0, 5).join(", ")}`,
      );
    return wrong;
  } finally {
    await pool.end();
  }
}

function parseOptions(args: readonly string[]): Options {
  const command = new Command("npm run soak --")
    .description(
      "Steady load, bursts and restarts on a PostgreSQL of its own; fails on a wrong log or growing memory.",
    )
    .option("--minutes <number>", "how long", positive, 5)
    .option("--seed <number>", "another course of events", positive, 1)
    .option("--rate <number>", "merges per second", positive, 15)
    .option("--max-slope <number>", "MB per minute by which memory may grow", positive, 2)
    .showHelpAfterError("(--help shows the options)")
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));
  return command.parse(args, { from: "user" }).opts<Options>();
}

function positive(text: string): number {
  if (/^[0-9]{1,6}(\.[0-9]{1,3})?$/.test(text) && Number(text) > 0) return Number(text);
  throw new InvalidArgumentError("A number above 0 is expected.");
}

function say(text: string): void {
  process.stdout.write(`${((performance.now() - startedAt) / 1_000).toFixed(1).padStart(6)}s  ${text}\n`);
}
