/** What a run is like: the schema, the load and what goes on beside it, chosen by the seed or given by an option. */
import { deck, mulberry32 } from "../demo/random.ts";

/** Every choice, its values, and how often each comes. */
export const CHOICES = {
  /** From events_outbox.work_item_id to work_items. `not-valid`: over items that are deleted, as after a NOT VALID. */
  foreignKey: { none: 2, plain: 2, "set-null": 2, "not-valid": 2 },
  /** RANGE partitions of events_outbox. */
  partitions: { none: 4, id: 1, age: 1 },
  /** Which rows go from the old end while the run lasts. */
  retention: { none: 1, all: 3, metrics: 3 },
  /** Up to where they go; by partition the oldest ones are detached. */
  cut: { id: 1, age: 1, partition: 2 },
  /** Whether retention always leaves a checkpoint. */
  checkpoints: { kept: 4, lost: 1 },
  /** Items locked FOR UPDATE for seconds, and the deadlock pattern. */
  rowLocks: { yes: 3, no: 1 },
  /** Transactions that stay open or prepared for seconds. */
  oldTransactions: { yes: 3, no: 1 },
  /** Merges under ids at and below 0; the daemons compare the whole log as often as their pace allows then. */
  lowIds: { yes: 1, no: 1 },
  /** `metrics verify` and `metrics snapshot` in a loop. */
  readers: { yes: 3, no: 1 },
  /** PgBouncer in front of the last daemon. */
  pooler: { yes: 2, no: 1 },
} as const;

type Choices = typeof CHOICES;
export type Variant = { readonly [Name in keyof Choices]: keyof Choices[Name] };

/** The orchestrator's schema as shipped, faults alone. */
export const PLAIN: Variant = {
  foreignKey: "none",
  partitions: "none",
  retention: "none",
  cut: "id",
  checkpoints: "kept",
  rowLocks: "no",
  oldTransactions: "no",
  lowIds: "no",
  readers: "no",
  pooler: "no",
};

/** @param given overrides chance; the other choices stay what the seed made them, as far as they go together. */
export function chooseVariant(seed: number, given: Partial<Variant> = {}): Variant {
  const random = mulberry32(seed + 7_919);
  const drawn = Object.fromEntries(
    Object.entries(CHOICES).map(([name, values]) => [name, deck(random, Object.entries(values))()]),
  ) as Variant;
  const variant = { ...drawn, ...given };
  const byPartition = variant.partitions !== "none" && variant.retention === "all";
  return {
    ...variant,
    cut: variant.cut === "partition" && !byPartition ? "id" : variant.cut,
    // Nothing in a pruned log distinguishes a merge that was recorded and pruned from one inserted below the low-water mark.
    lowIds: given.lowIds ?? (variant.retention === "none" ? variant.lowIds : "no"),
    checkpoints: variant.retention === "none" || variant.cut === "partition" ? "kept" : variant.checkpoints,
  };
}

/** As the options that give it. */
export function describeVariant(variant: Variant): string {
  return Object.entries(variant)
    .map(([name, value]) => `--${dashed(name)} ${value}`)
    .join(" ");
}

export function dashed(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
