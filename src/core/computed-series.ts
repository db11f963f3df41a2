/** A metric of a scope for which it is not recorded, computed from the recorded merges. */
import { entryOf } from "./catalogue.ts";
import type { HistoryPoint } from "./history.ts";
import type { Merge } from "./merge.ts";
import type { MetricSettings } from "./metric.ts";
import { valueOf } from "./reading.ts";
import { ScopeMemory } from "./scope-memory.ts";
import { VerdictNumbers } from "./verdict-numbers.ts";

export class ComputedSeries {
  readonly #project: string;
  readonly #keep: number;
  readonly #scope: ScopeMemory;
  readonly #verdicts = new VerdictNumbers();
  #points: HistoryPoint[] = [];

  /** @param keep how many of the newest points are wanted. */
  constructor(metric: MetricSettings, project: string, keep: number) {
    this.#project = project;
    this.#keep = keep;
    this.#scope = new ScopeMemory({ metrics: [metric], capacity: metric.window, verdicts: this.#verdicts });
  }

  /** A merge of any project, in the order in which they were recorded. */
  accept(merge: Merge): void {
    if (merge.project !== this.#project) return;
    this.#scope.push(entryOf(merge, this.#verdicts));
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
