/**
 * The memory of one scope: its newest merges, a running figure for each metric, and the state of each gate.
 *
 * It may begin in the middle of history, because rows are missing at the old end of the journal or in its middle. Then only the merges
 * since then are known, and the state of a gate before its first row is not.
 */
import { CATALOGUE, createFigure } from "./catalogue.ts";
import type { GateState } from "./gate.ts";
import type { MetricName, MetricSettings } from "./metric.ts";
import type { Reading } from "./reading.ts";
import type { VerdictNumbers, VerdictSet } from "./verdict-numbers.ts";
import { type Entry, MergeRing, NO_ENTRY, type Run, type RunningFigure } from "./window.ts";

/** The merge at which a gate last crossed. */
export type Crossing = {
  /** That merge's `merged_at`. */
  readonly since: string | null;
  readonly event_id: string;
};

export type GateMemory = {
  readonly state: GateState;
  /** Whether the newest recorded value was defined: a project takes over the global state when this turns true. */
  readonly defined: boolean;
  readonly crossed: Crossing | null;
};

/** A gate of which no row has been seen or written. */
export const NO_MEMORY: GateMemory = { state: "unknown", defined: false, crossed: null };

/** What every scope of one memory shares. */
export type ScopeSettings = {
  readonly metrics: readonly MetricSettings[];
  /** Merges that are kept, at most. */
  readonly capacity: number;
  readonly verdicts: VerdictNumbers;
};

/** A figure under a window and verdicts that are not configured. */
type OtherFigure = {
  readonly metric: MetricName;
  readonly verdicts: VerdictSet | null;
  readonly figure: RunningFigure;
  /** `merges` when it was last read. */
  readAt: number;
};

/** One array for all scopes: a daemon alone needs no other figures, and may have 100,000 projects. */
const NO_OTHERS: readonly OtherFigure[] = [];

/** Three metrics, and room for daemons of different configuration that take turns. */
const OTHERS_KEPT = 9;

export class ScopeMemory {
  /** The newest merge's place in the order of this scope, from 1. */
  seq = 0;
  /** Merges that are known without a gap, up to the newest one. */
  merges = 0;
  /** Whether nothing of its past is missing. */
  complete: boolean;
  /** Whether `seq` is known: otherwise it is counted from the first merge that is known. */
  placed: boolean;
  readonly #settings: ScopeSettings;
  #ring: MergeRing;
  /** One for each configured metric, in the same order. */
  #figures: readonly RunningFigure[];
  #others = NO_OTHERS;
  #gates: Partial<Record<MetricName, GateMemory>> = {};

  constructor(settings: ScopeSettings, complete = true) {
    this.#settings = settings;
    this.complete = complete;
    this.placed = complete;
    this.#ring = new MergeRing(settings.capacity);
    this.#figures = configuredFigures(settings);
  }

  /** The newest merges. */
  get ring(): Pick<MergeRing, "length" | "capacity" | "at"> {
    return this.#ring;
  }

  /** Slides every window by one merge. */
  push(entry: Entry): void {
    this.seq += 1;
    this.merges += 1;
    const figures = this.#figures;
    let [size, leaving] = [0, NO_ENTRY];
    for (let index = 0; index < figures.length; index += 1) {
      const figure = figures[index] as RunningFigure;
      if (figure.size !== size) {
        ({ size } = figure);
        leaving = this.#leaving(size);
      }
      figure.slide(entry, leaving);
    }
    if (this.#others.length > 0) this.#slideOthers(entry);
    this.#ring.push(entry);
  }

  /** Fills an empty scope with merges, oldest first. It does not set `seq`. */
  fill(runs: readonly Run[]): void {
    for (const { entry, times } of runs) {
      this.merges += times;
      for (let time = 0; time < times; time += 1) this.#ring.push(entry);
    }
    for (const figure of this.#figures) {
      let room = figure.size;
      for (let index = runs.length - 1; index >= 0 && room > 0; index -= 1) {
        const { entry, times } = runs[index] as Run;
        figure.add(entry, Math.min(times, room));
        room -= times;
      }
    }
  }

  /** What the configured metric at this index says now. */
  reading(index: number): Reading {
    const figure = this.#figures[index] as RunningFigure;
    return figure.reading(Math.min(this.#ring.length, figure.size));
  }

  /**
   * What a metric says over the newest `n` merges of a window.
   * @param n at most `window`.
   * @returns null where too few merges are kept, or a verdict has no number of its own.
   */
  readingUnder(metric: MetricName, window: number, verdicts: readonly string[], n: number): Reading | null {
    if (n > this.#ring.length || window > this.#ring.capacity) return null;
    const set = CATALOGUE[metric].looksAtVerdicts ? this.#settings.verdicts.setOf(verdicts) : null;
    if (CATALOGUE[metric].looksAtVerdicts && set === null) return null;
    if (n !== Math.min(this.#ring.length, window)) return this.#build(metric, window, set, n).reading(n);
    return this.#figureUnder(metric, window, set).reading(n);
  }

  gate(metric: MetricName): GateMemory {
    return this.#gates[metric] ?? NO_MEMORY;
  }

  setGate(metric: MetricName, memory: GateMemory): void {
    this.#gates[metric] = memory;
    this.placed = true;
  }

  /** From here on nothing of the past is known but the place in the order. */
  forget(): void {
    this.complete = false;
    this.merges = 0;
    this.#ring = new MergeRing(this.#settings.capacity);
    this.#figures = configuredFigures(this.#settings);
    this.#others = NO_OTHERS;
    this.#gates = {};
  }

  clone(): ScopeMemory {
    const copy = new ScopeMemory(this.#settings, this.complete);
    copy.seq = this.seq;
    copy.merges = this.merges;
    copy.placed = this.placed;
    copy.#ring = this.#ring.clone();
    copy.#figures = this.#figures.map((figure) => figure.clone());
    copy.#gates = { ...this.#gates };
    return copy;
  }

  /** One that was not read while its whole window went by is dropped: it can be built again at the same cost. */
  #slideOthers(entry: Entry): void {
    this.#others = this.#others.filter(({ figure, readAt }) => this.merges - readAt <= figure.size);
    for (const { figure } of this.#others) figure.slide(entry, this.#leaving(figure.size));
  }

  #leaving(size: number): Entry {
    return this.#ring.length < size ? NO_ENTRY : this.#ring.at(size - 1);
  }

  #figureUnder(metric: MetricName, window: number, set: VerdictSet | null): RunningFigure {
    const { metrics, verdicts } = this.#settings;
    const index = metrics.findIndex(({ name }) => name === metric);
    const settings = metrics[index];
    const configured =
      settings?.window === window && (set === null || set === verdicts.setOf(settings.verdicts ?? []));
    if (configured) return this.#figures[index] as RunningFigure;
    const others = this.#others;
    let other = others.find(
      (one) => one.metric === metric && one.figure.size === window && one.verdicts === set,
    );
    if (other === undefined) {
      other = {
        metric,
        verdicts: set,
        figure: this.#build(metric, window, set, Math.min(this.#ring.length, window)),
        readAt: 0,
      };
      this.#others = [...others.slice(1 - OTHERS_KEPT), other];
    }
    other.readAt = this.merges;
    return other.figure;
  }

  #build(metric: MetricName, window: number, set: VerdictSet | null, n: number): RunningFigure {
    const figure = createFigure(metric, window, set);
    for (let age = n - 1; age >= 0; age -= 1) figure.add(this.#ring.at(age), 1);
    return figure;
  }
}

function configuredFigures({ metrics, verdicts }: ScopeSettings): RunningFigure[] {
  return metrics.map((metric) =>
    createFigure(
      metric.name,
      metric.window,
      metric.verdicts === null ? null : verdicts.setOf(metric.verdicts),
    ),
  );
}
