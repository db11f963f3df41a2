/** Runs every verb of the bundle on a PostgreSQL of its own, so that V8 compiles what each of them needs. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { environment } from "../demo/command.ts";
import { startDatabase } from "../demo/database.ts";
import { withClient } from "../demo/with-client.ts";

const TAKE_CACHE = fileURLToPath(new URL("take-cache.js", import.meta.url));
const DATA = fileURLToPath(new URL("../.data/build", import.meta.url));
const TIMEOUT_MS = 120_000;

/** Enough for every window to be full, and for a checkpoint. */
const BACKLOG = 450;
const PATHS = ["healthz", "readyz", "metrics", "snapshot.json", "history.json", "schemas/", ""];
const VERBS = `--version, --help, config, config --check, schema, schema asyncapi, health,
  snapshot, snapshot --json, snapshot --project project-1, history, history --json, explain, explain --json,
  verify, verify --json, simulate --verdicts none`
  .split(",")
  .map((verb) => verb.trim().split(" "));

const MERGES = `
  WITH items AS (
    INSERT INTO work_items (project, story_id, phase, attempts, last_verdict, file_scope, merged_at)
    SELECT 'project-' || n % 3, 'story-' || n, 'merged', 1 + (n % 7 = 0)::int,
           CASE WHEN n % 11 = 0 THEN 'rebase_conflict' ELSE 'approve' END, '[]', now()
      FROM generate_series(1, $1::int) n
    RETURNING id),
  events AS (
    INSERT INTO events_outbox (kind, work_item_id, payload)
    SELECT 'phase.transition', id, '{"target": "merged"}' FROM items)
  SELECT pg_notify('events_outbox', '')`;

/** A verb adds what it compiled to what others of its group did before. */
export async function takeCaches(): Promise<void> {
  await using database = await startDatabase(DATA);
  const env = { ...environment(database.daemonUrl), METRICS_HTTP_PORT: "0" };
  const merges = (count: number) => withClient(database.ownerUrl, (owner) => owner.query(MERGES, [count]));
  await merges(BACKLOG);
  await daemon(env, async () => {});
  // Once more, as it starts from a checkpoint and follows.
  await daemon(env, async (address) => {
    await merges(3);
    for (const path of PATHS) await (await fetch(`${address}/${path}`)).text();
    const options = { env: { ...env, METRICS_HTTP_PORT: new URL(address).port }, timeout: TIMEOUT_MS };
    for (const verb of VERBS) await promisify(execFile)(process.execPath, [TAKE_CACHE, ...verb], options);
  });
}

async function daemon(env: NodeJS.ProcessEnv, work: (address: string) => Promise<void>): Promise<void> {
  const stdio: ["ignore", "pipe", "inherit"] = ["ignore", "pipe", "inherit"];
  const child = spawn(process.execPath, [TAKE_CACHE, "run"], { env, stdio, timeout: TIMEOUT_MS });
  const closed = once(child, "close");
  try {
    await work(await addressWhenReady(child.stdout));
  } finally {
    child.stdout.resume();
    child.kill("SIGTERM");
    await closed;
  }
  if (child.exitCode !== 0) throw new Error(`the daemon ended with ${child.exitCode}`);
}

async function addressWhenReady(log: Readable): Promise<string> {
  let address: string | null = null;
  let ready = false;
  for await (const text of createInterface({ input: log })) {
    const line = JSON.parse(text) as { readonly event: string; readonly address?: string };
    address ??= line.address ?? null;
    ready ||= line.event === "daemon.ready";
    if (ready && address !== null) return address;
  }
  throw new Error("the daemon ended before it was ready");
}
