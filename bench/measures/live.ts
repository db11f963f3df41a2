/** P3, P5: how long after its commit a merge is recorded. */
import { setTimeout as delay } from "node:timers/promises";
import { BARE_CHANNEL, BARE_TARGET, startBareLoop } from "../bare-loop.ts";
import { interleave, percentile, sampleOf, timed } from "../figures.ts";
import type { Finding } from "../finding.ts";
import { merge } from "../merges.ts";
import { startDaemon } from "../product.ts";
import { findGrowth, type SizedRun } from "../run.ts";
import { connected } from "../server.ts";

/** Time for both sides to become idle again. */
const PAUSE_MS = 3;
const BURST = 1_000;
const WARM_UP = 20;
/** Enough for a floor beside a burst. */
const BARE_LOOPS = 20;

export async function live(
  run: SizedRun,
  parts: { readonly latency: boolean; readonly burst: boolean },
): Promise<void> {
  const { database } = run;
  const orchestrator = await connected(database.ownerUrl);
  try {
    await using daemon = startDaemon(database.daemonUrl);
    await daemon.quiet();
    // The first reactions of both sides compile and plan what the later ones have.
    await latency(run, orchestrator, daemon, WARM_UP, () => undefined);
    if (parts.latency) await latencies(run, orchestrator, daemon);
    if (parts.burst) await bursts(run, orchestrator, daemon);
  } finally {
    await orchestrator.end();
  }
}

type Orchestrator = Awaited<ReturnType<typeof connected>>;
type Daemon = ReturnType<typeof startDaemon>;
type Tell = (figures: { readonly daemon: number[]; readonly bare: number[] }) => void;

/** One merge after the other, in turn for the daemon and for the bare loop. */
async function latency(
  run: SizedRun,
  orchestrator: Orchestrator,
  daemon: Daemon,
  count: number,
  tell: Tell,
): Promise<void> {
  await using bareLoop = await startBareLoop(run.database);
  const one = async (
    waiter: Pick<Daemon, "recorded">,
    options?: Parameters<typeof merge>[2],
  ): Promise<number> => {
    await delay(PAUSE_MS);
    const { eventIds, committedAt } = await merge(orchestrator, 1, options);
    return (await waiter.recorded(eventIds[0] ?? "")) - committedAt;
  };
  tell(
    await interleave(count, {
      daemon: () => one(daemon),
      bare: () => one(bareLoop, { target: BARE_TARGET, channel: BARE_CHANNEL }),
    }),
  );
  run.recorded += count;
}

async function latencies(run: SizedRun, orchestrator: Orchestrator, daemon: Daemon): Promise<void> {
  const count = run.brief ? 100 : 300;
  const p50 = { daemon: [] as number[], bare: [] as number[] };
  const p99 = { daemon: [] as number[], bare: [] as number[] };
  for (let round = 0; round < run.repeat; round += 1) {
    await latency(run, orchestrator, daemon, count, (figures) => {
      for (const side of ["daemon", "bare"] as const) {
        p50[side].push(percentile(figures[side], 0.5));
        p99[side].push(percentile(figures[side], 0.99));
      }
    });
  }
  besideBareLoop(run, "p50", p50, { of: "ratio", is: "at most", bound: 1.65 });
  // In bare loops: the sizes are measured minutes apart, and meanwhile the machine may have got busier.
  const inBareLoops = sampleOf(p50.daemon.map((ms, round) => ms / (p50.bare[round] ?? Number.NaN)));
  const finding = {
    id: "P3",
    what: "commit to recorded, p50, round by round",
    unit: "bare loops",
    value: inBareLoops,
    floor: null,
    goal: null,
  };
  findGrowth(run, finding, 1.1);
  if (run.atSmallest.size === 0) run.find(finding);
  besideBareLoop(run, "p99", p99, null);
}

function besideBareLoop(
  { find }: SizedRun,
  percentileName: string,
  ms: { readonly daemon: readonly number[]; readonly bare: readonly number[] },
  goal: Finding["goal"],
): void {
  find({
    id: "P3",
    what: `commit to recorded, ${percentileName}`,
    unit: "ms",
    value: sampleOf(ms.daemon),
    floor: { what: "bare loop", sample: sampleOf(ms.bare) },
    goal,
  });
}

async function bursts(run: SizedRun, orchestrator: Orchestrator, daemon: Daemon): Promise<void> {
  const { owner } = run.database;
  const first: number[] = [];
  const total: number[] = [];
  const copied: number[] = [];
  const bare: number[] = [];
  for (let round = 0; round < run.repeat; round += 1) {
    await latency(run, orchestrator, daemon, BARE_LOOPS, (figures) =>
      bare.push(percentile(figures.bare, 0.5)),
    );
    await delay(50);
    const { eventIds, committedAt } = await merge(orchestrator, BURST);
    const times = await Promise.all(eventIds.map((eventId) => daemon.recorded(eventId)));
    first.push(Math.min(...times) - committedAt);
    total.push(Math.max(...times) - committedAt);
    run.recorded += BURST;
    copied.push(await copyFromFile(owner, eventIds));
  }
  for (const [part, ms, floor, bound] of [
    ["all", total, { what: "COPY of their rows from a file", sample: sampleOf(copied) }, 2],
    ["first", first, { what: "bare loop", sample: sampleOf(bare) }, 8],
  ] as const) {
    run.find({
      id: "P5",
      what: `burst of ${BURST} merges, ${part} recorded`,
      unit: "ms",
      value: sampleOf(ms),
      floor,
      goal: { of: "ratio", is: "at most", bound },
    });
  }
}

/** What the server needs for the rows of these merges where they come as text from its own disk. They are not kept. */
async function copyFromFile(owner: Orchestrator, eventIds: readonly string[]): Promise<number> {
  const { rows } = await owner.query<{ file: string }>(
    "SELECT quote_literal(current_setting('data_directory') || '/burst.copy') AS file",
  );
  const file = rows[0]?.file ?? "";
  const { rowCount } = await owner.query(
    `COPY (SELECT kind, work_item_id, payload FROM events_outbox
            WHERE id > ${eventIds[0]} AND payload->'merge'->>'event_id' = ANY ('{${eventIds.join(",")}}')) TO ${file}`,
  );
  if ((rowCount ?? 0) < BURST * 4) throw new Error("rows of the burst are missing");
  await owner.query("BEGIN");
  const ms = await timed(() => owner.query(`COPY events_outbox (kind, work_item_id, payload) FROM ${file}`));
  await owner.query("ROLLBACK");
  return ms;
}
