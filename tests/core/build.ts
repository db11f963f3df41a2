/** Builders: the ordinary merge, the contract's settings, a history folded, a journal replayed. Tests state the rest. */
import { Analyzer, fold } from "../../src/core/analyzer.ts";
import type { CheckpointPlace } from "../../src/core/checkpoint.ts";
import { parseJournalRow, type RawJournalRow } from "../../src/core/journal-row.ts";
import type { Facts, Merge } from "../../src/core/merge.ts";
import { METRIC_NAMES, type MetricName, type MetricSettings } from "../../src/core/metric.ts";
import type { CrossingPayload, EventRow, MetricPayload } from "../../src/core/metric-event.ts";
import type { ScopeKind } from "../../src/core/scope.ts";
import type { ScopeMemory } from "../../src/core/scope-memory.ts";
import { snapshotOf } from "../../src/core/snapshot.ts";
import { capacityFor, Walk } from "../../src/core/walk.ts";
import { attemptsIn, verdictIn } from "../../src/core/window.ts";

export const PRODUCER = "damascus-metrics/1.0.0";

/** The table of the contract. */
export const FIRST_PASS: MetricSettings = {
  name: "first_pass_merge_rate",
  window: 50,
  record: ["global"],
  gate: { name: "trust", upper: 0.85, lower: 0.7 },
  verdicts: null,
};
export const REBASE: MetricSettings = {
  name: "rebase_conflict_rate",
  window: 100,
  record: ["global", "project"],
  gate: { name: "scope_overlap", upper: 0.1, lower: 0.05 },
  verdicts: ["rebase_conflict"],
};
export const P95: MetricSettings = {
  name: "p95_attempts_to_merge",
  window: 100,
  record: ["global"],
  gate: null,
  verdicts: null,
};
export const CONTRACT: readonly MetricSettings[] = [FIRST_PASS, REBASE, P95];

/** The contract's metrics with small windows and a wide band, so that short histories reach every case. */
export const SMALL: readonly MetricSettings[] = [
  { ...FIRST_PASS, window: 3, gate: { name: "trust", upper: 0.6, lower: 0.4 } },
  { ...REBASE, window: 4, gate: { name: "scope_overlap", upper: 0.5, lower: 0.25 } },
  { ...P95, window: 5 },
];

const FIRST_MINUTE = Date.UTC(2026, 10, 22, 10, 0);

/** The `index`-th merge of a history: one build, approved, in project atlas, one minute after the one before it. */
export function merge(index: number, facts: Partial<Merge> = {}): Merge {
  return {
    eventId: String(1000 + 7 * index),
    workItemId: String(index),
    project: "atlas",
    attempts: 1,
    lastVerdict: "approve",
    mergedAt: new Date(FIRST_MINUTE + index * 60_000).toISOString(),
    ...facts,
  };
}

/** A history whose merges differ from the ordinary one by these facts, numbered from `from`. */
export function history(outcomes: readonly Partial<Facts>[], from = 1): Merge[] {
  return outcomes.map((facts, index) => merge(from + index, facts));
}

export function times<T>(count: number, outcome: T): T[] {
  return Array.from({ length: count }, () => outcome);
}

export const CLEAN: Partial<Facts> = {};
export const REWORKED: Partial<Facts> = { attempts: 2 };
export const CONFLICT: Partial<Facts> = { lastVerdict: "rebase_conflict" };

/** Folds merges one by one; `sets` holds the rows of each merge. */
export function foldAll(analyzer: Analyzer, merges: readonly Merge[]): EventRow[][] {
  return merges.map((one) => fold(analyzer, one, PRODUCER));
}

export function record(
  merges: readonly Merge[],
  settings: readonly MetricSettings[] = CONTRACT,
): { analyzer: Analyzer; sets: EventRow[][]; rows: EventRow[] } {
  const analyzer = new Analyzer(settings);
  const sets = foldAll(analyzer, merges);
  return { analyzer, sets, rows: sets.flat() };
}

export function isMetric(row: EventRow): row is EventRow & { payload: MetricPayload } {
  return "seq" in row.payload && !("gate" in row.payload);
}

export function isCrossing(row: EventRow): row is EventRow & { payload: CrossingPayload } {
  return "gate" in row.payload;
}

/** The metric rows of one series, oldest first. */
export function series(
  rows: readonly EventRow[],
  metric: MetricName,
  scope: ScopeKind = "global",
  project: string | null = scope === "global" ? null : "atlas",
): MetricPayload[] {
  return rows
    .filter(isMetric)
    .map((row) => row.payload)
    .filter((row) => row.metric === metric && row.scope === scope && row.project === project);
}

export function crossings(rows: readonly EventRow[]): CrossingPayload[] {
  return rows.filter(isCrossing).map((row) => row.payload);
}

/** Rows as the outbox keeps them: ids in the order of appending, payloads as JSON text. */
export function journal(rows: readonly EventRow[], firstId = 1): RawJournalRow[] {
  return rows.map((row, index) => ({
    id: String(firstId + index),
    kind: row.kind,
    payload: JSON.stringify(row.payload),
  }));
}

/** A replay of these rows, by default with all that is needed to judge every one of them. */
export function replay(
  raws: readonly RawJournalRow[],
  settings: readonly MetricSettings[],
  capacity = capacityFor(raws.map(parseJournalRow)),
): Walk {
  const walk = new Walk(new Analyzer(settings, capacity));
  for (const raw of raws) walk.accept(parseJournalRow(raw));
  walk.end();
  return walk;
}

/** The snapshot's text with fixed surroundings: equal texts, equal memory as far as anybody can see it. */
export function snapshotText(analyzer: Analyzer): string {
  return JSON.stringify(
    snapshotOf(analyzer, {
      generatedAt: "2026-11-22T12:00:00.000Z",
      running: 1,
      lag: { merges: 0, seconds: null },
    }),
  );
}

/** Where the gates of a scope are. */
export function gates(scope: ScopeMemory): unknown {
  return METRIC_NAMES.map((name) => scope.gate(name));
}

/** Everything that an analyzer remembers, as plain data. */
export function memory(analyzer: Analyzer): unknown {
  const scope = (state: typeof analyzer.global) => ({
    seq: state.seq,
    merges: Array.from({ length: state.ring.length }, (_, age) => {
      const entry = state.ring.at(age);
      return { attempts: attemptsIn(entry), verdict: analyzer.verdicts.nameOf(verdictIn(entry)) };
    }),
    readings: analyzer.metrics.map((_, index) => state.reading(index)),
    gates: gates(state),
  });
  return {
    global: scope(analyzer.global),
    projects: [...analyzer.projects].map(([name, state]) => [name, scope(state)]),
    newest: analyzer.newest,
    skipped: analyzer.skipped,
    truncated: analyzer.truncated,
  };
}

/** Where a checkpoint is in a log of which nothing was pruned. */
export function checkpointAt(rowId: string, lowWaterMark = "0"): CheckpointPlace {
  return {
    row_id: rowId,
    journal_begins: "1",
    low_mark: lowWaterMark,
    recorded_above: "",
    unrecorded: [],
    floor: null,
  };
}
