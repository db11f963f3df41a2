/** History under other settings: the recorded merges folded anew, and what the gates would have done. */
import { Analyzer, fold } from "./analyzer.ts";
import type { Gate, GateState } from "./gate.ts";
import { type HistoryPoint, pointOf } from "./history.ts";
import type { MetricRow } from "./journal-row.ts";
import { gateFor, type MetricName, type MetricSettings } from "./metric.ts";
import type { CrossingPayload, MetricPayload } from "./metric-event.ts";
import type { ScopeKind } from "./scope.ts";
import type { AsOf } from "./snapshot.ts";
import type { RecordedMerge } from "./timeline.ts";

/** What one gate did over the whole history. */
export type Outcome = {
  readonly window: number;
  readonly gate: Gate | null;
  /** After the newest merge. */
  readonly value: number | null;
  readonly state: GateState;
  /** Merges after which the gate stood so. */
  readonly merges: Readonly<Record<GateState, number>>;
  /** Seconds that it stood so, from the first merge's date to the latest one's. */
  readonly seconds: Readonly<Record<GateState, number>>;
  readonly crossings: { readonly up: number; readonly down: number };
  /** Merges of which a state is recorded, and of these the ones at which it is the same. */
  readonly agreement: { readonly compared: number; readonly equal: number };
};

/** A gate of one scope under both settings. */
export type SimulatedLine = {
  readonly metric: MetricName;
  readonly scope: ScopeKind;
  /** Null for the global scope, and for all projects taken together. */
  readonly project: string | null;
  /** Null where these settings do not record it. */
  readonly today: Outcome | null;
  readonly simulated: Outcome | null;
};

export type SimulationDocument = {
  readonly schema_version: 1;
  readonly as_of: AsOf;
  /** Whether rows are gone from the old end: both folds begin with what is left. */
  readonly history_truncated: boolean;
  readonly lines: readonly SimulatedLine[];
  /** Crossings of the lines, oldest first; the newest thousand of each. */
  readonly crossings: readonly SimulatedCrossing[];
};

export type SimulatedCrossing = {
  readonly under: "today" | "simulated";
  readonly metric: MetricName;
  readonly scope: ScopeKind;
  readonly project: string | null;
  readonly seq: number;
  readonly event_id: string;
  readonly merged_at: string | null;
  readonly from: GateState;
  readonly to: GateState;
  readonly value: number | null;
};

const CROSSINGS_KEPT = 1000;

/** Whose points and crossings are kept: the global scope's and these projects', of points the newest so many. */
export type Told = { readonly projects: readonly string[]; readonly last: number };

/** One fold of the history under some settings. */
export class Simulation {
  readonly metrics: readonly MetricSettings[];
  readonly #analyzer: Analyzer;
  readonly #lines = new Map<string, Tally>();
  readonly #told: Told;

  constructor(metrics: readonly MetricSettings[], told: Told) {
    this.metrics = metrics;
    this.#told = told;
    this.#analyzer = new Analyzer(metrics);
  }

  /** The next merge in the order in which they were recorded. */
  accept({ merge, rows }: RecordedMerge): void {
    const recorded = new Map(rows.map((row) => [`${row.metric}|${row.scope}`, row]));
    for (const { payload } of fold(this.#analyzer, merge, "")) {
      if (!("seq" in payload)) continue;
      const line = this.#line(payload);
      if ("gate" in payload) line.crossed(payload);
      else line.accept(payload, recorded.get(`${payload.metric}|${payload.scope}`) ?? null);
    }
  }

  /** @param project null for the global scope. */
  outcome(metric: MetricName, project: string | null): Outcome | null {
    return this.#lines.get(lineName(metric, project))?.outcome() ?? null;
  }

  /** All projects of a metric, added up; value and state mean nothing then. */
  allProjects(metric: MetricName): Outcome | null {
    const outcomes: Outcome[] = [];
    for (const line of this.#lines.values()) {
      if (line.metric === metric && line.project !== null) outcomes.push(line.outcome());
    }
    return outcomes.length === 0 ? null : outcomes.reduce(sum);
  }

  /** None of a project that is not told of. */
  points(metric: MetricName, project: string | null): HistoryPoint[] {
    return this.#lines.get(lineName(metric, project))?.points() ?? [];
  }

  crossings(metric: MetricName, project: string | null): readonly CrossingPayload[] {
    return this.#lines.get(lineName(metric, project))?.crossings.slice(-CROSSINGS_KEPT) ?? [];
  }

  #line({ metric, scope, project }: MetricPayload): Tally {
    const name = lineName(metric, project);
    let line = this.#lines.get(name);
    if (line === undefined) {
      const settings = this.metrics.find((one) => one.name === metric) as MetricSettings;
      const { projects, last } = this.#told;
      const keep = project === null || projects.includes(project) ? last : 0;
      line = new Tally(metric, project, settings.window, gateFor(settings, scope), keep);
      this.#lines.set(name, line);
    }
    return line;
  }
}

function lineName(metric: MetricName, project: string | null): string {
  return project === null ? metric : `${metric}|${project}`;
}

const NONE: Readonly<Record<GateState, number>> = { unknown: 0, high: 0, low: 0 };

class Tally {
  readonly metric: MetricName;
  readonly project: string | null;
  readonly crossings: CrossingPayload[] = [];
  readonly #window: number;
  readonly #gate: Gate | null;
  readonly #keep: number;
  readonly #merges = { ...NONE };
  readonly #seconds = { ...NONE };
  readonly #turns = { up: 0, down: 0 };
  readonly #agreement = { compared: 0, equal: 0 };
  #newest: MetricPayload | null = null;
  /** The latest date of a merge so far, milliseconds since 1970. */
  #latestAt: number | null = null;
  #points: HistoryPoint[] = [];

  /** @param keep of the newest points; 0 for neither points nor crossings. */
  constructor(metric: MetricName, project: string | null, window: number, gate: Gate | null, keep: number) {
    this.metric = metric;
    this.project = project;
    this.#window = window;
    this.#gate = gate;
    this.#keep = keep;
  }

  accept(payload: MetricPayload, recorded: MetricRow | null): void {
    const state = payload.state ?? "unknown";
    const now = payload.merge.merged_at;
    if (now !== null) {
      // Merges are recorded as they appear: where one is late, the time up to the latest is counted already.
      const at = Date.parse(now);
      const passed = Math.max(0, at - (this.#latestAt ?? at));
      this.#seconds[this.#newest?.state ?? "unknown"] += passed / 1000;
      this.#latestAt = Math.max(at, this.#latestAt ?? at);
    }
    this.#merges[state] += 1;
    if (recorded !== null && recorded.state !== null && payload.state !== null) {
      this.#agreement.compared += 1;
      if (recorded.state === state) this.#agreement.equal += 1;
    }
    this.#newest = payload;
    if (this.#keep === 0) return;
    this.#points.push(pointOf(payload, { eventId: payload.merge.event_id, mergedAt: now }, null));
    if (this.#points.length >= 2 * this.#keep) this.#points = this.points();
  }

  crossed(payload: CrossingPayload): void {
    this.#turns[payload.direction] += 1;
    if (this.#keep === 0) return;
    this.crossings.push(payload);
    if (this.crossings.length > 2 * CROSSINGS_KEPT) this.crossings.splice(0, CROSSINGS_KEPT);
    const point = this.#points.at(-1);
    const { gate, from, to, upper, lower } = payload;
    if (point !== undefined)
      this.#points[this.#points.length - 1] = { ...point, crossing: { gate, from, to, upper, lower } };
  }

  points(): HistoryPoint[] {
    return this.#points.slice(-this.#keep);
  }

  outcome(): Outcome {
    return {
      window: this.#window,
      gate: this.#gate,
      value: this.#newest?.value ?? null,
      state: this.#newest?.state ?? "unknown",
      merges: { ...this.#merges },
      seconds: { ...this.#seconds },
      crossings: { ...this.#turns },
      agreement: { ...this.#agreement },
    };
  }
}

function sum(a: Outcome, b: Outcome): Outcome {
  const states = (key: "merges" | "seconds") => ({
    unknown: a[key].unknown + b[key].unknown,
    high: a[key].high + b[key].high,
    low: a[key].low + b[key].low,
  });
  return {
    window: a.window,
    gate: a.gate,
    value: null,
    state: "unknown",
    merges: states("merges"),
    seconds: states("seconds"),
    crossings: { up: a.crossings.up + b.crossings.up, down: a.crossings.down + b.crossings.down },
    agreement: {
      compared: a.agreement.compared + b.agreement.compared,
      equal: a.agreement.equal + b.agreement.equal,
    },
  };
}
