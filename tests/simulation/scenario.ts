/** What happens to the log in one schedule. When each of it happens, the scheduler decides. */
import fc from "fast-check";
import type { RawFacts } from "../../src/core/merge.ts";
import { FAULTS, type Fault } from "./wire.ts";

/** One thing that an orchestrator's transaction does. */
export type Write =
  | {
      readonly does: "merge";
      /** Null: a merge that names no work item. */
      readonly item: number | null;
      /**
       * `nextval` in a statement of its own, so many steps before the insert; the transaction may not have touched the
       * table until then. Null: the insert draws its id itself.
       */
      readonly drawnAhead: number | null;
    }
  | { readonly does: "transition"; readonly item: number }
  /** An unmarked row of kind `metric.*`, written without our lock. */
  | { readonly does: "strange row"; readonly item: number }
  | { readonly does: "facts"; readonly item: number; readonly facts: RawFacts | null }
  /** Deletes the work item: rows that name it name none any more. */
  | { readonly does: "delete"; readonly item: number }
  /** A merge that ROLLBACK TO SAVEPOINT takes back. */
  | { readonly does: "undone"; readonly item: number }
  /** A merge under an id that a transaction left behind when it rolled back. */
  | { readonly does: "explicit id"; readonly item: number };

export type Work = {
  readonly writes: readonly Write[];
  readonly ends: "commit" | "rollback" | "commit prepared" | "rollback prepared" | "held";
  readonly notifies: boolean;
};

/** Of which rows the oldest go; of all, if nothing is said. Of records only those before the newest checkpoint. */
export type Pruned = "checkpoints" | "transitions" | "records";

export type Incident =
  | { readonly happens: "failover"; readonly lost: number; readonly skippedIds: number }
  | { readonly happens: "kill" | "restart" | "terminate"; readonly daemon: number }
  /** Somebody takes our advisory lock and keeps it for so many steps. */
  | { readonly happens: "stranger"; readonly steps: number }
  | { readonly happens: "truncate" }
  | { readonly happens: "prune"; readonly rows: number; readonly only?: Pruned }
  /** A work item is deleted, and a foreign key takes it from the rows that name it. */
  | { readonly happens: "set null"; readonly item: number }
  /** The table takes no row of this work item for so many steps. */
  | { readonly happens: "refuse"; readonly item: number; readonly steps: number }
  /** One of the server's processes crashes; who connects through a pooler does not notice, unless in a transaction. */
  | { readonly happens: "recovery" }
  /** An hour passes: whoever holds the low mark back is passed over. */
  | { readonly happens: "hour" };

export type Scenario = {
  readonly daemons: number;
  /** The configurations of daemons in the order in which they start, over and over. */
  readonly configurations: readonly number[];
  /** The sequence's cache. */
  readonly cache: number;
  /** Rows in a page at most: small, so that restores, scans and comparisons have several. */
  readonly pageRows: number;
  /** The work items' facts at the beginning; null where one does not exist. */
  readonly items: readonly (RawFacts | null)[];
  readonly orchestrators: readonly (readonly Work[])[];
  readonly incidents: readonly { readonly after: number; readonly incident: Incident }[];
  readonly faults: readonly { readonly statement: number; readonly fault: Fault }[];
};

export type Size = {
  readonly items: number;
  /** Transactions of each orchestrator at most. */
  readonly works: number;
  /** Among how many statements the faults strike. */
  readonly statements: number;
  readonly pageRows: number;
};
export const SHORT: Size = { items: 8, works: 3, statements: 60, pageRows: 5 };
export const LONG: Size = { items: 40, works: 18, statements: 400, pageRows: 20 };
/** For a log that has a history already. */
export const LATER: Size = { ...SHORT, pageRows: 150 };

const usable = fc.record({
  project: fc.constantFrom("a", "b"),
  attempts: fc.constantFrom("1", "1", "2", "3"),
  lastVerdict: fc.constantFrom("approve", "rebase_conflict", null),
});
const facts: fc.Arbitrary<RawFacts | null> = fc.oneof(
  { weight: 12, arbitrary: usable },
  { weight: 1, arbitrary: usable.map((one) => ({ ...one, attempts: "0" })) },
  { weight: 1, arbitrary: usable.map((one) => ({ ...one, project: "" })) },
  { weight: 1, arbitrary: fc.constant(null) },
);

export type Kind = {
  /** The outbox only grows, and only through its sequence with cache 1: then no merge is left to the comparison. */
  readonly name: "exact" | "unseen" | "shrinking" | "kept";
  readonly incidents: fc.Arbitrary<Incident>;
  readonly cache: fc.Arbitrary<number>;
  readonly explicitIds: boolean;
  readonly configurations: fc.Arbitrary<readonly number[]>;
};

const ALIKE: Kind["configurations"] = fc.constant([0]);
const DIFFERENT: Kind["configurations"] = fc.array(fc.nat(2), { minLength: 2, maxLength: 4, size: "max" });

const daemon = fc.nat(2);
const dying: fc.Arbitrary<Incident> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      happens: fc.constant("failover" as const),
      lost: fc.nat(4),
      skippedIds: fc.constantFrom(0, 0, 3),
    }),
  },
  { weight: 2, arbitrary: fc.record({ happens: fc.constantFrom("kill", "terminate"), daemon }) },
  // Leaves a checkpoint.
  { weight: 3, arbitrary: fc.record({ happens: fc.constant("restart" as const), daemon }) },
  {
    weight: 1,
    arbitrary: fc.record({
      happens: fc.constant("stranger" as const),
      steps: fc.integer({ min: 5, max: 30 }),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ happens: "recovery" as const }) },
);
const shrinking: fc.Arbitrary<Incident> = fc.oneof(
  { weight: 2, arbitrary: dying },
  { weight: 1, arbitrary: fc.constant({ happens: "truncate" as const }) },
  {
    weight: 2,
    arbitrary: fc.record({
      happens: fc.constant("prune" as const),
      rows: fc.oneof(
        { weight: 4, arbitrary: fc.integer({ min: 1, max: 20 }) },
        fc.integer({ min: 21, max: 600 }),
      ),
    }),
  },
);
/** Of records alone, while checkpoints are left, and whatever else makes rows say less than they did. */
const forgetting: fc.Arbitrary<Incident> = fc.oneof(
  { weight: 1, arbitrary: dying },
  // Leaves a checkpoint.
  { weight: 3, arbitrary: fc.record({ happens: fc.constant("restart" as const), daemon }) },
  {
    weight: 4,
    arbitrary: fc.record({
      happens: fc.constant("prune" as const),
      rows: fc.integer({ min: 1, max: 40 }),
      only: fc.constant<Pruned>("records"),
    }),
  },
  { weight: 2, arbitrary: fc.record({ happens: fc.constant("set null" as const), item: fc.nat(7) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      happens: fc.constant("refuse" as const),
      item: fc.nat(7),
      steps: fc.integer({ min: 5, max: 60 }),
    }),
  },
);
/** Of some rows only: their work items' records, and what stands on them, must stay as they are. */
const thinning: fc.Arbitrary<Incident> = fc.record({
  happens: fc.constant("prune" as const),
  rows: fc.integer({ min: 1, max: 40 }),
  only: fc.constantFrom<Pruned[]>("checkpoints", "transitions"),
});

export const EXACT: Kind = {
  name: "exact",
  incidents: dying,
  cache: fc.constant(1),
  explicitIds: false,
  configurations: ALIKE,
};
export const UNSEEN: Kind = {
  name: "unseen",
  incidents: fc.oneof(dying, fc.constant({ happens: "hour" as const })),
  cache: fc.constantFrom(1, 3),
  explicitIds: true,
  configurations: ALIKE,
};
export const SHRINKING: Kind = {
  name: "shrinking",
  incidents: shrinking,
  cache: fc.constant(1),
  explicitIds: false,
  configurations: ALIKE,
};
/** All of it at once. */
export const RAGGED: Kind = {
  ...UNSEEN,
  name: "shrinking",
  incidents: fc.oneof(shrinking, thinning, fc.constant({ happens: "hour" as const })),
};
/** With a checkpoint left, nothing is recorded twice or lost, and no window shrinks, whichever records go. */
export const KEPT: Kind = { ...EXACT, name: "kept", incidents: forgetting };
/** What daemons of different configurations make of one log. */
export const MIXED: Kind = { ...EXACT, configurations: DIFFERENT };
export const MIXED_RAGGED: Kind = { ...RAGGED, configurations: DIFFERENT };

export function scenarios(kind: Kind, size: Size = SHORT): fc.Arbitrary<Scenario> {
  const item = fc.nat(size.items - 1);
  const merge = fc.record({
    does: fc.constant("merge" as const),
    item: fc.option(item, { freq: 15 }),
    drawnAhead: fc.constantFrom(null, null, 1, 20),
  });
  const write: fc.Arbitrary<Write> = fc.oneof(
    { weight: 6, arbitrary: merge },
    { weight: 1, arbitrary: fc.record({ does: fc.constant("transition" as const), item }) },
    { weight: 1, arbitrary: fc.record({ does: fc.constant("strange row" as const), item }) },
    { weight: 1, arbitrary: fc.record({ does: fc.constant("facts" as const), item, facts }) },
    { weight: 1, arbitrary: fc.record({ does: fc.constant("undone" as const), item }) },
    ...(kind.explicitIds
      ? [{ weight: 1, arbitrary: fc.record({ does: fc.constant("explicit id" as const), item }) }]
      : []),
  );
  const work: fc.Arbitrary<Work> = fc.record({
    writes: fc.array(write, { minLength: 1, maxLength: 3, size: "max" }),
    ends: fc.constantFrom(
      "commit",
      "commit",
      "commit",
      "commit",
      "rollback",
      "commit prepared",
      "rollback prepared",
      "held",
    ),
    notifies: fc.boolean(),
  });
  return fc.record({
    daemons: fc.integer({ min: 1, max: 3 }),
    configurations: kind.configurations,
    cache: kind.cache,
    pageRows: fc.constantFrom(size.pageRows, 1000),
    items: fc.array(facts, { minLength: size.items, maxLength: size.items }),
    orchestrators: fc.array(fc.array(work, { minLength: 1, maxLength: size.works, size: "max" }), {
      minLength: 1,
      maxLength: 3,
      size: "max",
    }),
    incidents: fc.array(fc.record({ after: fc.nat(25), incident: kind.incidents }), {
      maxLength: kind.name === "kept" ? 6 : 3,
      size: "max",
    }),
    faults: fc.array(fc.record({ statement: fc.nat(size.statements), fault: fc.constantFrom(...FAULTS) }), {
      maxLength: 4,
      size: "max",
    }),
  });
}
