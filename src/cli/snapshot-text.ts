/**
 * The snapshot for people. The global lines come first and unindented, always in the same form, so that
 * `grep '^first_pass_merge_rate'` finds one line; what stands to their right is there only where there is room.
 */
import { styleText } from "node:util";
import { CATALOGUE } from "../core/catalogue.ts";
import type { GateState } from "../core/gate.ts";
import type { MetricName } from "../core/metric.ts";
import type { Snapshot, SnapshotMetric } from "../core/snapshot.ts";
import { boundText, count, moment, span } from "../text/figures.ts";
import { safe } from "../text/safe.ts";
import { align, type Cell, type Line, widthOf } from "./columns.ts";
import { busiest, projectsOf } from "./projects.ts";
import { valueText } from "./value-text.ts";

export type SnapshotView = {
  /** These projects only; empty for the busiest ones. */
  readonly projects: readonly string[];
  readonly all: boolean;
  /** Columns that the right-hand part may reach to; 0 for none of it. */
  readonly columns: number;
  readonly colour: boolean;
};

export type SnapshotText = {
  readonly body: string;
  /** As of when, and what else is to know: one line. */
  readonly footer: string;
};

/** Reading · amount · gate · state · since · bounds. */
const GAPS = [6, 3, 2, 2, 3];
/** How many columns of that are shown, the most first: without the bounds, without since, the reading alone. */
const DETAILS = [6, 5, 4, 1];

export function renderSnapshot(snapshot: Snapshot, view: SnapshotView): SnapshotText {
  const readings = Map.groupBy(snapshot.metrics, ({ project }) => project);
  const present = projectsOf(snapshot);
  const shown = chooseProjects(snapshot, view, present);
  const blocks = [
    ...block(linesOf(readings.get(null) ?? [], "", view), view),
    ...shown.flatMap((project) => {
      const own = readings.get(project);
      return [
        "",
        `project ${safe(project)}`,
        ...(own === undefined
          ? ["  no merges recorded; policies use the global readings"]
          : block(linesOf(own, "  ", view), view)),
      ];
    }),
  ];
  const hidden = new Set(present).difference(new Set(shown)).size;
  return {
    body: blocks.map((line) => `${line}\n`).join(""),
    footer: `${footer(snapshot, present.length, hidden)}\n`,
  };
}

function chooseProjects(
  snapshot: Snapshot,
  view: SnapshotView,
  present: readonly string[],
): readonly string[] {
  if (view.projects.length > 0) return [...new Set(view.projects)];
  return view.all ? present : busiest(snapshot);
}

/** The lines of one scope, with as much detail as fits. */
function block(lines: readonly Line[], view: SnapshotView): string[] {
  const detailed = DETAILS.map((cells) => lines.map((line) => line.slice(0, cells)));
  const fitting = detailed.find((detail) => widthOf(detail, GAPS) <= view.columns);
  return align(fitting ?? lines.map((line) => line.slice(0, 1)), GAPS);
}

function linesOf(metrics: readonly SnapshotMetric[], indent: string, view: SnapshotView): Line[] {
  const digits = Math.max(...metrics.map(({ numerator }) => String(numerator ?? "").length));
  return metrics.map((metric) => [{ text: indent + reading(metric) }, ...details(metric, digits, view)]);
}

function reading(metric: SnapshotMetric): string {
  return `${metric.metric} = ${valueText(metric.metric, metric.value, metric.gate)} (n=${metric.n}/${metric.window})`;
}

function details(metric: SnapshotMetric, digits: number, view: SnapshotView): Cell[] {
  const { gate, numerator } = metric;
  // A percentile is one number of the window: nothing is counted, nothing is gated.
  if (numerator === null) return [];
  if (metric.value === null && metric.effective !== null) return [{ text: policy(metric) }];
  const amount =
    metric.value === null
      ? `${count(metric.window - metric.n, "more merge")} needed`
      : `${String(numerator).padStart(digits)} of ${metric.n}`;
  if (gate === null) return [{ text: amount }];
  return [
    { text: amount },
    { text: gate.name },
    {
      text: gate.state.toUpperCase(),
      paint: (text) => (view.colour ? paint(metric.metric, gate.state, text) : text),
    },
    { text: gate.since === null ? "" : `since ${safe(moment(gate.since, "minutes"))}` },
    { text: `up >= ${boundText(gate.upper)}  down < ${boundText(gate.lower)}` },
  ];
}

/** What holds for a young project instead of a reading of its own. */
function policy({ metric, effective, gate }: SnapshotMetric): string {
  if (effective?.scope !== "global" || effective.value === null)
    return "policy undefined, as the global one is";
  return `policy uses global ${valueText(metric, effective.value, gate)} ${effective.state.toUpperCase()}`;
}

/** Green where the orchestrator may do more, red where it is restricted; the word says the same. */
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
