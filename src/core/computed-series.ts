/** A metric of a scope for which it is not recorded, computed from the recorded merges. */
import { entryOf, type VerdictFlags, verdictFlags } from "./catalogue.ts";
import type { HistoryPoint } from "./history.ts";
import type { Merge } from "./merge.ts";
import type { MetricSettings } from "./metric.ts";
import { valueOf } from "./reading.ts";
import { ScopeState } from "./scope-state.ts";

export class ComputedSeries {
  readonly #project: string;
  readonly #keep: number;
  readonly #scope: ScopeState;
  readonly #flags: VerdictFlags;
  #points: HistoryPoint[] = [];

  /** @param keep how many of the newest points are wanted. */
  constructor(metric: MetricSettings, project: string, keep: number) {
    this.#project = project;
    this.#keep = keep;
    this.#flags = verdictFlags([metric.verdicts ?? []]);
    this.#scope = ScopeState.empty([metric], metric.window);
  }

  /** A merge of any project, in the order in which they were recorded. */
  accept(merge: Merge): void {
    if (merge.project !== this.#project) return;
    this.#scope.push(entryOf(merge, this.#flags));
    const reading = this.#scope.reading(0);
    this.#points.push({
      seq: this.#scope.seq,
      event_id: merge.eventId,
      merged_at: merge.mergedAt,
      value: valueOf(reading),
      numerator: reading.numerator,
      n: reading.n,
      window: reading.window,
      state: null,
      crossing: null,
    });
    if (this.#points.length >= 2 * this.#keep) this.#points = this.points();
  }

  points(): HistoryPoint[] {
    return this.#points.slice(-this.#keep);
  }
}
