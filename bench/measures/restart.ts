/** P1, P2, P9: what a process has to read before it knows where things stand. */
import type { ReplayFigures, RestartFigures } from "../child.ts";
import { interleave, sampleOf, timed } from "../figures.ts";
import type { Finding } from "../finding.ts";
import { daemonProcess, inChild, nodeStart, snapshotProcess } from "../processes.ts";
import { findGrowth, type SizedRun } from "../run.ts";

/** P1. The log is left as it was found: the daemon is killed before it can write a checkpoint. */
export async function restart(run: SizedRun): Promise<void> {
  const { database, repeat, find, recorded } = run;
  const figures: RestartFigures[] = [];
  for (let round = 0; round < repeat; round += 1) {
    const one = await inChild<RestartFigures>("restart", [database.daemonUrl]);
    expectSeq(one.seq, recorded);
    if (one.folded > 2_000) throw new Error(`no checkpoint served: ${one.folded} merges were folded`);
    figures.push(one);
  }
  const connect = sampleOf(figures.map(({ connectMs }) => connectMs));
  const restarted: Finding = {
    id: "P1",
    what: "restart, restore and first scan",
    unit: "ms",
    value: sampleOf(figures.map(({ restoreMs, scanMs }) => restoreMs + scanMs)),
    floor: { what: "connect", sample: connect },
    goal: { of: "value", is: "at most", bound: 25 },
  };
  find(restarted);
  findGrowth(run, restarted, 1.2);
  find({
    id: "P1",
    what: "the same again, in a process that has done it before",
    unit: "ms",
    value: sampleOf(figures.map(({ againMs }) => againMs)),
    floor: { what: "connect", sample: connect },
    goal: null,
  });
  find({
    id: "P1",
    what: "restart, connect and preflight",
    unit: "ms",
    value: sampleOf(figures.map(({ openMs }) => openMs)),
    floor: { what: "connect", sample: connect },
    goal: null,
  });
  const ms = await interleave(repeat, {
    started: async () => {
      await using daemon = await daemonProcess(run.entry, database.daemonUrl);
      expectSeq(daemon.ready.seq, recorded);
      return daemon.ready.ms;
    },
    node: nodeStart,
  });
  find(besideNode("P1", "process start to ready", ms, 4.5));
}

/** P2. */
export async function replay({ database, repeat, find, recorded }: SizedRun): Promise<void> {
  const rss: number[] = [];
  const { owner } = database;
  // The table itself: an index that happens to hold the kind would answer without any row.
  await owner.query("SET jit = off; SET max_parallel_workers_per_gather = 0; SET enable_indexonlyscan = off");
  const { replayed, filtered } = await interleave(repeat, {
    replayed: async () => {
      const { ms, rssMb, seq } = await inChild<ReplayFigures>("replay", [database.daemonUrl]);
      expectSeq(seq, recorded);
      rss.push(rssMb);
      return ms;
    },
    filtered: () =>
      timed(async () => {
        const { rows } = await owner.query<{ n: number }>(
          "SELECT count(*)::int AS n FROM events_outbox WHERE starts_with(kind, 'metric.')",
        );
        if ((rows[0]?.n ?? 0) < recorded * 4) throw new Error("the filter does not find the journal");
      }),
  });
  await owner.query("RESET max_parallel_workers_per_gather; RESET enable_indexonlyscan");
  find({
    id: "P2",
    what: "full replay without a checkpoint",
    unit: "ms",
    value: sampleOf(replayed),
    floor: { what: "serial filter", sample: sampleOf(filtered) },
    goal: { of: "ratio", is: "at most", bound: 1.15 },
  });
  find({
    id: "P2",
    what: "memory of a full replay",
    unit: "MB",
    value: sampleOf(rss),
    floor: null,
    goal: { of: "value", is: "at most", bound: 120 },
  });
}

/** P9. */
export async function snapshot({ entry, database, repeat, find, recorded }: SizedRun): Promise<void> {
  const ms = await interleave(repeat, {
    started: async () => {
      const shown = await snapshotProcess(entry, database.daemonUrl);
      expectSeq(shown.seq, recorded);
      return shown.ms;
    },
    node: nodeStart,
  });
  find(besideNode("P9", "`metrics snapshot` from the shell", ms, 3.5));
}

/** What a process takes, of which starting Node is the least. */
function besideNode(
  id: string,
  what: string,
  ms: { readonly started: readonly number[]; readonly node: readonly number[] },
  bound: number,
): Finding {
  return {
    id,
    what,
    unit: "ms",
    value: sampleOf(ms.started),
    floor: { what: "node -e 0", sample: sampleOf(ms.node) },
    goal: { of: "ratio", is: "at most", bound },
  };
}

function expectSeq(seq: number, recorded: number): void {
  if (seq !== recorded) throw new Error(`seq ${seq} was restored, ${recorded} merges are recorded`);
}
