/** The snapshot of the manual's example, to be changed where a test is about something else. */
import type { MetricName } from "../../src/core/metric.ts";
import type { Snapshot, SnapshotGate, SnapshotMetric } from "../../src/core/snapshot.ts";

export const TRUST: SnapshotGate = {
  name: "trust",
  state: "high",
  since: "2026-11-20T14:02:11.123Z",
  upper: 0.85,
  lower: 0.7,
};

export const OVERLAP: SnapshotGate = {
  name: "scope_overlap",
  state: "low",
  since: "2026-11-18T09:40:59.000Z",
  upper: 0.1,
  lower: 0.05,
};

export function metricOf(
  metric: MetricName,
  project: string | null,
  rest: Pick<SnapshotMetric, "value" | "numerator" | "n" | "window"> & Partial<SnapshotMetric>,
): SnapshotMetric {
  return {
    metric,
    scope: project === null ? "global" : "project",
    project,
    gate: null,
    effective: null,
    ...rest,
  };
}

export const GLOBAL: readonly SnapshotMetric[] = [
  metricOf("first_pass_merge_rate", null, { value: 0.88, numerator: 44, n: 50, window: 50, gate: TRUST }),
  metricOf("rebase_conflict_rate", null, { value: 0.07, numerator: 7, n: 100, window: 100, gate: OVERLAP }),
  metricOf("p95_attempts_to_merge", null, { value: 3, numerator: null, n: 100, window: 100 }),
];

/** A project with so many merges, too few for any window. */
export function youngProject(name: string, n = 23): SnapshotMetric[] {
  const effective = { scope: "global", value: 0.07, state: "low" } as const;
  const gate: SnapshotGate = { ...OVERLAP, state: "unknown", since: null };
  return [
    metricOf("first_pass_merge_rate", name, { value: null, numerator: 20, n, window: 50 }),
    metricOf("rebase_conflict_rate", name, { value: null, numerator: 1, n, window: 100, gate, effective }),
    metricOf("p95_attempts_to_merge", name, { value: null, numerator: null, n, window: 100 }),
  ];
}

/** Projects are in the order of their readings, unless they are given. */
export function snapshotWith(some: Partial<Snapshot> = {}): Snapshot {
  const { metrics = [...GLOBAL, ...youngProject("atlas")] } = some;
  return {
    schema_version: 1,
    as_of: {
      seq: 1873,
      event_id: "48213",
      merged_at: "2026-11-22T10:06:27.384Z",
      generated_at: "2026-11-22T10:06:41.500Z",
    },
    daemon: { running: 1 },
    lag: { merges: 0, seconds: null },
    skipped: { total: 0 },
    refused: { total: 0 },
    history_truncated: false,
    projects: [...new Set(metrics.flatMap(({ project }) => project ?? []))],
    metrics,
    ...some,
  };
}
