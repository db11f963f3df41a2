/**
 * The series of one scrape: current values, gates, lag and readiness, built from the snapshot of that moment.
 *
 * An undefined value is an absent series, never NaN or 0: an average over projects must not include a number that does
 * not exist. Beside it, `…_defined` and `…_window_merges` always exist and say why. Bounds are exported as well, so that
 * dashboards and rules hold no constants.
 */
import { Gauge, Registry } from "@prometheus-io/client";
import { CATALOGUE } from "../core/catalogue.ts";
import type { GateState } from "../core/gate.ts";
import { gateFor, METRIC_NAMES, type MetricName, type MetricSettings } from "../core/metric.ts";
import type { Snapshot } from "../core/snapshot.ts";
import { mostRecentFirst } from "../core/snapshot.ts";
import type { ReadinessReport } from "../events/readiness.ts";
import { safe } from "../text/safe.ts";
import { SERVICE, VERSION } from "../version.ts";

export const PREFIX = "damascus_metrics_";

/** Projects that are exported: those that merged last. The others are counted as dropped. */
export const MOST_PROJECTS = 200;

const STATES: readonly GateState[] = ["unknown", "low", "high"];

const OF_METRICS: Readonly<Record<MetricName, string>> = {
  first_pass_merge_rate: "Share of the last merges that took one attempt; a ratio 0-1.",
  rebase_conflict_rate: "Share of the last merges whose last verdict was a rebase conflict; a ratio 0-1.",
  p95_attempts_to_merge: "95th percentile (nearest rank) of the attempts that the last merges took.",
};

const HELP: Readonly<Record<string, string>> = {
  build_info: "The version that runs; always 1.",
  ready: "Whether the daemon does its job, as /readyz says.",
  degraded: "Whether notifications do not arrive, so that merges are found by polling.",
  check_ok: "Each of the checks of /readyz.",
  check_since_timestamp_seconds: "Since when a check is, or is not, ok.",
  check_failing: "Checks that are not ok, with their reason; always 1.",
  lag_seconds: "For how long there may have been merges that are not recorded.",
  lag_merges: "Merges that are known to be due and not recorded.",
  restored: "Whether memory equals the log. Values are absent while it does not.",
  seq: "Merges recorded in the whole log.",
  skipped_merges: "Merges in the whole log that were skipped because their facts are unusable.",
  refused_merges: "Merges that events_outbox refused when they were last tried.",
  history_truncated: "Whether windows count up again after old rows were deleted.",
  last_merge_timestamp_seconds: "When the newest recorded merge took place.",
  gate_bound: "A gate rises at its upper and falls below its lower bound; ratios.",
  gate_state: "1 for the state that a gate is in, 0 for the others.",
  gate_restricted: "Whether a gate restricts the orchestrator.",
  gate_since_timestamp_seconds: "When the merge took place at which a gate last crossed.",
  projects: "Projects that have merged anything.",
  projects_dropped: `Projects that are not exported: all but the ${MOST_PROJECTS} that merged last. Read /snapshot.json or run metrics snapshot --all to see them.`,
  projects_restricted: "Projects that a gate restricts by their own value, exported or not.",
  project_gate_state: "The state of a project's own gate; see effective.",
  project_effective_state: "The state that a policy about a project must use.",
  project_effective_value: "The value that a policy about a project must use.",
  ...Object.fromEntries(
    METRIC_NAMES.flatMap((name) => [
      [name, OF_METRICS[name]],
      [`${name}_defined`, `Whether ${name} is defined: its window is full.`],
      [`${name}_window_merges`, `Merges in the window of ${name}.`],
      [`${name}_window_size`, `Merges in a full window of ${name}.`],
      [`project_${name}`, `${OF_METRICS[name]} Of one project.`],
      [`project_${name}_defined`, `Whether a project's ${name} is defined.`],
      [`project_${name}_window_merges`, `Merges in a project's window of ${name}.`],
    ]),
  ),
};

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
  const set = setter(registry);
  daemonSeries(set, scrape);
  for (const metric of scrape.metrics) globalSeries(set, metric, scrape.snapshot);
  projectSeries(set, scrape.snapshot);
  for (const metric of scrape.metrics) restrictedProjects(set, metric, scrape.snapshot);
  return await registry.metrics();
}

/** Sets a gauge. Null leaves the series absent, and a gauge that is never set does not exist. */
type SetSeries = (
  name: string,
  value: number | boolean | null,
  labels?: Readonly<Record<string, string>>,
) => void;

function setter(registry: Registry): SetSeries {
  const gauges = new Map<string, Gauge<string>>();
  return (name, value, labels = {}) => {
    if (value === null) return;
    let gauge = gauges.get(name);
    if (gauge === undefined) {
      const [help = "", labelNames] = [HELP[name], Object.keys(labels)];
      gauge = new Gauge({ name: `${PREFIX}${name}`, help, labelNames, registers: [registry] });
      gauges.set(name, gauge);
    }
    gauge.set(labels, Number(value));
  };
}

function daemonSeries(set: SetSeries, { readiness, lag, snapshot }: Scrape): void {
  set("build_info", 1, { service: SERVICE, version: VERSION, node: process.version });
  set("ready", readiness.ready);
  set("degraded", readiness.degraded);
  for (const [check, { ok, since, reason }] of Object.entries(readiness.checks)) {
    set("check_ok", ok, { check });
    set("check_since_timestamp_seconds", seconds(since), { check });
    if (reason !== null) set("check_failing", 1, { check, reason });
  }
  set("lag_seconds", lag.seconds);
  set("restored", snapshot !== null);
  if (snapshot === null) return;
  set("lag_merges", lag.merges);
  set("seq", snapshot.as_of.seq);
  set("skipped_merges", snapshot.skipped.total);
  set("refused_merges", snapshot.refused.total);
  set("history_truncated", snapshot.history_truncated);
  set("last_merge_timestamp_seconds", seconds(snapshot.as_of.merged_at));
}

function globalSeries(set: SetSeries, metric: MetricSettings, snapshot: Snapshot | null): void {
  const { name, window } = metric;
  const now = snapshot?.metrics.find((one) => one.metric === name && one.project === null) ?? null;
  const value = now?.value ?? null;
  set(name, value);
  set(`${name}_defined`, value !== null);
  set(`${name}_window_merges`, now?.n ?? 0);
  set(`${name}_window_size`, window);
  const gate = gateFor(metric, "global");
  if (gate === null) return;
  const place = { gate: gate.name, metric: name };
  set("gate_bound", gate.upper, { ...place, bound: "upper" });
  set("gate_bound", gate.lower, { ...place, bound: "lower" });
  if (now?.gate == null) return;
  const { state, since } = now.gate;
  setState(set, "gate_state", state, place);
  set("gate_restricted", isRestrictive(name, state), place);
  set("gate_since_timestamp_seconds", seconds(since), place);
}

function projectSeries(set: SetSeries, snapshot: Snapshot | null): void {
  const projects = mostRecentFirst(snapshot ?? { projects: [], metrics: [] });
  const shown = projects.slice(0, MOST_PROJECTS);
  set("projects", projects.length);
  set("projects_dropped", projects.length - shown.length);
  for (const [name, readings] of shown) {
    const project = label(name);
    for (const { metric, value, n, gate, effective } of readings) {
      set(`project_${metric}`, value, { project });
      set(`project_${metric}_defined`, value !== null, { project });
      set(`project_${metric}_window_merges`, n, { project });
      if (gate === null || effective === null) continue;
      const place = { gate: gate.name, metric, project };
      setState(set, "project_gate_state", gate.state, place);
      setState(set, "project_effective_state", effective.state, place);
      set("project_effective_value", effective.value, place);
    }
  }
}

/** How many projects a gate restricts by their own value, exported or not. */
function restrictedProjects(set: SetSeries, metric: MetricSettings, snapshot: Snapshot | null): void {
  const gate = gateFor(metric, "project");
  if (gate === null || snapshot === null) return;
  const restricted = snapshot.metrics.filter(
    ({ metric: of, effective }) =>
      of === metric.name && effective?.scope === "project" && isRestrictive(of, effective.state),
  );
  set("projects_restricted", restricted.length, { gate: gate.name, metric: metric.name });
}

function isRestrictive(metric: MetricName, state: GateState): boolean {
  return state !== "unknown" && state !== CATALOGUE[metric].permissive;
}

/** A state set: one series for each state, of which one is 1. */
function setState(set: SetSeries, name: string, now: GateState, place: Readonly<Record<string, string>>) {
  for (const state of STATES) set(name, state === now, { ...place, state });
}

/** A project's name as a label: unsafe characters as escapes, and a backslash doubled, so that no two share a label. */
function label(name: string): string {
  return safe(name.replaceAll("\\", "\\\\"), Number.POSITIVE_INFINITY);
}

function seconds(iso: string | null): number | null {
  return iso === null ? null : Date.parse(iso) / 1000;
}
