/**
 * The series of one scrape: current values, gates, lag and readiness, built from the snapshot of that moment.
 *
 * An undefined value is an absent series, never NaN or 0: an average over projects must not swallow a number that does
 * not exist. Beside it, `…_defined` and `…_window_merges` always exist and say why. Bounds are exported as well, so
 * that dashboards and rules hold no constants.
 */
import { Gauge, Registry } from "@prometheus-io/client";
import { busiestFirst } from "../core/busiest.ts";
import { CATALOGUE } from "../core/catalogue.ts";
import type { GateState } from "../core/gate.ts";
import { gateFor, type MetricName, type MetricSettings } from "../core/metric.ts";
import type { Snapshot } from "../core/snapshot.ts";
import type { ReadinessReport } from "../events/readiness.ts";
import { safe } from "../text/safe.ts";
import { SERVICE, VERSION } from "../version.ts";

export const PREFIX = "damascus_metrics_";

/** Projects that are exported: those with the most merges in their windows. The others are counted as dropped. */
export const MOST_PROJECTS = 200;

const HELP: Readonly<Record<MetricName, string>> = {
  first_pass_merge_rate: "Share of the last merges that took one attempt; a ratio 0-1.",
  rebase_conflict_rate: "Share of the last merges whose last verdict was a rebase conflict; a ratio 0-1.",
  p95_attempts_to_merge: "95th percentile (nearest rank) of the attempts that the last merges took.",
};

const STATES: readonly GateState[] = ["unknown", "low", "high"];

/** What a scrape shows beside the counters. */
export type Scrape = {
  readonly metrics: readonly MetricSettings[];
  readonly readiness: ReadinessReport;
  /** Merges due and not recorded, and for how many seconds there may have been any; known also without a snapshot. */
  readonly lag: { readonly merges: number; readonly seconds: number };
  /** Null while memory cannot be trusted. */
  readonly snapshot: Snapshot | null;
};

export async function seriesOf(scrape: Scrape): Promise<string> {
  const registry = new Registry();
  const to = new Series(registry);
  daemonSeries(to, scrape);
  for (const metric of scrape.metrics) globalSeries(to, metric, scrape.snapshot);
  projectSeries(to, scrape);
  return await registry.metrics();
}

/** Gauges by name, each made when it is first set, so that what is never set does not exist. */
class Series {
  readonly #registry: Registry;
  readonly #gauges = new Map<string, Gauge<string>>();

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  set(name: string, help: string, value: number, labels: Readonly<Record<string, string>> = {}): void {
    let gauge = this.#gauges.get(name);
    if (gauge === undefined) {
      gauge = new Gauge({
        name: `${PREFIX}${name}`,
        help,
        labelNames: Object.keys(labels),
        registers: [this.#registry],
      });
      this.#gauges.set(name, gauge);
    }
    gauge.set(labels, value);
  }
}

function daemonSeries(to: Series, { readiness, lag, snapshot }: Scrape): void {
  to.set("build_info", "The version that runs; always 1.", 1, {
    service: SERVICE,
    version: VERSION,
    node: process.version,
  });
  to.set("ready", "Whether the daemon does its job, as /readyz says.", bit(readiness.ready));
  to.set(
    "degraded",
    "Whether notifications do not arrive, so that merges are found by polling.",
    bit(readiness.degraded),
  );
  for (const [check, { ok, since, reason }] of Object.entries(readiness.checks)) {
    to.set("check_ok", "Each of the checks of /readyz.", bit(ok), { check });
    to.set("check_since_timestamp_seconds", "Since when a check is, or is not, ok.", seconds(since), {
      check,
    });
    if (reason !== null)
      to.set("check_failing", "Checks that are not ok, with their reason; always 1.", 1, { check, reason });
  }
  to.set("lag_seconds", "For how long there may have been merges that are not recorded.", lag.seconds);
  to.set(
    "restored",
    "Whether memory equals the log. Values are absent while it does not.",
    bit(snapshot !== null),
  );
  if (snapshot === null) return;
  to.set("lag_merges", "Merges that are known to be due and not recorded.", lag.merges);
  const { as_of, skipped, refused, history_truncated } = snapshot;
  to.set("seq", "Merges recorded in the whole log.", as_of.seq);
  to.set("skipped_merges", "Merges in the whole log that could not be counted.", skipped.total);
  to.set(
    "refused_merges",
    "Merges that events_outbox did not take when they were last tried.",
    refused.total,
  );
  to.set("history_truncated", "Whether windows count up again after old rows went.", bit(history_truncated));
  if (as_of.merged_at !== null)
    to.set(
      "last_merge_timestamp_seconds",
      "When the newest recorded merge took place.",
      seconds(as_of.merged_at),
    );
}

function globalSeries(to: Series, metric: MetricSettings, snapshot: Snapshot | null): void {
  const { name, window } = metric;
  const now = snapshot?.metrics.find((one) => one.metric === name && one.project === null) ?? null;
  const value = now?.value ?? null;
  if (value !== null) to.set(name, HELP[name], value);
  to.set(`${name}_defined`, `Whether ${name} is defined: its window is full.`, bit(value !== null));
  to.set(`${name}_window_merges`, `Merges in the window of ${name}.`, now?.n ?? 0);
  to.set(`${name}_window_size`, `Merges in a full window of ${name}.`, window);
  const gate = gateFor(metric, "global");
  if (gate === null) return;
  const place = { gate: gate.name, metric: name };
  for (const [bound, at] of [
    ["upper", gate.upper],
    ["lower", gate.lower],
  ] as const) {
    to.set("gate_bound", "A gate rises at its upper and falls below its lower bound; ratios.", at, {
      ...place,
      bound,
    });
  }
  if (now?.gate == null) return;
  for (const state of STATES)
    to.set(
      "gate_state",
      "1 for the state in which a gate stands, 0 for the others.",
      bit(now.gate.state === state),
      {
        ...place,
        state,
      },
    );
  const restricted = now.gate.state !== "unknown" && now.gate.state !== CATALOGUE[name].permissive;
  to.set("gate_restricted", "Whether a gate restricts the orchestrator.", bit(restricted), place);
  if (now.gate.since !== null)
    to.set(
      "gate_since_timestamp_seconds",
      "When the merge took place at which a gate last crossed.",
      seconds(now.gate.since),
      place,
    );
}

function projectSeries(to: Series, { snapshot }: Scrape): void {
  const projects = busiestFirst(snapshot ?? { metrics: [] });
  const shown = projects.slice(0, MOST_PROJECTS);
  to.set("projects", "Projects that have merged anything.", projects.length);
  to.set(
    "projects_dropped",
    `Projects beyond the ${MOST_PROJECTS} busiest, which are not exported.`,
    projects.length - shown.length,
  );
  for (const [name, readings] of shown) {
    const project = label(name);
    for (const { metric, value, n, gate, effective } of readings) {
      if (value !== null) to.set(`project_${metric}`, `${HELP[metric]} Of one project.`, value, { project });
      to.set(`project_${metric}_defined`, `Whether a project's ${metric} is defined.`, bit(value !== null), {
        project,
      });
      to.set(`project_${metric}_window_merges`, `Merges in a project's window of ${metric}.`, n, { project });
      if (gate === null || effective === null) continue;
      const place = { gate: gate.name, metric, project };
      for (const state of STATES) {
        to.set(
          "project_gate_state",
          "The state of a project's own gate; see effective.",
          bit(gate.state === state),
          { ...place, state },
        );
        to.set(
          "project_effective_state",
          "The state that a policy about a project must use.",
          bit(effective.state === state),
          { ...place, state },
        );
      }
      if (effective.value !== null)
        to.set(
          "project_effective_value",
          "The value that a policy about a project must use.",
          effective.value,
          place,
        );
    }
  }
}

/**
 * A project's name as a label: characters that could drive a terminal as escapes. A backslash is doubled, so that two
 * projects never share a label.
 */
function label(name: string): string {
  return safe(name.replaceAll("\\", "\\\\"), Number.POSITIVE_INFINITY);
}

function seconds(iso: string): number {
  return Date.parse(iso) / 1000;
}

function bit(value: boolean): 0 | 1 {
  return value ? 1 : 0;
}
