/**
 * The snapshot for people. The global lines come first and unindented, always in the same form, so that
 * `grep '^first_pass_merge_rate'` finds one line. A gate and its state are on the line of their metric whatever the width.
 * Below them is a row for each project, or every line of the projects that are named.
 */
import type { Effective } from "../core/scope.ts";
import { mostRecentFirst, type Snapshot, type SnapshotMetric } from "../core/snapshot.ts";
import { boundText, count, moment, span } from "../text/figures.ts";
import { safe } from "../text/safe.ts";
import { align, fitting, type Line, widthOf } from "./columns.ts";
import { readingText, stateText, valueText } from "./reading-text.ts";
import { projectTable, type Table } from "./snapshot-table.ts";
import { paint } from "./terminal.ts";

export type SnapshotView = {
  /** Projects that are shown in full instead of the table; empty for the table. */
  readonly projects: readonly string[];
  /** Rows of the table: the projects that merged last. */
  readonly limit: number;
  /** Columns of the terminal; null for a pipe, where nothing wraps. */
  readonly columns: number | null;
  /** Show counts and dates whatever the width. */
  readonly wide: boolean;
  readonly colour: boolean;
};

/** The parts of a screen, in lines. */
export type SnapshotParts = {
  readonly global: readonly string[];
  /** Null if no project has merged, or some are shown in full. */
  readonly table: Table | null;
  /** The projects that are shown in full, with empty lines between them. */
  readonly full: readonly string[];
  /** Projects without a row. */
  readonly hidden: number;
  /** The newest merge, its age, lag and skipped merges; several lines on a narrow terminal. */
  readonly footer: readonly string[];
};

/** Columns of the usual form, which a pipe has too. Counts and dates appear beyond them. */
const USUAL = 80;

export function renderSnapshot(snapshot: Snapshot, view: SnapshotView): { body: string; footer: string } {
  const { global, table, full, hidden, footer } = snapshotParts(snapshot, view);
  const lines = [
    ...global,
    ...(table === null ? [] : ["", table.heading, ...table.rows.map(({ text }) => text)]),
    ...(hidden === 0 ? [] : [`${count(hidden, "more project")} (--all)`]),
    ...(full.length === 0 ? [] : ["", ...full]),
  ];
  return { body: `${lines.join("\n")}\n`, footer: `${footer.join("\n")}\n` };
}

export function snapshotParts(snapshot: Snapshot, view: SnapshotView): SnapshotParts {
  const { columns, wide, colour } = view;
  const projects = mostRecentFirst(snapshot);
  const asked = [...new Set(view.projects)];
  const rows = asked.length > 0 ? [] : projects.slice(0, view.limit);
  const readings = new Map(projects);
  const room = wide ? Number.POSITIVE_INFINITY : (columns ?? USUAL);
  const global = snapshot.metrics.filter(({ project }) => project === null);
  return {
    global: block(global, view),
    table: rows.length === 0 ? null : projectTable(rows, { columns: room, details: room > USUAL, colour }),
    full: asked.flatMap((name, index) => {
      const own = readings.get(name);
      const lines = own === undefined ? [NOTHING] : block(own, view, "  ");
      return [...(index === 0 ? [] : [""]), paint("bold", `project ${safe(name)}`, colour), ...lines];
    }),
    hidden: asked.length > 0 ? 0 : projects.length - rows.length,
    footer: folded(facts(snapshot), columns ?? Number.POSITIVE_INFINITY),
  };
}

const NOTHING = "  no merges recorded; policies use the global values";

/** The lines of one scope, with as much detail as fits. */
function block(metrics: readonly SnapshotMetric[], view: SnapshotView, indent = ""): string[] {
  const digits = Math.max(...metrics.map(({ numerator }) => String(numerator ?? "").length));
  const lines = metrics.map((metric): Line => {
    const reading = `${indent}${metric.metric} = ${readingText(metric, metric.gate, view.colour)}`;
    return [reading, ...details(metric, digits, view.colour)];
  });
  const usual = indent === "" ? [4, 3, 3, 3] : [3, 3, 3, 3];
  const cells =
    (shown: readonly number[], gaps = usual) =>
    () =>
      align(
        lines.map((line) => shown.map((cell) => line[cell] ?? "")),
        gaps,
      );
  // The cells: reading, amount, gate and state, since, bounds.
  const everything = cells([0, 1, 2, 3, 4]);
  if (view.wide) return everything();
  const columns = view.columns ?? Number.POSITIVE_INFINITY;
  const longer = view.columns !== null && columns > USUAL ? [everything, cells([0, 2, 3, 4])] : [];
  return fitting([...longer, cells([0, 2, 4]), cells([0, 2, 4], [3, 2]), cells([0, 2])], columns);
}

function details(reading: SnapshotMetric, digits: number, colour: boolean): Line {
  const { metric, value, numerator, n, window, gate, effective } = reading;
  const amount =
    value === null
      ? `${count(window - n, "more merge")} needed`
      : numerator === null
        ? ""
        : `${String(numerator).padStart(digits)} of ${n}`;
  if (gate === null) return [amount];
  if (value === null && effective !== null) return [amount, policy(reading, effective, colour)];
  return [
    amount,
    `${safe(gate.name)} ${stateText(metric, gate.state, colour)}`,
    gate.since === null ? "" : `since ${moment(gate.since, "minutes")}`,
    `up>=${boundText(gate.upper)} down<${boundText(gate.lower)}`,
  ];
}

/** What a policy uses for a project whose own value is undefined. */
function policy(
  { metric, gate }: SnapshotMetric,
  { scope, value, state }: Effective,
  colour: boolean,
): string {
  if (scope !== "global" || value === null) return "policy undefined, as the global value is";
  return `policy uses global ${valueText(metric, value, gate)} ${stateText(metric, state, colour)}`;
}

function facts(snapshot: Snapshot): string[] {
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
    ...(snapshot.history_truncated ? ["history truncated: windows count up again"] : []),
  ];
}

function whichMerge({ as_of: asOf }: Snapshot): string {
  const event = `event ${safe(asOf.event_id ?? "unknown")}`;
  if (asOf.merged_at === null) return event;
  const age = (Date.parse(asOf.generated_at) - Date.parse(asOf.merged_at)) / 1000;
  return [event, moment(asOf.merged_at, "seconds"), `${span(age)} ago`].join(", ");
}

/** Facts in one line, or in as many as a terminal needs. */
function folded(parts: readonly string[], columns: number): string[] {
  const lines: string[] = [];
  for (const part of parts) {
    const longer = `${lines.at(-1)} · ${part}`;
    if (lines.length > 0 && widthOf(longer) <= columns) lines[lines.length - 1] = longer;
    else lines.push(part);
  }
  return lines;
}
