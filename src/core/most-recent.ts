/** Which projects come first where not all of them can be shown: those that merged last. */
import type { Snapshot, SnapshotMetric } from "./snapshot.ts";

/** The projects of a snapshot with their readings, most recently merged first. */
export function mostRecentFirst({
  projects,
  metrics,
}: Pick<Snapshot, "projects" | "metrics">): [string, readonly SnapshotMetric[]][] {
  const readings = Map.groupBy(metrics, ({ project }) => project);
  return projects.map((project) => [project, readings.get(project) ?? []]);
}
