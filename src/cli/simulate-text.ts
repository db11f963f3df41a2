/** A simulation for people: for each gate what it did today and would have done otherwise, and both plots. */
import { stripVTControlCharacters } from "node:util";
import { domainOf } from "../chart/domain.ts";
import { isRatio } from "../core/catalogue.ts";
import type { GateState } from "../core/gate.ts";
import type { HistorySeries } from "../core/history.ts";
import type { MetricSettings } from "../core/metric.ts";
import type { Outcome, SimulatedLine, SimulationDocument } from "../core/simulation.ts";
import { boundText, count, span } from "../text/figures.ts";
import { safe } from "../text/safe.ts";
import { align, type Line } from "./columns.ts";
import { type HistoryView, plotLines } from "./history-plot.ts";
import type { Simulated } from "./read-simulation.ts";
import { valueText } from "./value-text.ts";

/** Two plots stand beside each other from here on, else below each other. */
const BESIDE_FROM = 140;
const BETWEEN = 4;

type BothSettings = {
  readonly today: readonly MetricSettings[];
  readonly simulated: readonly MetricSettings[];
};

export function renderSimulation(
  { document, plots }: Simulated,
  settings: BothSettings,
  view: HistoryView,
): string {
  if (document.as_of.seq === 0) return "no merges recorded yet: there is no history to simulate\n";
  const [changed, same] = byChange(document.lines, settings);
  const lines = changed.flatMap((line) => [
    nameOf(line),
    ...comparison(line, settings),
    ...plotsOf(line, plots, view),
    "",
  ]);
  return [...lines, ...same, ...footer(document)].map((line) => `${line}\n`).join("");
}

/** Lines of metrics whose settings differ; what is the same under both is told in a line. Where all are, all are shown. */
function byChange(
  lines: readonly SimulatedLine[],
  { today, simulated }: BothSettings,
): [readonly SimulatedLine[], string[]] {
  const same = today
    .filter((metric, index) => JSON.stringify(metric) === JSON.stringify(simulated[index]))
    .map(({ name }) => name)
    .filter((name) => lines.some(({ metric }) => metric === name));
  const changed = lines.filter(({ metric }) => !same.includes(metric));
  return changed.length === 0
    ? [lines, []]
    : [changed, same.map((name) => `${name}: the same settings, not shown`)];
}

function nameOf({ metric, scope, project }: SimulatedLine): string {
  if (scope === "global") return metric;
  return project === null ? `${metric}, all projects together` : `${metric}, project ${safe(project)}`;
}

function comparison(
  { metric, scope, project, today, simulated }: SimulatedLine,
  settings: BothSettings,
): string[] {
  const row = (name: string, cell: (outcome: Outcome) => string): Line => [
    { text: `  ${name}` },
    { text: today === null ? "-" : cell(today) },
    { text: simulated === null ? "-" : cell(simulated) },
  ];
  const states: readonly GateState[] = ["high", "low", "unknown"];
  const verdictsOf = (under: "today" | "simulated") =>
    settings[under]
      .find(({ name }) => name === metric)
      ?.verdicts?.map((verdict) => safe(verdict))
      .join(", ");
  return align(
    [
      [{ text: "" }, { text: "today" }, { text: "simulated" }],
      row("window", ({ window }) => String(window)),
      row("bounds", ({ gate }) =>
        gate === null ? "no gate" : `up >= ${boundText(gate.upper)}, down < ${boundText(gate.lower)}`,
      ),
      ...(verdictsOf("today") === verdictsOf("simulated")
        ? []
        : [
            [
              { text: "  verdicts" },
              { text: verdictsOf("today") ?? "-" },
              { text: verdictsOf("simulated") ?? "-" },
            ],
          ]),
      ...(scope === "project" && project === null ? [] : [row("now", (outcome) => nowText(metric, outcome))]),
      row("crossings", ({ crossings: { up, down } }) => `${up + down} (${up} up, ${down} down)`),
      ...states.map((state) => row(state, (outcome) => stateText(outcome, state))),
      row("as recorded", ({ agreement }) => agreementText(agreement)),
    ],
    [3, 3],
  );
}

function nowText(metric: SimulatedLine["metric"], { value, state, gate }: Outcome): string {
  return `${valueText(metric, value, gate)} ${state.toUpperCase()}`;
}

function stateText({ merges, seconds }: Outcome, state: GateState): string {
  const all = merges.high + merges.low + merges.unknown;
  if (all === 0) return "-";
  return `${count(merges[state], "merge")} (${((100 * merges[state]) / all).toFixed(1)}%), ${span(seconds[state])}`;
}

function agreementText({ compared, equal }: Outcome["agreement"]): string {
  if (compared === 0) return "nothing to compare";
  return `${equal} of ${compared} states (${((100 * equal) / compared).toFixed(1)}%)`;
}

function plotsOf(
  { metric, project, scope }: SimulatedLine,
  plots: Simulated["plots"],
  view: HistoryView,
): string[] {
  const both = plots.find(
    ([today]) => today.metric === metric && today.project === project && today.scope === scope,
  );
  if (both === undefined) return [];
  const beside = view.columns >= BESIDE_FROM;
  const columns = beside ? Math.floor((view.columns - BETWEEN) / 2) : view.columns;
  const domain = commonDomain(both);
  const [today, simulated] = both.map((series, index) =>
    titled(series, index === 0 ? "today" : "simulated", { ...view, columns, domain }),
  );
  if (today === undefined || simulated === undefined) return [];
  return ["", ...(beside ? sideBySide(today, simulated, columns + BETWEEN) : [...today, ...simulated])];
}

/** Both are drawn to one scale. */
function commonDomain(both: readonly HistorySeries[]): [number, number] {
  const domains = both.map(({ metric, points, gate }) =>
    domainOf(points, { ratio: isRatio(metric), bounds: gate }),
  );
  return [Math.min(...domains.map(([low]) => low)), Math.max(...domains.map(([, high]) => high))];
}

function titled(series: HistorySeries, title: string, view: HistoryView): string[] {
  const lines = plotLines(series, view);
  return lines.length === 0 ? [`  ${title}: nothing is defined`] : [`  ${title}`, ...lines];
}

function sideBySide(left: readonly string[], right: readonly string[], offset: number): string[] {
  return Array.from({ length: Math.max(left.length, right.length) }, (_, index) => {
    const line = left[index] ?? "";
    const blanks = Math.max(1, offset - stripVTControlCharacters(line).length);
    return `${line}${" ".repeat(blanks)}${right[index] ?? ""}`.trimEnd();
  });
}

function footer({
  as_of: { seq, event_id: event },
  history_truncated: truncated,
}: SimulationDocument): string[] {
  const begins = truncated ? "; it begins in the middle, as older rows are gone" : "";
  return [`history of ${count(seq, "merge")}, up to event ${safe(event ?? "unknown")}${begins}`];
}
