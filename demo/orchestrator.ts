#!/usr/bin/env node
/**
 * Plays the story of `scenario.ts` on the orchestrator's tables: a few workers, each with a connection of its own,
 * each at one transaction at a time. Alone (`node demo/orchestrator.ts` with DATABASE_URL; its password may stand in a
 * file, PGPASSWORD_FILE) it plays until it is told to stop; the tables must exist.
 */
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { readConnection } from "../src/config/connection.ts";
import { orchestratorOptions } from "./options.ts";
import { type Mood, scenario, type Transaction } from "./scenario.ts";

const WORKERS = 5;
/** Transactions that may be begun and not ended: how far a fast story runs ahead of the database. */
const BACKLOG = 40;
/** How long a transaction waits to be overtaken at most, in milliseconds: in a slow story hardly anybody comes. */
const LONGEST_WAIT = 1_000;
/** Merges per second at the usual pace. */
export const IDLE_PACE = 0.25;

export interface Orchestrator {
  /**
   * Plays on until so many further merges that count have been made, and returns when all its transactions ended.
   * Returns early when the signal is aborted. Throws when the database does not do what it should.
   * @param pace merges per second; Infinity for as fast as the database takes them.
   */
  play(merges: number, pace: number, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

export type OrchestratorOptions = {
  readonly url: string | pg.ClientConfig;
  readonly seed: number;
  /** Told when a good or a bad stretch begins. */
  readonly onStretch?: (mood: Mood) => void;
  /** Told after each merge that counts, with how many there were. */
  readonly onMerge?: (merges: number) => void;
};

type Progress = {
  /** Transactions that ended, and those that were given to a worker and did not. */
  ended: number;
  open: number;
  merges: number;
  mood: Mood | null;
  failure: Error | null;
};

/** Connects the workers. Throws when the database cannot be reached. */
export async function openOrchestrator(options: OrchestratorOptions): Promise<Orchestrator> {
  const story = scenario(options.seed);
  const workers = await connectAll(options.url);
  /** The end of what each worker has been given so far. */
  const ends = workers.map(() => Promise.resolve());
  /** The database's id of each item. */
  const ids = new Map<number, string>();
  const progress: Progress = { ended: 0, open: 0, merges: 0, mood: null, failure: null };

  async function play(count: number, pace: number, signal: AbortSignal): Promise<void> {
    const started = performance.now();
    let from: number | undefined;
    for (let made = 0; made < count && progress.failure === null; ) {
      const transaction = story.next().value;
      from ??= transaction.at;
      const due = started + ((transaction.at - from) / pace) * 1_000;
      if (!(await pause(due - performance.now(), signal))) break;
      while (progress.open >= BACKLOG && progress.failure === null && (await pause(2, signal)));
      if (transaction.counts) {
        made += 1;
        if (transaction.mood !== progress.mood) options.onStretch?.((progress.mood = transaction.mood));
      }
      // An item stays with one worker, so its transitions cannot overtake each other.
      const worker = transaction.item.number % workers.length;
      progress.open += 1;
      ends[worker] = after(ends[worker] as Promise<void>, workers[worker] as pg.Client, transaction, signal);
    }
    await Promise.all(ends);
    if (progress.failure !== null) throw progress.failure;
  }

  /** Never rejects: the first failure is kept, and everything after it is left undone. */
  async function after(
    before: Promise<void>,
    client: pg.Client,
    transaction: Transaction,
    signal: AbortSignal,
  ): Promise<void> {
    await before;
    try {
      if (progress.failure === null) await run(client, transaction, signal);
    } catch (error) {
      progress.failure ??= error as Error;
    }
    progress.ended += 1;
    progress.open -= 1;
  }

  async function run(client: pg.Client, transaction: Transaction, signal: AbortSignal): Promise<void> {
    await client.query("BEGIN");
    await writeItem(client, transaction, ids);
    await appendEvent(client, transaction, ids);
    if (transaction.notify) await client.query("SELECT pg_notify('events_outbox', '')");
    if (transaction.overtakenBy > 0) await overtaken(transaction.overtakenBy, signal);
    await client.query(transaction.ending === "commit" ? "COMMIT" : "ROLLBACK");
    if (transaction.counts) options.onMerge?.((progress.merges += 1));
  }

  /** Waits until so many others have ended, unless none is left. */
  async function overtaken(by: number, signal: AbortSignal): Promise<void> {
    const enough = progress.ended + by;
    const latest = performance.now() + LONGEST_WAIT;
    while (progress.ended < enough && performance.now() < latest && (await pause(5, signal)));
  }

  return {
    play,
    async close() {
      await Promise.all(workers.map((worker) => worker.end().catch(() => {})));
    },
  };
}

async function connectAll(url: OrchestratorOptions["url"]): Promise<pg.Client[]> {
  const workers = Array.from(
    { length: WORKERS },
    () =>
      new pg.Client({
        ...(typeof url === "string" ? { connectionString: url } : url),
        application_name: "orchestrator",
        connectionTimeoutMillis: 5_000,
      }),
  );
  // The query under way fails as well, and says it to us.
  for (const worker of workers) worker.on("error", () => {});
  const connected = await Promise.allSettled(workers.map((worker) => worker.connect()));
  const failed = connected.find((result) => result.status === "rejected");
  if (failed === undefined) return workers;
  await Promise.allSettled(workers.map((worker) => worker.end()));
  throw failed.reason;
}

async function writeItem(
  client: pg.Client,
  transaction: Transaction,
  ids: Map<number, string>,
): Promise<void> {
  const { item, from, target, attempts, lastVerdict } = transaction;
  if (from === null) {
    const created = await client.query<{ id: string }>(
      `INSERT INTO work_items (project, story_id, phase, attempts, last_verdict, file_scope)
       VALUES ($1, $2, $3, $4, $5, $6) RETURNING id::text`,
      [item.project, item.storyId, target, attempts, lastVerdict, JSON.stringify(item.fileScope)],
    );
    ids.set(item.number, created.rows[0]?.id ?? "");
    // Repeats follow their merge closely: an item that long ago is done with.
    ids.delete(item.number - 200);
    return;
  }
  await client.query(
    `UPDATE work_items
        SET phase = $2, attempts = $3, last_verdict = $4, updated_at = now(),
            merged_at = CASE WHEN $2 = 'merged' THEN coalesce(merged_at, now()) END
      WHERE id = $1`,
    [ids.get(item.number), target, attempts, lastVerdict],
  );
}

async function appendEvent(
  client: pg.Client,
  transaction: Transaction,
  ids: Map<number, string>,
): Promise<void> {
  const { item, from, target } = transaction;
  await client.query(
    "INSERT INTO events_outbox (kind, work_item_id, payload) VALUES ('phase.transition', $1, $2)",
    [ids.get(item.number), JSON.stringify({ from, target, story_id: item.storyId })],
  );
}

/** Returns whether the time passed; false when the signal came first. */
async function pause(milliseconds: number, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return false;
  if (milliseconds <= 0) return true;
  return delay(milliseconds, true, { signal }).catch(() => false);
}

/** The orchestrator alone: says every 50 merges how far it is, ends with 0 when it is told to. */
async function main(): Promise<number> {
  const { merges, pace, seed } = orchestratorOptions("orchestrator", process.argv.slice(2));
  const problems: string[] = [];
  const database = readConnection(process.env, problems);
  if (database === null || problems.length > 0) {
    problems.push("DATABASE_URL must name the database with the orchestrator's tables");
    process.stderr.write(`orchestrator: ${problems[0]}\n`);
    return 2;
  }
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => stop.abort());
  try {
    const orchestrator = await openOrchestrator({
      url: database.read(),
      seed,
      onStretch: (mood) => say(`a ${mood} stretch begins`),
      onMerge: (count) => void (count % 50 === 0 && say(`${count} merges`)),
    });
    try {
      await orchestrator.play(merges, pace, stop.signal);
      if (!stop.signal.aborted) say(`${merges} merges made; one every ${1 / IDLE_PACE} s from now on`);
      await orchestrator.play(Number.POSITIVE_INFINITY, IDLE_PACE, stop.signal);
    } finally {
      await orchestrator.close();
    }
    return 0;
  } catch (error) {
    process.stderr.write(`orchestrator: ${(error as Error).message}\n`);
    return 1;
  }
}

function say(line: string): void {
  process.stdout.write(`orchestrator: ${line}\n`);
}

if (import.meta.main) process.exitCode = await main();
