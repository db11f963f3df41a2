/**
 * The fold: a merge goes in, windows slide, gates are decided, and the rows that record the change come out.
 *
 * A fold works on `Scopes`: on the analyzer itself, or on a draft of it. The daemon folds onto a draft, records the events in one
 * transaction, and adopts the draft after the commit. So memory never runs ahead of the log.
 */
import { entryOf } from "./catalogue.ts";
import { type Change, decide, termsOf } from "./decide.ts";
import type { Merge } from "./merge.ts";
import type { MetricSettings } from "./metric.ts";
import { type EventRow, eventRows } from "./metric-event.ts";
import type { GatedReading } from "./scope.ts";
import { ScopeMemory } from "./scope-memory.ts";
import { VerdictNumbers } from "./verdict-numbers.ts";

/** The newest merge in memory, as a checkpoint and documents name it. */
export type Newest = {
  readonly event_id: string;
  readonly work_item_id: string;
  readonly merged_at: string | null;
};

export function newestOf({ eventId, workItemId, mergedAt }: Merge): Newest {
  return { event_id: eventId, work_item_id: workItemId, merged_at: mergedAt };
}

export interface Scopes {
  readonly metrics: readonly MetricSettings[];
  readonly verdicts: VerdictNumbers;
  readonly global: ScopeMemory;
  newest: Newest | null;
  /** The memory of a project, created on first use. */
  project(name: string): ScopeMemory;
  /** The memory of the project that merges now: it becomes the last of the projects. */
  mergingProject(name: string): ScopeMemory;
}

export class Analyzer implements Scopes {
  readonly metrics: readonly MetricSettings[];
  /** Merges that are kept for each scope. */
  readonly capacity: number;
  readonly verdicts: VerdictNumbers;
  global: ScopeMemory;
  /** The project that merged last is the last one; a checkpoint keeps this order. */
  readonly projects = new Map<string, ScopeMemory>();
  /** A project that is known to be the last one. */
  #last: string | null = null;
  newest: Newest | null = null;
  /** Merges recorded as skipped. */
  skipped = 0;
  /** Whether rows are missing at the old end of the journal, so memory begins in the middle of history. */
  truncated = false;

  /** @param capacity merges that are kept for each scope, where rows of larger windows than today's are to be judged. */
  constructor(metrics: readonly MetricSettings[], capacity = 0, verdicts = new VerdictNumbers()) {
    this.metrics = metrics;
    this.verdicts = verdicts;
    this.capacity = Math.max(capacity, ...metrics.map((metric) => metric.window));
    this.global = new ScopeMemory(this);
  }

  project(name: string): ScopeMemory {
    let scope = this.projects.get(name);
    if (scope === undefined) {
      scope = new ScopeMemory(this, !this.truncated);
      this.moveToEnd(name, scope);
    }
    return scope;
  }

  mergingProject(name: string): ScopeMemory {
    const scope = this.project(name);
    // Merges of one project often follow each other, and moving costs more than sliding a window.
    return name === this.#last ? scope : this.moveToEnd(name, scope);
  }

  moveToEnd(name: string, scope: ScopeMemory): ScopeMemory {
    this.#last = name;
    return moveToEnd(this.projects, name, scope);
  }

  /** Whether the global windows are still filling again because rows are missing at the old end of the journal. */
  get historyTruncated(): boolean {
    return this.truncated && this.metrics.some((metric) => this.global.ring.length < metric.window);
  }

  draft(): Draft {
    return new Draft(this);
  }
}

/** A copy-on-write view of an analyzer: only the scopes that a batch touches are copied. */
export class Draft implements Scopes {
  readonly metrics: readonly MetricSettings[];
  readonly verdicts: VerdictNumbers;
  readonly global: ScopeMemory;
  newest: Newest | null;
  readonly #base: Analyzer;
  readonly #projects = new Map<string, ScopeMemory>();

  constructor(base: Analyzer) {
    this.#base = base;
    this.metrics = base.metrics;
    this.verdicts = base.verdicts;
    this.global = base.global.clone();
    this.newest = base.newest;
  }

  project(name: string): ScopeMemory {
    let scope = this.#projects.get(name);
    if (scope === undefined) {
      scope = this.#base.projects.get(name)?.clone() ?? new ScopeMemory(this.#base, !this.#base.truncated);
      this.#projects.set(name, scope);
    }
    return scope;
  }

  mergingProject(name: string): ScopeMemory {
    return moveToEnd(this.#projects, name, this.project(name));
  }

  /** Makes the draft the analyzer's own memory. The draft must not be used afterwards. */
  adopt(skipped = 0): void {
    this.#base.global = this.global;
    for (const [name, scope] of this.#projects) this.#base.moveToEnd(name, scope);
    this.#base.newest = this.newest;
    this.#base.skipped += skipped;
  }
}

function moveToEnd(projects: Map<string, ScopeMemory>, name: string, scope: ScopeMemory): ScopeMemory {
  projects.delete(name);
  projects.set(name, scope);
  return scope;
}

/** Slides the windows by one merge without asking the gates: for replaying what the journal has decided already. */
export function slide(scopes: Scopes, merge: Merge): void {
  const entry = entryOf(merge, scopes.verdicts);
  scopes.global.push(entry);
  scopes.mergingProject(merge.project).push(entry);
  scopes.newest = newestOf(merge);
}

/** Folds one merge and returns the rows that record it, in the order in which they are to be appended. */
export function fold(scopes: Scopes, merge: Merge, producer: string): EventRow[] {
  slide(scopes, merge);
  const changes: Change[] = [];
  for (const kind of ["global", "project"] as const) {
    scopes.metrics.forEach((metric, index) => {
      if (!metric.record.includes(kind)) return;
      const scope = kind === "global" ? scopes.global : scopes.project(merge.project);
      const own = {
        scope: kind,
        seq: scope.seq,
        reading: scope.reading(index),
        gate: scope.gate(metric.name),
      };
      const { change, gate } = decide(
        termsOf(metric, kind),
        merge,
        own,
        kind === "global" ? null : gatedReading(scopes.global, metric, index),
      );
      scope.setGate(metric.name, gate);
      changes.push(change);
    });
  }
  return eventRows(merge, changes, producer);
}

/** What a metric says of a scope now, with its gate's state. */
export function gatedReading(scope: ScopeMemory, { name }: MetricSettings, index: number): GatedReading {
  return { reading: scope.reading(index), state: scope.gate(name).state };
}
