/**
 * The snapshot for people. The global lines come first and unindented, always in the same form, so that
 * `grep '^first_pass_merge_rate'` finds one line. Details to their right appear only where there is room.
 */
import { styleText } from "node:util";
import { busiestFirst } from "../core/busiest.ts";
import { CATALOGUE } from "../core/catalogue.ts";
import type { GateState } from "../core/gate.ts";
import type { MetricName } from "../core/metric.ts";
import type { Effective } from "../core/scope.ts";
import type { Snapshot, SnapshotMetric } from "../core/snapshot.ts";
import { type Bounds, boundText, count, moment, span } from "../text/figures.ts";
import { safe } from "../text/safe.ts";
import { alignFitting, type Line } from "./columns.ts";
import { readingText, valueText } from "./reading-text.ts";

export type SnapshotView = {
  /** Only these projects; empty for the busiest ones. */
  readonly projects: readonly string[];
  readonly all: boolean;
  /** Columns that a line with details may take; 0 for no details. */
  readonly columns: number;
  readonly colour: boolean;
};

/** Reading · amount · gate · state · since · bounds. */
const GAPS = [6, 3, 2, 2, 3];
/** How many of these columns are shown, the most first: without the bounds, without since, the reading alone. */
const DETAILS = [6, 5, 4, 1];
/** Projects that are shown by default: those with the most merges in their windows. */
const BUSIEST = 5;

/** @returns the readings, and in one line as of when they are and what else is to know. */
export function renderSnapshot(snapshot: Snapshot, view: SnapshotView) {
  const readings = Map.groupBy(snapshot.metrics, ({ project }) => project);
  const present = [...readings.keys()].filter((project) => project !== null);
  const busiest = new Set(
    busiestFirst(snapshot)
      .slice(0, BUSIEST)
      .map(([project]) => project),
  );
  const chosen = present.filter((project) => view.all || busiest.has(project));
  const shown = view.projects.length > 0 ? [...new Set(view.projects)] : chosen;
  const lines = [
    ...block(readings.get(null) ?? [], "", view),
    ...shown.flatMap((project) => {
      const own = readings.get(project);
      return [
        "",
        `project ${safe(project)}`,
        ...(own === undefined
          ? ["  no merges recorded; policies use the global readings"]
          : block(own, "  ", view)),
      ];
    }),
  ];
  const hidden = new Set(present).difference(new Set(shown)).size;
  return { body: `${lines.join("\n")}\n`, footer: `${footer(snapshot, present.length, hidden)}\n` };
}

/** The lines of one scope, with as much detail as fits. */
function block(metrics: readonly SnapshotMetric[], indent: string, view: SnapshotView): string[] {
  const digits = Math.max(...metrics.map(({ numerator }) => String(numerator ?? "").length));
  const lines = metrics.map(
    (metric): Line => [
      `${indent}${metric.metric} = ${readingText(metric, metric.gate)}`,
      ...details(metric, digits, view.colour),
    ],
  );
  const variants = DETAILS.map((cells) => lines.map((line) => line.slice(0, cells)));
  return alignFitting(variants, view.columns, GAPS);
}

function details(
  { metric, value, numerator, n, window, gate, effective }: SnapshotMetric,
  digits: number,
  colour: boolean,
): Line {
  // A percentile counts nothing and has no gate.
  if (numerator === null) return [];
  if (value === null && effective !== null) return [policy(metric, effective, gate)];
  const amount =
    value === null
      ? `${count(window - n, "more merge")} needed`
      : `${String(numerator).padStart(digits)} of ${n}`;
  if (gate === null) return [amount];
  const state = gate.state.toUpperCase();
  return [
    amount,
    gate.name,
    colour ? paint(metric, gate.state, state) : state,
    gate.since === null ? "" : `since ${safe(moment(gate.since, "minutes"))}`,
    `up >= ${boundText(gate.upper)}  down < ${boundText(gate.lower)}`,
  ];
}

/** What a policy uses for a project whose own reading is undefined. */
function policy(metric: MetricName, { scope, value, state }: Effective, gate: Bounds | null): string {
  if (scope !== "global" || value === null) return "policy undefined, as the global one is";
  return `policy uses global ${valueText(metric, value, gate)} ${state.toUpperCase()}`;
}

/** Green where the gate permits, red where it restricts. The word says the same. */
function paint(metric: MetricName, state: GateState, text: string): string {
  const colour = state === "unknown" ? "yellow" : state === CATALOGUE[metric].permissive ? "green" : "red";
  return styleText(colour, text, { validateStream: false });
}

function footer(snapshot: Snapshot, projects: number, hidden: number): string {
  const { as_of: asOf, daemon, lag, skipped, refused } = snapshot;
  const running =
    daemon.running > 1
      ? `${daemon.running} daemons running`
      : `daemon ${daemon.running === 1 ? "" : "not "}running`;
  const oldest = lag.seconds === null ? "" : `, oldest ${span(lag.seconds)}`;
  return [
    asOf.seq === 0 ? "no merge recorded yet" : `as of merge ${asOf.seq} (${whichMerge(snapshot)})`,
    running,
    lag.merges === 0 ? "lag 0" : `lag ${count(lag.merges, "merge")}${oldest}`,
    `skipped ${skipped.total}`,
    ...(refused.total === 0 ? [] : [`refused ${refused.total}`]),
    `${count(projects, "project")}${hidden === 0 ? "" : `, ${hidden} not shown (--all)`}`,
    ...(snapshot.history_truncated ? ["history truncated: windows count up again"] : []),
  ].join(" · ");
}

function whichMerge({ as_of: asOf }: Snapshot): string {
  const event = `event ${safe(asOf.event_id ?? "unknown")}`;
  if (asOf.merged_at === null) return event;
  const age = (Date.parse(asOf.generated_at) - Date.parse(asOf.merged_at)) / 1000;
  return [event, safe(moment(asOf.merged_at, "seconds")), `${span(age)} ago`].join(", ");
}
