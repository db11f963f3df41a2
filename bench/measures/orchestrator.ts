/** P8: whether the orchestrator notices. */
import { setTimeout as delay } from "node:timers/promises";
import { percentile, sampleOf, timed } from "../figures.ts";
import { merge } from "../merges.ts";
import { daemonProcess } from "../processes.ts";
import type { SizedRun } from "../run.ts";
import { connected } from "../server.ts";

const CLIENTS = 2;
/** Each client inserts about every so often. */
const EVERY_MS = 8;
/** One insert in so many is a merge. */
const MERGE_EVERY = 14;
/** After it was stopped or goes on, the daemon gets this long until it counts. */
const SETTLE_MS = 500;

/**
 * The same load with the daemon running and with the daemon standing still, in turn. Standing still is a stopped
 * process: nothing else about the server or the machine changes.
 */
export async function orchestrator(run: SizedRun): Promise<void> {
  const { database, repeat, find, brief } = run;
  await using daemon = await daemonProcess(run.entry, database.daemonUrl);
  const clients = await Promise.all(Array.from({ length: CLIENTS }, () => connected(database.ownerUrl)));
  try {
    const blockMs = brief ? 1_500 : 4_000;
    const measured = { with: [] as number[][], without: [] as number[][] };
    for (let round = 0; round < repeat; round += 1) {
      const order = round % 2 === 0 ? (["with", "without"] as const) : (["without", "with"] as const);
      for (const side of order) {
        daemon.child.kill(side === "with" ? "SIGCONT" : "SIGSTOP");
        await delay(SETTLE_MS);
        const times = await Promise.all(clients.map((client) => load(run, client, blockMs)));
        measured[side].push(times.flat());
      }
    }
    daemon.child.kill("SIGCONT");
    for (const p of [0.5, 0.99]) {
      const value = sampleOf(measured.with.map((times) => percentile(times, p)));
      const without = sampleOf(measured.without.map((times) => percentile(times, p)));
      find({
        id: "P8",
        what: `the orchestrator's insert, p${p * 100}, with the daemon`,
        unit: "ms",
        value,
        floor: { what: "without", sample: without },
        goal: p === 0.99 ? { of: "ratio", is: "at most", bound: 1.1 } : null,
      });
    }
    await caughtUp(run);
  } finally {
    for (const client of clients) await client.end();
  }
}

async function load(
  run: SizedRun,
  client: Awaited<ReturnType<typeof connected>>,
  forMs: number,
): Promise<number[]> {
  const times: number[] = [];
  const until = performance.now() + forMs;
  for (let count = Math.floor(Math.random() * MERGE_EVERY); performance.now() < until; count += 1) {
    const isMerge = count % MERGE_EVERY === 0;
    times.push(
      await timed(() =>
        isMerge
          ? merge(client)
          : client.query(
              `INSERT INTO events_outbox (kind, work_item_id, payload)
               VALUES ('agent.finished', 1, '{"agent": "builder-3", "tokens": 1712, "usd": 0.0123, "files": 4}')`,
            ),
      ),
    );
    if (isMerge) run.recorded += 1;
    await delay(EVERY_MS);
  }
  return times;
}

/** All that was merged meanwhile has been recorded, or the load was none for the daemon. */
async function caughtUp(run: SizedRun): Promise<void> {
  for (const until = performance.now() + 30_000; ; await delay(50)) {
    const { rows } = await run.database.owner.query<{ seq: number }>(
      `SELECT (payload->>'seq')::int AS seq FROM events_outbox
        WHERE kind = 'metric.first_pass_merge_rate' ORDER BY id DESC LIMIT 1`,
    );
    if (rows[0]?.seq === run.recorded) return;
    if (performance.now() > until) throw new Error("the daemon did not catch up with the orchestrator");
  }
}
