/** A log with a history: so many merges that a restore begins with a checkpoint. */
import { schedulerOf } from "./explore.ts";
import type { Scenario, Write } from "./scenario.ts";
import { EMPTY, type State } from "./server.ts";
import { simulate } from "./world.ts";

/** Two days: the first one's end leaves the checkpoint, the second has more merges than a restore checks anyway. */
const DAYS = [6, 104];

export async function longHistory(): Promise<State> {
  let state = EMPTY;
  // Work items that no scenario has.
  let from = 1000;
  for (const merges of DAYS) {
    const day = { kind: "exact", begins: state } as const;
    ({ state } = await simulate(schedulerOf(merges), quietDay(from, merges), day));
    from += merges;
  }
  return state;
}

/** One transaction that brings work items and their merges, and one daemon that records them. */
function quietDay(from: number, merges: number): Scenario {
  const writes: Write[] = Array.from({ length: merges }, (_, index) => from + index).flatMap(
    (item): Write[] => [
      {
        does: "facts",
        item,
        facts: {
          project: item % 3 === 0 ? "b" : "a",
          attempts: String(1 + (item % 2)),
          lastVerdict: item % 5 === 0 ? "rebase_conflict" : "approve",
        },
      },
      { does: "merge", item, drawnAhead: null },
    ],
  );
  return {
    daemons: 1,
    configurations: [0],
    cache: 1,
    pageRows: 1000,
    items: [],
    orchestrators: [[{ writes, ends: "commit", notifies: true }]],
    incidents: [],
    faults: [],
  };
}
