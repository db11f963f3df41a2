/**
 * The decision: what one merge does to one metric of one scope.
 *
 * This is the only place where a gate moves, a project takes over the global state, and an effective reading is chosen. Writing turns
 * the result into rows. Replaying and verifying call it again with the terms that a row was decided under, and compare (`judge.ts`).
 */
import { type Gate, type GateState, nextState } from "./gate.ts";
import type { Merge } from "./merge.ts";
import { gateFor, type MetricSettings } from "./metric.ts";
import { type Reading, valueOf } from "./reading.ts";
import { type Effective, effective, type GatedReading, type ScopeKind } from "./scope.ts";
import type { Crossing, GateMemory } from "./scope-memory.ts";

/** What a metric is decided under in one scope. */
export type Terms = Pick<MetricSettings, "name" | "verdicts"> & {
  /** Null where the scope has no gate for this metric. */
  readonly gate: Gate | null;
};

/** Where a metric of a scope is after its window slid by the merge, and before its gate is decided. */
export type Standing = {
  readonly scope: ScopeKind;
  readonly seq: number;
  readonly reading: Reading;
  readonly gate: GateMemory;
};

/** What one merge did to one metric of one scope. */
export type Change = {
  readonly metric: Terms;
  readonly scope: ScopeKind;
  readonly seq: number;
  readonly reading: Reading;
  /** Null where the scope has no gate for this metric. */
  readonly state: GateState | null;
  /** Null for the global scope, and without a gate. */
  readonly effective: Effective | null;
  readonly crossing: {
    readonly from: GateState;
    readonly previous: Crossing | null;
    readonly value: number | null;
  } | null;
};

export type Decision = { readonly change: Change; readonly gate: GateMemory };

export function termsOf(metric: MetricSettings, scope: ScopeKind): Terms {
  return { name: metric.name, verdicts: metric.verdicts, gate: gateFor(metric, scope) };
}

/**
 * @param global for a project: what the same metric says of all merges, after its own decision at this merge. Null for the global
 * scope, and where that is not known: then nothing is taken over, and no reading is effective.
 */
export function decide(
  metric: Terms,
  merge: Pick<Merge, "eventId" | "mergedAt">,
  own: Standing,
  global: GatedReading | null,
): Decision {
  const { gate } = metric;
  const { scope, seq, reading, gate: before } = own;
  if (gate === null) {
    return {
      change: { metric, scope, seq, reading, state: null, effective: null, crossing: null },
      gate: { state: "unknown", defined: reading.defined, crossed: before.crossed },
    };
  }
  const moved = reading.defined ? nextState(gate, before.state, reading.value) : before.state;
  const crossed = moved !== before.state;
  // A project that becomes defined between the bounds keeps the state that its policy has followed so far.
  const takesOver = global !== null && reading.defined && !before.defined && moved === "unknown";
  const state = takesOver ? global.state : moved;
  return {
    change: {
      metric,
      scope,
      seq,
      reading,
      state,
      effective: global === null ? null : effective({ reading, state }, global),
      crossing: crossed ? { from: before.state, previous: before.crossed, value: valueOf(reading) } : null,
    },
    gate: {
      state,
      defined: reading.defined,
      crossed: crossed ? { since: merge.mergedAt, event_id: merge.eventId } : before.crossed,
    },
  };
}
