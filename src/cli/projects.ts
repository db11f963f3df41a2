/** Which projects of a snapshot are shown. */
import type { Snapshot } from "../core/snapshot.ts";

/** Shown without a wish: those with the most merges in their windows. */
const BUSIEST = 5;

/** The projects of a snapshot, in its order. */
export function projectsOf(snapshot: Snapshot): string[] {
  return [...new Set(snapshot.metrics.flatMap(({ project }) => (project === null ? [] : [project])))];
}

/** The busiest projects, in the snapshot's order. */
export function busiest(snapshot: Snapshot): string[] {
  const busy = new Map<string, number>();
  for (const { project, n } of snapshot.metrics) {
    if (project !== null) busy.set(project, Math.max(n, busy.get(project) ?? 0));
  }
  const chosen = new Set(
    [...busy.keys()].toSorted((a, b) => (busy.get(b) ?? 0) - (busy.get(a) ?? 0)).slice(0, BUSIEST),
  );
  return [...busy.keys()].filter((project) => chosen.has(project));
}

/** The snapshot with only these projects; its global readings stay. */
export function narrow(snapshot: Snapshot, projects: readonly string[]): Snapshot {
  const chosen = new Set(projects);
  return {
    ...snapshot,
    metrics: snapshot.metrics.filter(({ project }) => project === null || chosen.has(project)),
  };
}
