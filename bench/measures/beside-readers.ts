/** P8: what the daemon takes when nothing happens, and whether readers of its page slow down recording. */
import { setTimeout as delay } from "node:timers/promises";
import { percentile, sampleOf } from "../figures.ts";
import { seedUnanalysed } from "../history.ts";
import { merge } from "../merges.ts";
import { cpuMs, type DaemonProcess, daemonProcess } from "../processes.ts";
import { record } from "../product.ts";
import type { Run } from "../run.ts";
import { connected, type Database } from "../server.ts";

const MERGES = 10_000;
const PROJECTS = 1_600;
const PATHS = ["/", "/snapshot.json"];
const IDLE_MS = 10_000;
/** Merges in a round, and time between two of them. */
const EACH = 60;
const PAUSE_MS = 5;
/** An idle session reports what it scanned only after ten seconds. */
const SETTLE_MS = 11_000;

export async function besideReaders(run: Run): Promise<void> {
  await using database = await run.server.database("beside_readers");
  await seedUnanalysed(database, MERGES, PROJECTS);
  {
    await using recording = await record(database.daemonUrl);
    await recording.poll();
  }
  await database.owner.query("VACUUM ANALYZE");
  const lags = new Map<string, number>();
  const waiting = new Map<string, () => void>();
  await using daemon = await daemonProcess(run.entry, database.daemonUrl, {
    onLine: ({ event, event_id, commit_to_record_ms }) => {
      if (event !== "merge.recorded") return;
      lags.set(String(event_id), Number(commit_to_record_ms));
      waiting.get(String(event_id))?.();
    },
  });
  await delay(SETTLE_MS);
  await idle(run, database, daemon);
  const orchestrator = await connected(database.ownerUrl);
  const recorded = async (): Promise<number> => {
    const { eventIds } = await merge(orchestrator);
    const [id = ""] = eventIds;
    if (!lags.has(id)) await new Promise<void>((resolve) => waiting.set(id, resolve));
    await delay(PAUSE_MS);
    return lags.get(id) ?? Number.NaN;
  };
  const p50 = async (): Promise<number> => {
    const times: number[] = [];
    for (let count = 0; count < EACH; count += 1) times.push(await recorded());
    return percentile(times, 0.5);
  };
  try {
    await p50();
    const beside: number[] = [];
    const alone: number[] = [];
    for (let round = 0; round < run.repeat; round += 1) {
      alone.push(await p50());
      await using _ = reading(daemon.ready.address);
      beside.push(await p50());
    }
    run.find({
      id: "P8",
      what: `commit to recorded, p50, while the page and /snapshot.json of ${PROJECTS} projects are requested without pause`,
      unit: "ms",
      value: sampleOf(beside),
      floor: { what: "without", sample: sampleOf(alone) },
      goal: { of: "ratio", is: "at most", bound: 2 },
    });
  } finally {
    await orchestrator.end();
  }
}

/** One reader of each path, until it is disposed. */
function reading(address: string): AsyncDisposable {
  const end = new AbortController();
  const readers = PATHS.map(async (path) => {
    while (!end.signal.aborted) await (await fetch(address + path)).arrayBuffer();
  });
  return {
    async [Symbol.asyncDispose]() {
      end.abort();
      await Promise.all(readers);
    },
  };
}

async function idle({ find }: Run, { owner }: Database, { child }: DaemonProcess): Promise<void> {
  const scans = async (): Promise<number> => {
    await owner.query("SELECT pg_stat_force_next_flush()");
    const { rows } = await owner.query<{ scans: number }>(
      "SELECT sum(seq_scan)::int AS scans FROM pg_stat_user_tables WHERE relname IN ('events_outbox', 'work_items')",
    );
    return rows[0]?.scans ?? Number.NaN;
  };
  const [scansBefore, cpuBefore] = [await scans(), cpuMs(child.pid)];
  await delay(IDLE_MS);
  const [scansAfter, cpuAfter] = [await scans(), cpuMs(child.pid)];
  for (const [what, unit, value, bound] of [
    ["sequential scans of the idle daemon", "in 10 s", scansAfter - scansBefore, 0],
    ["processor time of the idle daemon", "% of a core", ((cpuAfter - cpuBefore) / IDLE_MS) * 100, 1],
  ] as const)
    find({
      id: "P8",
      what,
      unit,
      value: sampleOf([value]),
      floor: null,
      goal: { of: "value", is: "at most", bound },
    });
}
