/** The metrics: what each one measures, in the order in which their rows are written. */
import type { GateState } from "./gate.ts";
import type { Facts } from "./merge.ts";
import type { MetricName } from "./metric.ts";
import { VERDICT_NUMBERS, type VerdictNumbers, type VerdictSet } from "./verdict-numbers.ts";
import {
  attemptsIn,
  type Entry,
  packEntry,
  RunningCount,
  type RunningFigure,
  RunningHistogram,
  verdictIn,
} from "./window.ts";

type Definition = {
  /** A share of the merges in the window, or a percentile of their attempts. */
  readonly measures: "ratio" | "percentile";
  /** Whether it counts verdicts: then its rows are judged by the verdicts under which they were written. */
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
const NONE: VerdictSet = new Uint8Array(VERDICT_NUMBERS);

export const DEFAULT_VERDICTS: readonly string[] = ["rebase_conflict"];

/** What a window keeps of a merge. */
export function entryOf(
  { attempts, lastVerdict }: Pick<Facts, "attempts" | "lastVerdict">,
  verdicts: VerdictNumbers,
): Entry {
  return packEntry(attempts, verdicts.numberOf(lastVerdict));
}

/** A fresh running figure of a metric over `window` merges. @param verdicts that count, for a metric that looks at verdicts. */
export function createFigure(name: MetricName, window: number, verdicts: VerdictSet | null): RunningFigure {
  switch (name) {
    case "first_pass_merge_rate":
      return new RunningCount(window, null);
    case "rebase_conflict_rate":
      return new RunningCount(window, verdicts ?? NONE);
    case "p95_attempts_to_merge":
      return new RunningHistogram(window, P95);
  }
}

/** Whether a merge counts for a metric's numerator; null where nothing is counted. */
export function countsFor(name: MetricName, entry: Entry, verdicts: VerdictSet | null): boolean | null {
  if (!isRatio(name)) return null;
  return CATALOGUE[name].looksAtVerdicts ? verdicts?.[verdictIn(entry)] === 1 : attemptsIn(entry) === 1;
}
