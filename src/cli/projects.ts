/** Which projects of a snapshot are shown. */
import { busiestFirst } from "../core/busiest.ts";
import type { Snapshot } from "../core/snapshot.ts";

/** Shown without a wish: those with the most merges in their windows. */
const BUSIEST = 5;

/** The projects of a snapshot, in its order. */
export function projectsOf(snapshot: Snapshot): string[] {
  return [...new Set(snapshot.metrics.flatMap(({ project }) => (project === null ? [] : [project])))];
}

/** The busiest projects, in the snapshot's order. */
export function busiest(snapshot: Snapshot): string[] {
  const chosen = new Set(
    busiestFirst(snapshot)
      .slice(0, BUSIEST)
      .map(([project]) => project),
  );
  return projectsOf(snapshot).filter((project) => chosen.has(project));
}

/** The snapshot with only these projects; its global readings stay. */
export function narrow(snapshot: Snapshot, projects: readonly string[]): Snapshot {
  const chosen = new Set(projects);
  return {
    ...snapshot,
    metrics: snapshot.metrics.filter(({ project }) => project === null || chosen.has(project)),
  };
}
