/**
 * The fold: merges go in, windows slide, gates pick their side, and what changed comes out as events.
 *
 * A fold works on `Scopes`: on the analyzer itself, or on a draft of it. The daemon folds onto a draft, records the
 * events in one transaction, and adopts the draft only once they are committed: memory never runs ahead of the log.
 */
import {
  DEFAULT_VERDICTS,
  entryOf,
  MAX_VERDICT_SETS,
  type VerdictFlags,
  type VerdictSets,
  verdictFlags,
} from "./catalogue.ts";
import { nextState } from "./gate.ts";
import type { Merge } from "./merge.ts";
import { gateFor, type MetricSettings } from "./metric.ts";
import { type Change, type EventRow, eventRows } from "./metric-event.ts";
import { valueOf } from "./reading.ts";
import { effective, type ScopeKind } from "./scope.ts";
import { type GateMemory, ScopeState } from "./scope-state.ts";

/** The newest merge that was folded. */
export type Newest = {
  readonly eventId: string;
  readonly workItemId: string;
  readonly mergedAt: string | null;
};

export interface Scopes {
  readonly metrics: readonly MetricSettings[];
  readonly verdictFlags: VerdictFlags;
  readonly global: ScopeState;
  newest: Newest | null;
  /** The memory of a project, created on first use. */
  project(name: string): ScopeState;
}

/** What rows already in the journal were written under, so that they can be judged by it. */
export type JournalNeeds = {
  /** Merges that must be kept for each scope. */
  readonly capacity: number;
  readonly verdictSets: VerdictSets;
};

export class Analyzer implements Scopes {
  readonly metrics: readonly MetricSettings[];
  readonly capacity: number;
  readonly verdictSets: VerdictSets;
  readonly verdictFlags: VerdictFlags;
  global: ScopeState;
  readonly projects = new Map<string, ScopeState>();
  newest: Newest | null = null;
  /** Merges recorded as skipped. */
  skipped = 0;
  /** Whether rows went from the old end of the journal, so that memory began in the middle of history. */
  truncated = false;

  constructor(metrics: readonly MetricSettings[], needs: JournalNeeds = { capacity: 0, verdictSets: [] }) {
    this.metrics = metrics;
    this.capacity = Math.max(needs.capacity, ...metrics.map((metric) => metric.window));
    const configured = metrics.find((metric) => metric.verdicts !== null)?.verdicts ?? DEFAULT_VERDICTS;
    this.verdictSets = [configured, ...needs.verdictSets].slice(0, MAX_VERDICT_SETS);
    this.verdictFlags = verdictFlags(this.verdictSets);
    this.global = ScopeState.empty(metrics, this.capacity);
  }

  project(name: string): ScopeState {
    let scope = this.projects.get(name);
    if (scope === undefined) {
      scope = ScopeState.empty(this.metrics, this.capacity);
      this.projects.set(name, scope);
    }
    return scope;
  }

  /** Whether the global windows still count up again after rows went from the old end of the journal. */
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
  readonly verdictFlags: VerdictFlags;
  readonly global: ScopeState;
  newest: Newest | null;
  readonly #base: Analyzer;
  readonly #projects = new Map<string, ScopeState>();

  constructor(base: Analyzer) {
    this.#base = base;
    this.metrics = base.metrics;
    this.verdictFlags = base.verdictFlags;
    this.global = base.global.clone();
    this.newest = base.newest;
  }

  project(name: string): ScopeState {
    let scope = this.#projects.get(name);
    if (scope === undefined) {
      scope = this.#base.projects.get(name)?.clone() ?? ScopeState.empty(this.metrics, this.#base.capacity);
      this.#projects.set(name, scope);
    }
    return scope;
  }

  /** Makes the draft the analyzer's own memory. The draft must not be used afterwards. */
  adopt(skipped = 0): void {
    this.#base.global = this.global;
    for (const [name, scope] of this.#projects) this.#base.projects.set(name, scope);
    this.#base.newest = this.newest;
    this.#base.skipped += skipped;
  }
}

/** Slides the windows by one merge without asking the gates: for replaying what the journal has decided already. */
export function slide(scopes: Scopes, merge: Merge): void {
  const entry = entryOf(merge, scopes.verdictFlags);
  scopes.global.push(entry);
  scopes.project(merge.project).push(entry);
  scopes.newest = { eventId: merge.eventId, workItemId: merge.workItemId, mergedAt: merge.mergedAt };
}

/** Folds one merge and returns the rows that record it, in the order in which they are to be appended. */
export function fold(scopes: Scopes, merge: Merge, producer: string): EventRow[] {
  slide(scopes, merge);
  const changes: Change[] = [];
  for (const kind of ["global", "project"] as const) {
    scopes.metrics.forEach((metric, index) => {
      if (metric.record.includes(kind)) changes.push(evaluate(scopes, merge, metric, index, kind));
    });
  }
  return eventRows(merge, changes, producer);
}

/** Evaluates one metric in one scope after its windows slid, and remembers where its gate stands now. */
function evaluate(
  scopes: Scopes,
  merge: Merge,
  metric: MetricSettings,
  index: number,
  kind: ScopeKind,
): Change {
  const scope = kind === "global" ? scopes.global : scopes.project(merge.project);
  const gate = gateFor(metric, kind);
  const reading = scope.reading(index);
  const before = scope.gate(index);
  let state = before.state;
  let crossed = false;
  if (gate !== null && reading.defined) {
    state = nextState(gate, before.state, reading.value);
    crossed = state !== before.state;
    // A project that becomes defined inside the band goes on with what its policy followed until now.
    if (kind === "project" && state === "unknown" && !before.defined) state = scopes.global.gate(index).state;
  }
  const after: GateMemory = {
    state: gate === null ? "unknown" : state,
    defined: reading.defined,
    crossed: crossed ? { eventId: merge.eventId, since: merge.mergedAt } : before.crossed,
  };
  scope.gates[index] = after;
  return {
    metric,
    scope: kind,
    seq: scope.seq,
    reading,
    gate,
    state: gate === null ? null : state,
    effective:
      kind === "project" && gate !== null
        ? effective(
            { reading, state },
            { reading: scopes.global.reading(index), state: scopes.global.gate(index).state },
          )
        : null,
    crossing: crossed ? { from: before.state, previous: before.crossed, value: valueOf(reading) } : null,
  };
}
