/** A metric as configured: its name, window, scopes and gate. What each one measures is in `catalogue.ts`. */
import type { Gate } from "./gate.ts";
import type { ScopeKind } from "./scope.ts";

export const METRIC_NAMES = [
  "first_pass_merge_rate",
  "rebase_conflict_rate",
  "p95_attempts_to_merge",
] as const;
export type MetricName = (typeof METRIC_NAMES)[number];

export function isMetricName(value: unknown): value is MetricName {
  return METRIC_NAMES.some((name) => name === value);
}

/** Merges in the largest window that may be configured. */
export const MAX_WINDOW = 100_000;

export type MetricSettings = {
  readonly name: MetricName;
  /** Merges in a full window. */
  readonly window: number;
  /** Scopes whose values are recorded; the global scope is always among them, as its rows are the order of merges. */
  readonly record: readonly ScopeKind[];
  readonly gate: Gate | null;
  /** The verdicts that count as a match; null for a metric that does not look at verdicts. */
  readonly verdicts: readonly string[] | null;
};

/** The gate of a metric in a scope: a scope that is not recorded has none. */
export function gateFor(metric: Pick<MetricSettings, "record" | "gate">, scope: ScopeKind): Gate | null {
  return metric.record.includes(scope) ? metric.gate : null;
}
