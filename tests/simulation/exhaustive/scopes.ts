/**
 * The scopes: so few daemons, merges and faults that every order of their steps can be explored.
 *
 * An orchestrator's transaction has four steps (locks, insert, visible, locks released). Where a scope is not about these, it is
 * one step.
 */
import type { RawFacts } from "../../../src/core/merge.ts";
import { nameOf } from "../orchestrator.ts";
import { mergeRow } from "../rows.ts";
import type { Kind, Pruned, Work, Write } from "../scenario.ts";
import { EMPTY, type State } from "../server.ts";
import { Explorer } from "./explorer.ts";

/** What may happen once, at any moment, or not at all. Only `taken` happens in every schedule: the table accepts the item's rows at last. */
export type May =
  | { readonly happens: "death" | "cut" | "refusal" | "stop" | "recovery" }
  | { readonly happens: "failover"; readonly lost: number }
  | { readonly happens: "prune"; readonly rows: number; readonly only: Pruned | "all" }
  | { readonly happens: "set null" | "taken"; readonly item: number };

export type ScopeWork = Work & {
  /** Whether the transaction is one step. */
  readonly atOnce?: boolean;
};

export type Scope = {
  readonly name: string;
  /** What the judge expects. */
  readonly kind: Kind["name"];
  readonly daemons: number;
  /** Whether the daemons wait at their bells when the search begins. Otherwise they start. */
  readonly ready: boolean;
  readonly orchestrators: readonly (readonly ScopeWork[])[];
  readonly may: readonly May[];
  readonly begins: State;
  /** Work items whose rows the table refuses. */
  readonly refused?: readonly number[];
  /** Whether it has too many states and is searched by preemptions. */
  readonly bounded?: true;
  /** Whether it takes too long for CI: explored with EXPLORE=large. */
  readonly large?: true;
  /** Default: reconciliation only at the start. */
  readonly auditIntervalMs?: number;
};

const FACTS: readonly RawFacts[] = [
  { project: "a", attempts: "1", lastVerdict: "approve" },
  { project: "a", attempts: "2", lastVerdict: "rebase_conflict" },
  { project: "b", attempts: "1", lastVerdict: "rebase_conflict" },
  { project: "a", attempts: "1", lastVerdict: "approve" },
  { project: "b", attempts: "3", lastVerdict: "approve" },
];

/** Work items, and no row. */
const NO_ROWS: State = { ...EMPTY, items: new Map(FACTS.map((facts, item) => [nameOf(item), [facts]])) };

/** With merges that are not recorded. */
function merged(items: number): State {
  return { ...NO_ROWS, rows: Array.from({ length: items }, (_, item) => mergeRow(item + 1, nameOf(item))) };
}

function transaction(ends: Work["ends"], ...writes: readonly Write[]): Work {
  return { writes, ends, notifies: true };
}

function merge(item: number, drawnAhead: number | null = null): Write {
  return { does: "merge", item, drawnAhead };
}

/** A merge whose transaction is one step. */
function arrives(item: number): ScopeWork {
  return { ...transaction("commit", merge(item)), atOnce: true };
}

const TWO_READY = { kind: "exact", daemons: 2, ready: true, may: [], begins: NO_ROWS } as const;
const TWO_STARTING = { ...TWO_READY, ready: false, orchestrators: [] } as const;

/** One more than the fence's statement reads on the simulated server. */
const UNMARKED_PAGE: readonly Write[] = Array.from({ length: 7 }, () => ({ does: "strange row", item: 0 }));

/** A log in which a daemon has recorded so many merges and, if it `stops`, has written a checkpoint. */
async function recorded(items: number, stops: boolean): Promise<State> {
  const one = { name: "a beginning", kind: "exact", daemons: 1, ready: true, orchestrators: [] } as const;
  const begins = await new Explorer({ ...one, begins: merged(items), may: [] }).state([]);
  return stops ? new Explorer({ ...one, begins, may: [{ happens: "stop" }] }).state(["m0.0"]) : begins;
}

export async function scopes(): Promise<readonly Scope[]> {
  const one = await recorded(1, false);
  const withCheckpoint = await recorded(3, true);
  const retention = (only: Pruned | "all", rows: number, kind: Kind["name"]): Scope => ({
    ...TWO_READY,
    name: `two daemons, a merge, a checkpoint, retention of ${only}`,
    kind,
    begins: withCheckpoint,
    orchestrators: [[arrives(3)]],
    may: [{ happens: "prune", rows, only }],
  });
  return [
    {
      ...TWO_READY,
      name: "two daemons, one merge",
      orchestrators: [[transaction("commit", merge(0))]],
    },
    {
      ...TWO_STARTING,
      name: "two daemons start, two merges, one death",
      begins: merged(2),
      may: [{ happens: "death" }],
    },
    {
      ...TWO_STARTING,
      name: "two daemons start, two merges, one lost connection",
      begins: merged(2),
      may: [{ happens: "cut" }],
    },
    {
      ...TWO_STARTING,
      name: "two daemons start, two merges, one refusal",
      begins: merged(2),
      may: [{ happens: "refusal" }],
    },
    {
      ...TWO_READY,
      name: "two daemons, a merge, one death",
      begins: one,
      orchestrators: [[arrives(1)]],
      may: [{ happens: "death" }],
    },
    { ...TWO_READY, name: "two daemons, two merges", orchestrators: [[arrives(0), arrives(1)]] },
    {
      ...TWO_READY,
      name: "two daemons, two merges, one death",
      orchestrators: [[arrives(0), arrives(1)]],
      may: [{ happens: "death" }],
      bounded: true,
    },
    {
      ...TWO_READY,
      name: "one daemon, two merges in any order",
      daemons: 1,
      orchestrators: [[transaction("commit", merge(0, 1))], [transaction("commit", merge(1))]],
    },
    {
      ...TWO_READY,
      name: "two daemons, a late commit, a merge",
      orchestrators: [[transaction("commit", merge(0, 1))], [arrives(1)]],
      bounded: true,
    },
    {
      ...TWO_READY,
      name: "two daemons, a merge, an unmarked row",
      begins: one,
      orchestrators: [
        [arrives(1)],
        [{ ...transaction("commit", { does: "strange row", item: 0 }), atOnce: true }],
      ],
    },
    {
      ...TWO_STARTING,
      name: "two daemons start, a merge, an unmarked row",
      begins: { ...one, rows: [...one.rows, mergeRow(6, nameOf(1))] },
      orchestrators: [[{ ...transaction("commit", { does: "strange row", item: 0 }), atOnce: true }]],
    },
    {
      ...TWO_READY,
      name: "one daemon, a prepared merge, a recovery",
      daemons: 1,
      begins: one,
      orchestrators: [[transaction("commit prepared", merge(1))], [arrives(2)]],
      may: [{ happens: "recovery" }],
    },
    {
      ...TWO_READY,
      name: "one daemon, two merges, a failover, ids again",
      daemons: 1,
      begins: one,
      orchestrators: [[arrives(1), arrives(2)]],
      may: [{ happens: "failover", lost: 2 }],
    },
    {
      ...TWO_READY,
      name: "two daemons, two merges, a failover, ids again",
      begins: one,
      orchestrators: [[arrives(1), arrives(2)]],
      may: [{ happens: "failover", lost: 2 }],
      bounded: true,
    },
    { ...TWO_STARTING, name: "three daemons start, two merges", daemons: 3, begins: merged(2) },
    { ...TWO_READY, name: "three daemons, one merge", daemons: 3, orchestrators: [[arrives(0)]] },
    {
      ...TWO_READY,
      name: "three daemons, two merges",
      daemons: 3,
      orchestrators: [[arrives(0), arrives(1)]],
      bounded: true,
    },
    {
      ...TWO_READY,
      name: "two daemons, a refused merge, another one",
      refused: [0],
      orchestrators: [[{ ...transaction("commit", merge(0), merge(1)), atOnce: true }]],
      may: [{ happens: "taken", item: 0 }],
    },
    { ...TWO_READY, name: "two daemons, a duplicate", orchestrators: [[arrives(0)], [arrives(0)]] },
    {
      ...TWO_READY,
      name: "two daemons, a merge, its work item deleted, one death",
      kind: "kept",
      begins: one,
      orchestrators: [[arrives(1)]],
      may: [{ happens: "set null", item: 0 }, { happens: "death" }],
    },
    {
      ...TWO_READY,
      name: "two daemons, a page of unmarked rows, a merge",
      begins: one,
      orchestrators: [[{ ...transaction("commit", ...UNMARKED_PAGE), atOnce: true }, arrives(1)]],
    },
    {
      ...TWO_READY,
      name: "one daemon, a checkpoint, a late merge, retention of records, one death",
      kind: "kept",
      daemons: 1,
      begins: withCheckpoint,
      orchestrators: [[transaction("commit", merge(3, 1))], [arrives(4)]],
      may: [{ happens: "prune", rows: 100, only: "records" }, { happens: "death" }],
      bounded: true,
    },
    {
      ...TWO_READY,
      name: "one daemon, a late merge, a checkpoint, retention of records",
      kind: "kept",
      daemons: 1,
      begins: one,
      orchestrators: [[transaction("commit", merge(1, 1))], [arrives(2)]],
      may: [{ happens: "stop" }, { happens: "prune", rows: 100, only: "records" }],
      large: true,
    },
    {
      ...TWO_READY,
      name: "one daemon, a checkpoint, a duplicate, retention of records, one death",
      kind: "kept",
      daemons: 1,
      begins: withCheckpoint,
      orchestrators: [[arrives(0)]],
      may: [{ happens: "prune", rows: 100, only: "records" }, { happens: "death" }],
    },
    retention("records", 100, "kept"),
    retention("transitions", 2, "kept"),
    retention("checkpoints", 1, "shrinking"),
    retention("all", 6, "kept"),
  ];
}
