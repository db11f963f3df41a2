/** The memory of one scope: its merges, a running figure for each metric, and where each gate stands. */
import { createFigure } from "./catalogue.ts";
import type { GateState } from "./gate.ts";
import type { MetricSettings } from "./metric.ts";
import type { Reading } from "./reading.ts";
import { type Entry, MergeRing, NO_ENTRY, type RunningFigure } from "./window.ts";

/** The merge at which a gate last crossed. */
export type Crossing = {
  readonly eventId: string;
  /** That merge's `merged_at`. */
  readonly since: string | null;
};

export type GateMemory = {
  readonly state: GateState;
  /** Whether the newest recorded value was defined: a project takes over the global state when this turns true. */
  readonly defined: boolean;
  readonly crossed: Crossing | null;
};

/** A gate of which no row has been seen or written. */
export const NO_MEMORY: GateMemory = { state: "unknown", defined: false, crossed: null };

export class ScopeState {
  /** How many merges of this scope have been recorded, pruned ones included. */
  seq = 0;
  readonly ring: MergeRing;
  /** One for each configured metric, in the same order. */
  readonly figures: readonly RunningFigure[];
  readonly gates: GateMemory[];

  constructor(ring: MergeRing, figures: readonly RunningFigure[], gates: GateMemory[]) {
    this.ring = ring;
    this.figures = figures;
    this.gates = gates;
  }

  static empty(metrics: readonly MetricSettings[], capacity: number): ScopeState {
    return new ScopeState(
      new MergeRing(capacity),
      metrics.map((metric) => createFigure(metric.name, metric.window)),
      metrics.map(() => NO_MEMORY),
    );
  }

  /** Slides every window by one merge. */
  push(entry: Entry): void {
    this.seq += 1;
    const { figures, ring } = this;
    let [size, leaving] = [0, NO_ENTRY];
    for (let index = 0; index < figures.length; index += 1) {
      const figure = figures[index] as RunningFigure;
      if (figure.size !== size) {
        ({ size } = figure);
        leaving = ring.length < size ? NO_ENTRY : ring.at(size - 1);
      }
      figure.slide(entry, leaving);
    }
    ring.push(entry);
  }

  /** What the metric at this index says now. */
  reading(index: number): Reading {
    const figure = this.figures[index] as RunningFigure;
    return figure.reading(Math.min(this.ring.length, figure.size));
  }

  gate(index: number): GateMemory {
    return this.gates[index] as GateMemory;
  }

  clone(): ScopeState {
    const copy = new ScopeState(
      this.ring.clone(),
      this.figures.map((figure) => figure.clone()),
      this.gates.slice(),
    );
    copy.seq = this.seq;
    return copy;
  }
}
