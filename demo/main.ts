/**
 * `npm run demo`: everything for real, on this machine, for a minute. A throwaway PostgreSQL, the daemon as an operator
 * runs it, and an orchestrator that merges work items through good times and bad. It leaves nothing behind.
 */
import { setTimeout as delay } from "node:timers/promises";
import { inspect } from "node:util";
import pg from "pg";
import { mergeByHand, OWNER_URL, sqlByHand } from "./by-hand.ts";
import { readSnapshot, showSnapshot } from "./command.ts";
import { crossCheck, unrecorded } from "./cross-check.ts";
import { startDaemon } from "./daemon-process.ts";
import { type Database, startDatabase } from "./database.ts";
import { type Folder, takeFolder } from "./folder.ts";
import { narrator, paint } from "./narrator.ts";
import { type DemoCommand, type DemoOptions, demoCommand } from "./options.ts";
import { IDLE_PACE, openOrchestrator } from "./orchestrator.ts";
import { type Mood, STRETCHES } from "./scenario.ts";

const RECORDED_WITHIN = 30_000;
const FOREVER = Number.POSITIVE_INFINITY;
/** The reason to end when nothing went wrong: a signal, or a closed standard output. */
const FAREWELL = Symbol("farewell");

const started = performance.now();

process.exitCode = await main(demoCommand(process.argv.slice(2)));

async function main(command: DemoCommand): Promise<number> {
  if (command.verb === "play") return play(command.options);
  try {
    await (command.verb === "merge" ? mergeByHand(command.options) : sqlByHand(command.statement));
    return 0;
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    return 1;
  }
}

async function play(options: DemoOptions): Promise<number> {
  const end = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => end.abort(FAREWELL));
  process.stdout.on("error", () => end.abort(FAREWELL));
  try {
    await demo(options, end);
  } catch (error) {
    const failure = failureOf(error, end.signal);
    if (failure !== null) {
      process.stderr.write(`\n${paint("red", "The demo failed:")} ${failure}\n`);
      return 1;
    }
  }
  print("Stopped. Nothing is left behind.");
  return 0;
}

async function demo(options: DemoOptions, end: AbortController): Promise<void> {
  const { signal } = end;
  await using resources = new AsyncDisposableStack();
  const folder = resources.use(takeFolder());
  print(banner(options));

  const database = resources.use(await startDatabase(folder.dataDir));
  say(
    `PostgreSQL ${database.version} on port ${database.port}: tables made, the daemon's role has its least rights`,
  );
  signal.throwIfAborted();

  const story = narrator();
  const daemon = await startDaemon({
    databaseUrl: database.daemonUrl,
    onLine: (line) => story.read(line).forEach(say),
    onDeath: (reason) => end.abort(reason),
    signal,
  });
  resources.defer(() => daemon.stop());
  signal.throwIfAborted();

  const orchestrator = await openOrchestrator({
    url: database.ownerUrl,
    seed: options.seed,
    onStretch: (mood) => say(paint("bold", stretchBegins(mood))),
  });
  resources.defer(() => orchestrator.close());
  await orchestrator.play(options.merges, options.pace, signal);
  signal.throwIfAborted();

  const reader = new pg.Client({ connectionString: database.ownerUrl, application_name: "demo" });
  reader.on("error", (error) => end.abort(error));
  await reader.connect();
  resources.defer(() => reader.end());
  await allRecorded(reader, signal);
  print(`\n${paint("bold", "$ metrics snapshot")}`);
  await showSnapshot(database.daemonUrl, signal);
  print(`\n${await agreement(reader, database.daemonUrl, signal)}`);

  if (!options.exit) {
    print(wayToLook(folder, database, daemon.address));
    story.summarise(1);
    await orchestrator.play(FOREVER, IDLE_PACE, signal);
    signal.throwIfAborted();
  }
}

/** Why the demo failed, or null where it was only told to end. */
function failureOf(error: unknown, signal: AbortSignal): string | null {
  const [first, whileEnding] =
    error instanceof SuppressedError ? [error.suppressed, error.error] : [error, null];
  // Once the end was called, that other things fall over is not news: what called it is. But that one of our
  // processes did not end as it should is.
  const reason: unknown = signal.aborted ? signal.reason : first;
  const failure: unknown = reason === FAREWELL ? whileEnding : reason;
  return failure === null ? null : failure instanceof Error ? failure.message : inspect(failure);
}

async function allRecorded(reader: pg.Client, signal: AbortSignal): Promise<void> {
  const latest = performance.now() + RECORDED_WITHIN;
  for (let missing = await unrecorded(reader); missing > 0; missing = await unrecorded(reader)) {
    if (performance.now() > latest) {
      throw new Error(`${missing} merges have not been recorded within ${RECORDED_WITHIN / 1_000} s`);
    }
    await delay(50, undefined, { signal });
  }
}

/** Throws where SQL and the snapshot differ. */
async function agreement(reader: pg.Client, databaseUrl: string, signal: AbortSignal): Promise<string> {
  const check = await crossCheck(reader, await readSnapshot(databaseUrl, signal));
  if (!check.agrees) throw new Error(["plain SQL disagrees:", ...check.differences].join("\n  "));
  return (
    `${paint("green", "plain SQL agrees:")} ${check.readings} readings, ${check.gates} gates, ` +
    `${check.merges} merges recorded once each (${seconds()} s after the start)`
  );
}

function banner({ merges, pace, seed }: DemoOptions): string {
  const [calm, storm] = STRETCHES;
  const time = pace === FOREVER ? "as fast as it goes" : `in about ${Math.ceil((merges + 12) / pace)} s`;
  return `${paint("bold", "damascus-metrics demo")}
An orchestrator takes work items of five projects from spec to merged. The daemon listens, keeps the rates over the last
50 and 100 merges, and appends them, and every crossing of a gate, to the orchestrator's own events_outbox.
${merges} merges ${time}, seed ${seed}: ${calm?.merges} good ones, ${storm?.merges} bad ones, then good ones again; on the way retries, rebase
conflicts, rollbacks, late commits, repeats, merges without a notification, and one with unusable facts.
`;
}

function stretchBegins(mood: Mood): string {
  return mood === "good"
    ? "the orchestrator begins a good stretch: 90% merge at the first attempt"
    : "the orchestrator begins a bad stretch: half its merges need retries, three in ten had a rebase conflict";
}

function wayToLook(folder: Folder, { daemonUrl, ownerUrl }: Database, address: string | null): string {
  const port = address === null ? {} : { METRICS_HTTP_PORT: new URL(address).port };
  const file = folder.writeEnvironment({ DATABASE_URL: daemonUrl, [OWNER_URL]: ownerUrl, ...port });
  return `
It continues with a merge every ${1 / IDLE_PACE} s. From another terminal, in the project's folder:
  npx node --env-file=${file} bin/metrics.js snapshot${address === null ? "" : `\n  ${address}/   also /metrics and /snapshot.json`}
Merge something yourself, here enough to push both gates over their bounds, and see page, snapshot and events react:
  npm run demo -- merge --project atlas --attempts 3 --conflict --count 20
Any SQL, as the owner of the tables (${OWNER_URL} in ${file} is for your own client):
  npm run demo -- sql "SELECT id, payload FROM events_outbox WHERE kind = 'metric.threshold_crossed' ORDER BY id"
Ctrl-C stops everything and removes its data.
`;
}

/** A line of the story, after the time since the start. */
function say(text: string): void {
  print(`${paint("gray", `${seconds().padStart(5)}s`)}  ${text}`);
}

function seconds(): string {
  return ((performance.now() - started) / 1_000).toFixed(1);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
