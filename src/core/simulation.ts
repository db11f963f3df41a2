/**
 * Simulation: the recorded merges folded again under other settings, and the document that compares two simulations, as
 * `metrics simulate --json` prints it. `metrics history` computes by one what is not recorded.
 */
import { Analyzer, fold } from "./analyzer.ts";
import type { Gate, GateState } from "./gate.ts";
import { crossingOf, type HistoryPoint, type HistorySeries, pointOf, pushKept, seriesOf } from "./history.ts";
import { gateFor, METRIC_NAMES, type MetricName, type MetricSettings } from "./metric.ts";
import type { CrossingPayload, MetricPayload } from "./metric-event.ts";
import { type ScopeKind, scopeOf } from "./scope.ts";
import type { AsOf } from "./snapshot.ts";
import type { RecordedMerge } from "./timeline.ts";

/** What one gate did over the whole history. */
export type Outcome = {
  readonly window: number;
  readonly gate: Gate | null;
  /** After the newest merge. */
  readonly value: number | null;
  readonly state: GateState;
} & Readonly<Counts>;

type Counts = {
  /** Merges after which the gate was in this state. */
  readonly merges: Record<GateState, number>;
  /** Seconds in this state, between the dates of the first and the latest merge. */
  readonly seconds: Record<GateState, number>;
  readonly crossings: { up: number; down: number };
  /** Merges with a recorded state, and how many of these have the same state here. */
  readonly agreement: { compared: number; equal: number };
};

/** A gate of one scope under both settings. */
export type SimulatedLine = {
  readonly metric: MetricName;
  readonly scope: ScopeKind;
  /** Null for the global scope, and for the sum of all projects. */
  readonly project: string | null;
  /** Null where these settings do not record it. */
  readonly today: Outcome | null;
  readonly simulated: Outcome | null;
};

export type SimulationDocument = {
  readonly schema_version: 1;
  readonly as_of: AsOf;
  /** Whether the oldest rows are gone: both simulations begin with those that are left. */
  readonly history_truncated: boolean;
  readonly lines: readonly SimulatedLine[];
  /** Crossings of the lines, oldest first; the newest thousand of each. */
  readonly crossings: readonly SimulatedCrossing[];
};

export type SimulatedCrossing = Pick<
  CrossingPayload,
  "metric" | "scope" | "project" | "seq" | "from" | "to" | "value"
> & {
  readonly under: "today" | "simulated";
  readonly event_id: string;
  readonly merged_at: string | null;
};

const CROSSINGS_KEPT = 1000;

/** Points and crossings are kept of the global scope and of these projects; of points the newest `last`. */
export type Kept = { readonly projects: readonly string[]; readonly last: number };

/** One fold of the history under some settings. */
export class Simulation {
  readonly metrics: readonly MetricSettings[];
  readonly kept: Kept;
  first: RecordedMerge | null = null;
  newest: RecordedMerge | null = null;
  readonly #analyzer: Analyzer;
  readonly #lines = new Map<string, Line>();

  constructor(metrics: readonly MetricSettings[], kept: Kept) {
    this.metrics = metrics;
    this.kept = kept;
    this.#analyzer = new Analyzer(metrics);
  }

  /** The next merge in the order in which they were recorded. */
  accept(recorded: RecordedMerge): void {
    this.first ??= recorded;
    this.newest = recorded;
    for (const { payload } of fold(this.#analyzer, recorded.merge, "")) {
      if (!("seq" in payload)) continue;
      const { metric, scope } = payload;
      const line = this.#line(payload);
      const row = recorded.rows.find((one) => one.metric === metric && one.scope === scope);
      if ("gate" in payload) line.crossed(payload);
      else line.accept(payload, row?.state ?? null);
    }
  }

  /** @param project null for the global scope. */
  outcome(metric: MetricName, project: string | null): Outcome | null {
    return this.#lines.get(lineName(metric, project))?.outcome ?? null;
  }

  /** The sum of a metric's projects, without value and state; null where no project has the metric. */
  allProjects(metric: MetricName): Outcome | null {
    const outcomes = [...this.#lines.values()]
      .filter((line) => line.metric === metric && line.project !== null)
      .map(({ outcome }) => outcome);
    const [first] = outcomes;
    return first === undefined ? null : { ...first, value: null, state: "unknown", ...sum(outcomes) };
  }

  /** The points that were kept. @param project null for the global scope. */
  series(metric: MetricName, project: string | null): HistorySeries {
    const settings = this.metrics.find(({ name }) => name === metric);
    const points = this.#lines.get(lineName(metric, project))?.points.slice(-this.kept.last) ?? [];
    return seriesOf(settings ?? { name: metric, gate: null, record: [] }, project, "computed", points);
  }

  crossings(metric: MetricName, project: string | null): readonly CrossingPayload[] {
    return this.#lines.get(lineName(metric, project))?.crossings.slice(-CROSSINGS_KEPT) ?? [];
  }

  #line({ metric, scope, project, window }: MetricPayload): Line {
    const name = lineName(metric, project);
    let line = this.#lines.get(name);
    if (line === undefined) {
      const settings = this.metrics.find((one) => one.name === metric) as MetricSettings;
      const keep = project === null || this.kept.projects.includes(project) ? this.kept.last : 0;
      line = new Line(metric, project, keep, { window, gate: gateFor(settings, scope) });
      this.#lines.set(name, line);
    }
    return line;
  }
}

function lineName(metric: MetricName, project: string | null): string {
  return project === null ? metric : `${metric}|${project}`;
}

function noCounts(): Counts {
  return {
    merges: { unknown: 0, high: 0, low: 0 },
    seconds: { unknown: 0, high: 0, low: 0 },
    crossings: { up: 0, down: 0 },
    agreement: { compared: 0, equal: 0 },
  };
}

/** One metric of one scope. */
class Line {
  readonly metric: MetricName;
  readonly project: string | null;
  readonly points: HistoryPoint[] = [];
  readonly crossings: CrossingPayload[] = [];
  readonly #keep: number;
  readonly #settings: Pick<Outcome, "window" | "gate">;
  readonly #counts = noCounts();
  #newest: MetricPayload | null = null;
  /** The latest date of a merge so far, milliseconds since 1970. */
  #latestAt: number | null = null;

  /** @param keep of the newest points; 0 for neither points nor crossings. */
  constructor(
    metric: MetricName,
    project: string | null,
    keep: number,
    settings: Pick<Outcome, "window" | "gate">,
  ) {
    this.metric = metric;
    this.project = project;
    this.#keep = keep;
    this.#settings = settings;
  }

  /** @param recorded the state that is recorded of this merge, if any. */
  accept(payload: MetricPayload, recorded: GateState | null): void {
    const { merge, state } = payload;
    const { merges, seconds, agreement } = this.#counts;
    if (merge.merged_at !== null) {
      // Merges are recorded as they appear. A late one adds no time: the seconds up to the latest are counted already.
      const at = Date.parse(merge.merged_at);
      seconds[this.#newest?.state ?? "unknown"] += Math.max(0, at - (this.#latestAt ?? at)) / 1000;
      this.#latestAt = Math.max(at, this.#latestAt ?? at);
    }
    merges[state ?? "unknown"] += 1;
    if (recorded !== null && state !== null) {
      agreement.compared += 1;
      if (recorded === state) agreement.equal += 1;
    }
    this.#newest = payload;
    const place = { eventId: merge.event_id, mergedAt: merge.merged_at };
    pushKept(this.points, pointOf(payload, place, null), this.#keep);
  }

  crossed(payload: CrossingPayload): void {
    this.#counts.crossings[payload.direction] += 1;
    const point = this.points.pop();
    if (point === undefined) return;
    this.points.push({ ...point, crossing: crossingOf(payload) });
    pushKept(this.crossings, payload, CROSSINGS_KEPT);
  }

  get outcome(): Outcome {
    const { value = null, state = null } = this.#newest ?? {};
    return { ...this.#settings, value, state: state ?? "unknown", ...this.#counts };
  }
}

function sum(all: readonly Counts[]): Counts {
  const total = noCounts();
  for (const { merges, seconds, crossings, agreement } of all) {
    for (const state of ["unknown", "high", "low"] as const) {
      total.merges[state] += merges[state];
      total.seconds[state] += seconds[state];
    }
    total.crossings.up += crossings.up;
    total.crossings.down += crossings.down;
    total.agreement.compared += agreement.compared;
    total.agreement.equal += agreement.equal;
  }
  return total;
}

/** Two simulations of the same merges, which keep the same projects. */
export type Simulations = Readonly<Record<SimulatedCrossing["under"], Simulation>>;

/** Compares two simulations: of each gate the global scope, each kept project, and the sum of all projects. */
export function simulationOf(under: Simulations, generatedAt: string): SimulationDocument {
  const { today, simulated } = under;
  const { first, newest, kept } = today;
  const gated = METRIC_NAMES.filter((name) =>
    [...today.metrics, ...simulated.metrics].some((metric) => metric.name === name && metric.gate !== null),
  );
  const projects = [null, ...new Set(kept.projects)];
  const lines = gated.flatMap((metric): SimulatedLine[] => [
    ...projects.map((project) => ({
      metric,
      scope: scopeOf(project),
      project,
      today: today.outcome(metric, project),
      simulated: simulated.outcome(metric, project),
    })),
    {
      metric,
      scope: "project",
      project: null,
      today: today.allProjects(metric),
      simulated: simulated.allProjects(metric),
    },
  ]);
  const crossed = (name: keyof Simulations): SimulatedCrossing[] =>
    gated.flatMap((metric) =>
      projects.flatMap((project) =>
        under[name].crossings(metric, project).map(({ merge, seq, from, to, value }) => {
          const { event_id, merged_at } = merge;
          const scope = scopeOf(project);
          return { under: name, metric, scope, project, seq, event_id, merged_at, from, to, value };
        }),
      ),
    );
  return {
    schema_version: 1,
    as_of: {
      seq: newest?.seq ?? 0,
      event_id: newest?.merge.eventId ?? null,
      merged_at: newest?.merge.mergedAt ?? null,
      generated_at: generatedAt,
    },
    history_truncated: first !== null && first.seq !== 1,
    lines: lines.filter((line) => line.today !== null || line.simulated !== null),
    crossings: [...crossed("today"), ...crossed("simulated")],
  };
}
