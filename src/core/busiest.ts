/** Which projects come first where not all of them can be shown. */
import type { Snapshot, SnapshotMetric } from "./snapshot.ts";

/**
 * The projects of a snapshot with their readings: the more merges in its windows, the earlier; equally busy ones in the
 * snapshot's order, so that none comes and goes between two looks at the same merges.
 */
export function busiestFirst({ metrics }: Pick<Snapshot, "metrics">): [string, readonly SnapshotMetric[]][] {
  const named = metrics.filter(({ project }) => project !== null);
  const projects = Map.groupBy(named, ({ project }) => project ?? "");
  return [...projects].toSorted(([, a], [, b]) => mergesIn(b) - mergesIn(a));
}

function mergesIn(readings: readonly SnapshotMetric[]): number {
  return Math.max(...readings.map(({ n }) => n));
}
