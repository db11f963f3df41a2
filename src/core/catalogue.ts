/** The metrics that exist: what each one measures, in the order in which their rows are written. */
import type { GateState } from "./gate.ts";
import type { Facts } from "./merge.ts";
import type { MetricName } from "./metric.ts";
import {
  type Entry,
  FIRST_PASS_BIT,
  FLAG_BITS,
  packEntry,
  RunningCount,
  type RunningFigure,
  RunningHistogram,
} from "./window.ts";

type Definition = {
  /** A share of the merges in the window, or a percentile of their attempts. */
  readonly measures: "ratio" | "percentile";
  /** Whether its rows are judged by the verdicts that they were written under. */
  readonly looksAtVerdicts: boolean;
  /** The gate's state that lets the orchestrator do more; the other one restricts it. Null where nothing is gated. */
  readonly permissive: GateState | null;
};

export const CATALOGUE: Readonly<Record<MetricName, Definition>> = {
  first_pass_merge_rate: { measures: "ratio", looksAtVerdicts: false, permissive: "high" },
  rebase_conflict_rate: { measures: "ratio", looksAtVerdicts: true, permissive: "low" },
  p95_attempts_to_merge: { measures: "percentile", looksAtVerdicts: false, permissive: null },
};

/** Whether a metric's values are ratios 0–1; the others are numbers of attempts. */
export function isRatio(metric: MetricName): boolean {
  return CATALOGUE[metric].measures === "ratio";
}

const P95 = 0.95;

export const DEFAULT_VERDICTS: readonly string[] = ["rebase_conflict"];

/**
 * A ring entry keeps one flag for each set of verdicts in question: flag 0 for the configured one, further ones for
 * sets under which older rows of the journal were written and by which those rows are judged.
 */
export type VerdictSets = readonly (readonly string[])[];
export const MAX_VERDICT_SETS = FLAG_BITS;

/** For each verdict in any of the sets its flags: bit i for the set at index i. */
export type VerdictFlags = ReadonlyMap<string, number>;

export function verdictFlags(sets: VerdictSets): VerdictFlags {
  const flags = new Map<string, number>();
  sets.forEach((verdicts, bit) => {
    for (const verdict of verdicts) flags.set(verdict, (flags.get(verdict) ?? 0) | (1 << bit));
  });
  return flags;
}

/** What a window keeps of a merge. */
export function entryOf({ attempts, lastVerdict }: Facts, flags: VerdictFlags): Entry {
  return packEntry(attempts, lastVerdict === null ? 0 : (flags.get(lastVerdict) ?? 0));
}

/** A fresh running figure of a metric over `window` merges; `verdictSet` is the flag that a verdict metric looks at. */
export function createFigure(name: MetricName, window: number, verdictSet = 0): RunningFigure {
  switch (name) {
    case "first_pass_merge_rate":
      return new RunningCount(window, FIRST_PASS_BIT);
    case "rebase_conflict_rate":
      return new RunningCount(window, verdictSet);
    case "p95_attempts_to_merge":
      return new RunningHistogram(window, P95);
  }
}
