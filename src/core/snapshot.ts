/** The snapshot document: the current values of every scope, as `metrics snapshot --json` prints and HTTP serves them. */
import { type Analyzer, gatedReading, type Scopes } from "./analyzer.ts";
import type { GateState } from "./gate.ts";
import { gateFor, type MetricName, type MetricSettings } from "./metric.ts";
import { valueOf } from "./reading.ts";
import { type Effective, effective, type ScopeKind, scopeOf } from "./scope.ts";
import type { ScopeMemory } from "./scope-memory.ts";

export type SnapshotMetric = {
  readonly metric: MetricName;
  readonly scope: ScopeKind;
  readonly project: string | null;
  /** A ratio 0–1 or a number of attempts; null until n = window. */
  readonly value: number | null;
  readonly numerator: number | null;
  readonly n: number;
  readonly window: number;
  readonly gate: SnapshotGate | null;
  /** What a policy about this project must use; null where the metric is not gated for projects. */
  readonly effective: Effective | null;
};

export type SnapshotGate = {
  readonly name: string;
  readonly state: GateState;
  /** `merged_at` of the merge at which it last crossed; null where it never did or no date is known. */
  readonly since: string | null;
  readonly upper: number;
  readonly lower: number;
};

/** The newest merge that a document knows of, and when it was made by the server's clock. */
export type AsOf = {
  /** How many merges have been recorded. */
  readonly seq: number;
  readonly event_id: string | null;
  readonly merged_at: string | null;
  readonly generated_at: string;
};

export type Snapshot = {
  readonly schema_version: 1;
  readonly as_of: AsOf;
  /** Instances connected to the database. */
  readonly daemon: { readonly running: number };
  /** Merges that are due and not recorded, and the age of the oldest one in seconds. */
  readonly lag: { readonly merges: number; readonly seconds: number | null };
  readonly skipped: { readonly total: number };
  /** Merges that `events_outbox` did not take when they were last tried. */
  readonly refused: { readonly total: number };
  /** True while the windows count up again after rows went from the old end of the journal. */
  readonly history_truncated: boolean;
  /** Every project, the one that merged last first. */
  readonly projects: readonly string[];
  readonly metrics: readonly SnapshotMetric[];
};

/** What the snapshot says beside the windows. */
export type Surroundings = {
  readonly generatedAt: string;
  readonly running: number;
  readonly lag: Snapshot["lag"];
  /** Default 0. */
  readonly refused?: number;
};

/** Global readings first, then the projects in the order of their names' code points. */
export function snapshotOf(analyzer: Analyzer, surroundings: Surroundings): Snapshot {
  const projects = [...analyzer.projects.keys()].toSorted(byCodePoint);
  return {
    schema_version: 1,
    as_of: asOf(analyzer, surroundings.generatedAt),
    daemon: { running: surroundings.running },
    lag: surroundings.lag,
    skipped: { total: analyzer.skipped },
    refused: { total: surroundings.refused ?? 0 },
    history_truncated: analyzer.historyTruncated,
    projects: [...analyzer.projects.keys()].toReversed(),
    metrics: [
      ...analyzer.metrics.map((metric, index) => describe(analyzer, metric, index, null, analyzer.global)),
      ...projects.flatMap((name) =>
        analyzer.metrics.map((metric, index) =>
          describe(analyzer, metric, index, name, analyzer.project(name)),
        ),
      ),
    ],
  };
}

export function asOf({ global, newest }: Analyzer, generatedAt: string): AsOf {
  const { event_id = null, merged_at = null } = newest ?? {};
  return { seq: global.seq, event_id, merged_at, generated_at: generatedAt };
}

function describe(
  scopes: Scopes,
  metric: MetricSettings,
  index: number,
  project: string | null,
  scope: ScopeMemory,
): SnapshotMetric {
  const kind = scopeOf(project);
  const reading = scope.reading(index);
  const gate = gateFor(metric, kind);
  const { state, crossed } = scope.gate(metric.name);
  return {
    metric: metric.name,
    scope: kind,
    project,
    value: valueOf(reading),
    numerator: reading.numerator,
    n: reading.n,
    window: reading.window,
    gate:
      gate === null
        ? null
        : { name: gate.name, state, since: crossed?.since ?? null, upper: gate.upper, lower: gate.lower },
    effective:
      gate === null || project === null
        ? null
        : effective({ reading, state }, gatedReading(scopes.global, metric, index)),
  };
}

/** The projects of a snapshot with their readings, most recently merged first. */
export function mostRecentFirst({
  projects,
  metrics,
}: Pick<Snapshot, "projects" | "metrics">): [string, readonly SnapshotMetric[]][] {
  const readings = Map.groupBy(metrics, ({ project }) => project);
  return projects.map((project) => [project, readings.get(project) ?? []]);
}

/** Orders strings as their UTF-8 bytes do, so that the order is the same in every language. */
export function byCodePoint(a: string, b: string): number {
  const shared = Math.min(a.length, b.length);
  for (let index = 0; index < shared; index += 1) {
    const [left, right] = [a.charCodeAt(index), b.charCodeAt(index)];
    if (left !== right) return place(left) - place(right);
  }
  return a.length - b.length;
}

/** Of a UTF-16 unit: the halves of a pair stand for code points above all that fit into one unit. */
function place(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}
