/** Points of a history, as short as what a test is about. */
import type { HistoryPoint } from "../../src/core/history.ts";

/** The ordinary point: merge `seq` of a full window of 50. */
export function point(seq: number, value: number | null, some: Partial<HistoryPoint> = {}): HistoryPoint {
  return {
    seq,
    event_id: String(1000 + 7 * seq),
    merged_at: new Date(Date.UTC(2026, 10, 22, 10, seq)).toISOString(),
    value,
    numerator: value === null ? 0 : Math.round(value * 50),
    n: value === null ? Math.min(seq, 49) : 50,
    window: 50,
    state: "unknown",
    crossing: null,
    ...some,
  };
}

/** One point for each value, from merge 1. */
export function points(...values: readonly (number | null)[]): HistoryPoint[] {
  return values.map((value, index) => point(index + 1, value));
}

export const ROSE = {
  gate: "trust",
  from: "low",
  to: "high",
  upper: 0.85,
  lower: 0.7,
} as const;
