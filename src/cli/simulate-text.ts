/** A simulation for people: for each gate what it did under today's settings and under the simulated ones, and both plots. */
import { domainOf } from "../chart/domain.ts";
import { isRatio } from "../core/catalogue.ts";
import type { GateState } from "../core/gate.ts";
import type { HistorySeries } from "../core/history.ts";
import type { MetricName, MetricSettings } from "../core/metric.ts";
import type { Outcome, SimulatedLine, SimulationDocument } from "../core/simulation.ts";
import { boundsText, count, span } from "../text/figures.ts";
import { safe } from "../text/safe.ts";
import { align } from "./columns.ts";
import { type HistoryView, plotLines } from "./history-plot.ts";
import type { Simulated } from "./read-simulation.ts";
import { titleOf, valueText } from "./reading-text.ts";

/** From this width on, two plots are drawn side by side. */
const BESIDE_FROM = 140;
const BETWEEN = 4;

export type BothSettings = {
  readonly today: readonly MetricSettings[];
  readonly simulated: readonly MetricSettings[];
};

export function renderSimulation(
  { document, plots }: Simulated,
  settings: BothSettings,
  view: HistoryView,
): string {
  if (document.as_of.seq === 0) return "no merges recorded yet: there is no history to simulate\n";
  const same = settings.today
    .filter((metric, index) => JSON.stringify(metric) === JSON.stringify(settings.simulated[index]))
    .map(({ name }) => name)
    .filter((name) => document.lines.some(({ metric }) => metric === name));
  const changed = document.lines.filter(({ metric }) => !same.includes(metric));
  // If nothing differs, everything is shown.
  const shown = changed.length === 0 ? document.lines : changed;
  const lines = shown.flatMap((line) => [
    nameOf(line),
    ...comparison(line, settings),
    ...plotsOf(line, plots, view),
    "",
  ]);
  const hidden = changed.length === 0 ? [] : same.map((name) => `${name}: the same settings, not shown`);
  return [...lines, ...hidden, footer(document)].map((line) => `${line}\n`).join("");
}

function nameOf(line: SimulatedLine): string {
  return isSum(line) ? `${line.metric}, all projects together` : titleOf(line);
}

function isSum({ scope, project }: SimulatedLine): boolean {
  return scope === "project" && project === null;
}

/** The lines of a comparison, and what each shows of an outcome. */
const ROWS: readonly (readonly [name: string, cell: (outcome: Outcome, metric: MetricName) => string])[] = [
  ["window", ({ window }) => String(window)],
  ["bounds", ({ gate }) => (gate === null ? "no gate" : boundsText(gate))],
  ["now", ({ value, state, gate }, metric) => `${valueText(metric, value, gate)} ${state.toUpperCase()}`],
  ["crossings", ({ crossings: { up, down } }) => `${up + down} (${up} up, ${down} down)`],
  ["high", (outcome) => timeIn("high", outcome)],
  ["low", (outcome) => timeIn("low", outcome)],
  ["unknown", (outcome) => timeIn("unknown", outcome)],
  [
    "as recorded",
    ({ agreement: { compared, equal } }) =>
      compared === 0 ? "nothing to compare" : `${equal} of ${compared} states (${share(equal, compared)})`,
  ],
];

function comparison(line: SimulatedLine, settings: BothSettings): string[] {
  const { metric, today, simulated } = line;
  const rows = ROWS.filter(([name]) => name !== "now" || !isSum(line)).map(([name, cell]) => [
    `  ${name}`,
    ...[today, simulated].map((outcome) => (outcome === null ? "-" : cell(outcome, metric))),
  ]);
  const verdicts = [settings.today, settings.simulated].map((metrics) => {
    const counted = metrics.find(({ name }) => name === metric)?.verdicts ?? ["-"];
    return counted.map((verdict) => safe(verdict)).join(", ");
  });
  const changed = verdicts[0] === verdicts[1] ? [] : [["  verdicts", ...verdicts]];
  return align([["", "today", "simulated"], ...rows.slice(0, 2), ...changed, ...rows.slice(2)], [3, 3]);
}

function timeIn(state: GateState, { merges, seconds }: Outcome): string {
  const all = merges.high + merges.low + merges.unknown;
  if (all === 0) return "-";
  return `${count(merges[state], "merge")} (${share(merges[state], all)}), ${span(seconds[state])}`;
}

function share(part: number, all: number): string {
  return `${((100 * part) / all).toFixed(1)}%`;
}

function plotsOf(line: SimulatedLine, plots: Simulated["plots"], view: HistoryView): string[] {
  const both = plots.find(
    ([{ metric, scope, project }]) =>
      metric === line.metric && scope === line.scope && project === line.project,
  );
  if (both === undefined) return [];
  const beside = view.columns >= BESIDE_FROM;
  const columns = beside ? Math.floor((view.columns - BETWEEN) / 2) : view.columns;
  const drawn = { ...view, columns, domain: commonDomain(both) };
  const today = titled("today", both[0], drawn);
  const simulated = titled("simulated", both[1], drawn);
  return ["", ...(beside ? sideBySide(today, simulated) : [...today, ...simulated])];
}

/** Both plots have one scale. */
function commonDomain(both: readonly HistorySeries[]): [number, number] {
  const domains = both.map(({ metric, points, gate }) =>
    domainOf(points, { ratio: isRatio(metric), bounds: gate }),
  );
  return [Math.min(...domains.map(([low]) => low)), Math.max(...domains.map(([, high]) => high))];
}

function titled(title: string, series: HistorySeries, view: HistoryView): string[] {
  const lines = plotLines(series, view);
  return lines.length === 0 ? [`  ${title}: undefined throughout`] : [`  ${title}`, ...lines];
}

function sideBySide(left: readonly string[], right: readonly string[]): string[] {
  const height = Math.max(left.length, right.length);
  return align(
    Array.from({ length: height }, (_, index) => [left[index] ?? "", right[index] ?? ""]),
    [BETWEEN],
  );
}

function footer({
  as_of: { seq, event_id: event },
  history_truncated: truncated,
}: SimulationDocument): string {
  const begins = truncated ? "; its oldest rows are gone" : "";
  return `history of ${count(seq, "merge")}, up to event ${safe(event ?? "unknown")}${begins}`;
}
