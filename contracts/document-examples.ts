/** Examples of the documents: a story's rows, read by the code that prints and serves the documents. */
import type { Analyzer } from "../src/core/analyzer.ts";
import { Differences } from "../src/core/difference.ts";
import { type Explanations, explain, type PlacedMerge } from "../src/core/explanation.ts";
import type { History, HistorySeries } from "../src/core/history.ts";
import { parseJournalRow } from "../src/core/journal-row.ts";
import type { Merge } from "../src/core/merge.ts";
import type { MetricSettings } from "../src/core/metric.ts";
import type { EventRow } from "../src/core/metric-event.ts";
import { MergeReconciliation } from "../src/core/reconcile-merges.ts";
import { Simulation, type SimulationDocument, simulationOf } from "../src/core/simulation.ts";
import { type Snapshot, snapshotOf } from "../src/core/snapshot.ts";
import { type RecentHistory, StatusHistory } from "../src/core/status-history.ts";
import { Timeline } from "../src/core/timeline.ts";
import { type Verification, verificationOf } from "../src/core/verification.ts";
import type { AuditRow } from "../src/core/verifier.ts";
import { Verifier } from "../src/core/verifier.ts";
import type { DocumentName } from "./json-schema.ts";

/** Merges, the rows that record them, and memory after the last one. */
export type Story = {
  readonly metrics: readonly MetricSettings[];
  readonly merges: readonly Merge[];
  readonly rows: readonly EventRow[];
  readonly analyzer: Analyzer;
  /** When the documents were made. */
  readonly generatedAt: string;
};

/** The newest points and merges that are shown: a few show the shape as well as hundreds. */
const SHOWN = 3;

export function documentExamples(story: Story): Readonly<Record<DocumentName, readonly unknown[]>> {
  const { analyzer, generatedAt } = story;
  const snapshot = snapshotOf(analyzer, {
    generatedAt,
    running: 1,
    lag: { merges: 0, seconds: null },
  });
  const rows = inLog(story);
  const recent = recentOf(story, rows);
  return {
    snapshot: [snapshot],
    history: [historyOf(snapshot, recent.series)],
    "recent-history": [recent],
    explanation: [explanationsOf(story, snapshot)],
    verification: [verified(story, rows), verified(story, tampered(rows))],
    simulation: [simulated(story, rows)],
  };
}

/** The rows as the log has them: each set's ids follow its merge's id. */
function inLog({ rows }: Story): AuditRow[] {
  const placed = new Map<string, number>();
  return rows.flatMap(({ kind, workItemId, payload }) => {
    if (!("seq" in payload)) return [];
    const before = placed.get(payload.merge.event_id) ?? 0;
    placed.set(payload.merge.event_id, before + 1);
    const id = String(BigInt(payload.merge.event_id) + BigInt(before + 1));
    return [{ id, kind, payload: JSON.stringify(payload), workItemId }];
  });
}

function recentOf({ metrics }: Story, rows: readonly AuditRow[]): RecentHistory {
  const recent = new StatusHistory();
  for (const row of rows) recent.accept(parseJournalRow(row));
  const { series, merges, crossings, ...rest } = recent.history(metrics);
  return {
    ...rest,
    series: series.map((one) => ({ ...one, points: one.points.slice(-SHOWN) })),
    merges: merges.slice(-SHOWN),
    crossings,
  };
}

function historyOf({ as_of }: Snapshot, series: readonly HistorySeries[]): History {
  return { schema_version: 1, as_of, series: series.filter(({ project }) => project === null) };
}

function explanationsOf({ analyzer, merges }: Story, { as_of, lag, metrics }: Snapshot): Explanations {
  const newestFirst = merges.map((merge, index): PlacedMerge => ({ seq: index + 1, merge })).toReversed();
  return {
    schema_version: 1,
    as_of,
    lag,
    explanations: metrics
      .filter(({ scope, gate }) => scope === "global" && gate !== null)
      .map((reading) => explain(analyzer, reading, newestFirst))
      .map((one) => ({ ...one, merges: one.merges.slice(-SHOWN) })),
  };
}

function verified({ metrics, merges, generatedAt }: Story, rows: readonly AuditRow[]): Verification {
  const differences = new Differences(20);
  const verifier = new Verifier(metrics, differences);
  for (const row of rows) verifier.accept(row);
  verifier.end();
  const audit = new MergeReconciliation(verifier, differences, null);
  for (const { eventId, workItemId, mergedAt, project, attempts, lastVerdict } of merges)
    audit.accept({
      eventId,
      workItemId,
      mergedAt,
      ageMs: 0,
      facts: { project, attempts: String(attempts), lastVerdict },
    });
  audit.end({ id: null, at: null });
  return verificationOf(verifier, audit.counts, differences, [], generatedAt);
}

/** A row was tampered with: the newest row of a rate has a better value. */
function tampered(rows: readonly AuditRow[]): AuditRow[] {
  const place = rows.findLastIndex(({ kind }) => kind === "metric.first_pass_merge_rate");
  return rows.map((row, index) =>
    index === place
      ? { ...row, payload: JSON.stringify({ ...JSON.parse(row.payload ?? ""), value: 1 }) }
      : row,
  );
}

function simulated({ metrics, generatedAt }: Story, rows: readonly AuditRow[]): SimulationDocument {
  const halved = metrics.map((metric) => ({ ...metric, window: Math.ceil(metric.window / 2) }));
  const kept = { projects: ["borealis"], last: 1 };
  const both = { today: new Simulation(metrics, kept), simulated: new Simulation(halved, kept) };
  const timeline = new Timeline();
  for (const recorded of [...rows.map((row) => timeline.accept(row)), timeline.end()]) {
    if (recorded === null) continue;
    both.today.accept(recorded);
    both.simulated.accept(recorded);
  }
  return simulationOf(both, generatedAt);
}
