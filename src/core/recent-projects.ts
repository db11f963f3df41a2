/**
 * The last merges of each project: many of a project lie far back in the order of all merges, so that the memory of
 * those would draw nothing but dots. Bounded in projects and in merges: some megabytes where 200 projects are busy.
 */
import type { HistoryPoint } from "./history.ts";
import type { Merge } from "./merge.ts";
import type { MetricName } from "./metric.ts";
import { type NameOfGate, pointIn, type Remembered, type Said } from "./recent-merge.ts";

/** Projects that are remembered: those that merged last. */
export const PROJECTS_KEPT = 200;
/** Merges of each: a little more than its window, as contracts have it. */
export const PROJECT_MERGES = 150;
/** They are dropped in bulk, so that a merge costs the same whatever is remembered. */
const DROPPED_AT_ONCE = 30;

/** No more of a merge than its points tell: the names in it are longer than all else. */
type Named = Pick<Merge, "eventId" | "mergedAt">;

export class RecentProjects {
  /** Whoever merged last stands last. */
  readonly #merges = new Map<string, Remembered<Named>[]>();

  /** Takes what a row of a project's scope says, in the order of the rows. */
  take({ project, eventId, mergedAt }: Merge, said: Said): void {
    let merges = this.#merges.get(project) ?? [];
    const open = merges.at(-1);
    if (open?.merge.eventId === eventId && open.said[0]?.seq === said.seq) {
      open.said.push(said);
      return;
    }
    if (merges.length === PROJECT_MERGES + DROPPED_AT_ONCE) merges = merges.slice(-PROJECT_MERGES);
    merges.push({ merge: { eventId, mergedAt }, said: [said] });
    this.#merges.delete(project);
    this.#merges.set(project, merges);
    if (this.#merges.size <= PROJECTS_KEPT) return;
    const [longestAgo] = this.#merges.keys();
    if (longestAgo !== undefined) this.#merges.delete(longestAgo);
  }

  /** What the metric said at the project's newest merge; null where nothing is remembered. */
  newest(project: string, metric: MetricName): Said | null {
    const said = this.#merges.get(project)?.at(-1)?.said ?? [];
    return said.find((row) => row.metric === metric && row.crossing === null) ?? null;
  }

  /** Oldest first, of the merges up to the newest one without a gap between them; none of an unknown project. */
  points(project: string, metric: MetricName, nameOf: NameOfGate): HistoryPoint[] {
    const merges = (this.#merges.get(project) ?? []).slice(-PROJECT_MERGES);
    const points = merges.flatMap((one) => pointIn(one, metric, "project", nameOf));
    // Of a large batch only the end was taken: what came before it is not next to it.
    const gap = points.findLastIndex(({ seq }, index) => seq !== (points[index - 1]?.seq ?? Number.NaN) + 1);
    return points.slice(Math.max(gap, 0));
  }
}
