/** The metrics that exist: what each one measures, in the order in which their rows are written. */
import type { GateState } from "./gate.ts";
import type { Facts } from "./merge.ts";
import type { MetricName } from "./metric.ts";
import { type Entry, RunningCount, type RunningFigure, RunningHistogram } from "./window.ts";

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

const P95 = 0.95;

export const DEFAULT_VERDICTS: readonly string[] = ["rebase_conflict"];

/**
 * A ring entry keeps one bit for each set of verdicts in question: bit 0 for the configured one, further bits for
 * sets under which older rows of the journal were written and by which those rows are judged.
 */
export type VerdictSets = readonly (readonly string[])[];
export const MAX_VERDICT_SETS = 8;

export function entryOf(facts: Facts, verdictSets: VerdictSets): Entry {
  let flags = 0;
  if (facts.lastVerdict !== null) {
    for (let bit = 0; bit < verdictSets.length; bit += 1) {
      if (verdictSets[bit]?.includes(facts.lastVerdict)) flags |= 1 << bit;
    }
  }
  return { attempts: facts.attempts, flags };
}

/** A fresh running figure of a metric over `window` merges; `verdictSet` is the bit that a verdict metric looks at. */
export function createFigure(name: MetricName, window: number, verdictSet = 0): RunningFigure {
  switch (name) {
    case "first_pass_merge_rate":
      return new RunningCount(window, (entry) => entry.attempts === 1);
    case "rebase_conflict_rate":
      return new RunningCount(window, (entry) => (entry.flags & (1 << verdictSet)) !== 0);
    case "p95_attempts_to_merge":
      return new RunningHistogram(window, P95);
  }
}
