/**
 * The projects of a snapshot, one row for each: its values, and the state that a policy about it must use. Columns are left
 * out, and names are cut, before a row would wrap; the state never is.
 */
import type { MetricName } from "../core/metric.ts";
import type { SnapshotMetric } from "../core/snapshot.ts";
import { moment } from "../text/figures.ts";
import { safe, textWidth } from "../text/safe.ts";
import { align, widthOf } from "./columns.ts";
import { paint, paintState } from "./paint.ts";
import { valueText } from "./reading-text.ts";

export type TableView = {
  /** Columns that a row may take. */
  readonly columns: number;
  /** Whether numerators and dates are shown where there is room. */
  readonly details: boolean;
  readonly colour: boolean;
};

export type Table = {
  readonly heading: string;
  readonly rows: readonly { readonly project: string; readonly text: string }[];
};

type Project = readonly [name: string, readings: readonly SnapshotMetric[]];

type Column = {
  readonly head: string;
  /** So that a column keeps its place while values come and go. */
  readonly atLeast: number;
  readonly cell: (readings: readonly SnapshotMetric[]) => string;
};

const HEADS: Readonly<Record<MetricName, { readonly value: string; readonly policy: string }>> = {
  first_pass_merge_rate: { value: "FIRST PASS", policy: "TRUST POLICY" },
  rebase_conflict_rate: { value: "CONFLICTS", policy: "OVERLAP POLICY" },
  p95_attempts_to_merge: { value: "P95", policy: "P95 POLICY" },
};
/** Values that are left out where there is no room, in this order. */
const DISPENSABLE: readonly MetricName[] = [
  "p95_attempts_to_merge",
  "first_pass_merge_rate",
  "rebase_conflict_rate",
];
const GAP = 3;
const NAME = { atLeast: 11, enough: 12, atMost: 40 };
const STATE_WIDTH = 4;

export function projectTable(projects: readonly Project[], view: TableView): Table {
  const metrics = (projects[0]?.[1] ?? []).map(({ metric }) => metric);
  const gated = metrics.filter((metric) =>
    projects.some(([, readings]) => readings.some((one) => one.metric === metric && one.effective !== null)),
  );
  const wanted = Math.max(...projects.map(([name]) => textWidth(safe(name, NAME.atMost))), NAME.atLeast);
  const layout = (dropped: number, details: boolean) => {
    const kept = metrics.filter((metric) => !DISPENSABLE.slice(0, dropped).includes(metric));
    return laidOut(projects, columnsFor(kept, gated, { ...view, details }));
  };
  let shown = layout(0, view.details);
  // Details are only shown beside whole names.
  if (view.details && view.columns - shown.width < wanted) shown = layout(0, false);
  for (let dropped = 1; dropped <= DISPENSABLE.length; dropped += 1) {
    if (view.columns - shown.width >= Math.min(wanted, NAME.enough)) break;
    shown = layout(dropped, false);
  }
  const nameWidth = Math.max(NAME.atLeast, Math.min(NAME.atMost, view.columns - shown.width));
  const [heading = "", ...rows] = align(
    shown.lines.map((cells, index) => {
      const name = projects[index - 1]?.[0];
      const first = name === undefined ? "PROJECT".padEnd(NAME.atLeast) : safe(name, nameWidth);
      return [first, ...cells];
    }),
    shown.lines[0]?.map(() => GAP),
  );
  return {
    heading: paint("bold", heading, view.colour),
    rows: rows.map((text, index) => ({ project: projects[index]?.[0] ?? "", text })),
  };
}

/** The cells beside the names, heads first, and the width that they take. */
function laidOut(projects: readonly Project[], columns: readonly Column[]) {
  const heads = columns.map(({ head, atLeast }, index) =>
    index === columns.length - 1 ? head : head.padEnd(atLeast),
  );
  const lines = [heads, ...projects.map(([, readings]) => columns.map(({ cell }) => cell(readings)))];
  const widths = columns.map((_, index) => Math.max(...lines.map((cells) => widthOf(cells[index] ?? ""))));
  return { lines, width: widths.reduce((sum, width) => sum + GAP + width, 0) };
}

function columnsFor(
  metrics: readonly MetricName[],
  gated: readonly MetricName[],
  { details, colour }: TableView,
): Column[] {
  return [
    ...metrics.map((metric): Column => {
      const head = HEADS[metric].value;
      const atLeast = metric === "p95_attempts_to_merge" ? head.length : 10;
      return { head, atLeast, cell: (readings) => valueCell(readingOf(readings, metric), details, colour) };
    }),
    ...gated.flatMap((metric): Column[] => {
      const policy = {
        head: HEADS[metric].policy,
        atLeast: 0,
        cell: (readings: readonly SnapshotMetric[]) => policyCell(readingOf(readings, metric), colour),
      };
      const since = {
        head: "SINCE",
        atLeast: 0,
        cell: (readings: readonly SnapshotMetric[]) => sinceCell(readingOf(readings, metric)),
      };
      return details ? [policy, since] : [policy];
    }),
  ];
}

function readingOf(readings: readonly SnapshotMetric[], metric: MetricName): SnapshotMetric | undefined {
  return readings.find((one) => one.metric === metric);
}

/** A value, or a dash and how far its window is. */
function valueCell(reading: SnapshotMetric | undefined, details: boolean, colour: boolean): string {
  if (reading === undefined) return "";
  const { metric, value, numerator, n, window, gate } = reading;
  if (value === null) {
    const filled = numerator === null && !details ? "–" : `– ${n}/${window}`;
    return paint("dim", filled, colour);
  }
  const text = valueText(metric, value, gate);
  return details && numerator !== null ? `${text} ${numerator} of ${n}` : text;
}

/** The state that a policy uses, and whose value decided it. */
function policyCell(reading: SnapshotMetric | undefined, colour: boolean): string {
  if (reading === undefined || reading.effective === null) return "";
  const { metric, effective, gate } = reading;
  const { scope, state, value } = effective;
  if (scope === null) return paint("dim", "– (no value yet)", colour);
  const word = paintState(metric, state, state.toUpperCase().padEnd(STATE_WIDTH), colour);
  return `${word} ${scope === "project" ? "(own)" : `(global ${valueText(metric, value, gate)})`}`;
}

/** Of the project's own gate. */
function sinceCell(reading: SnapshotMetric | undefined): string {
  const since = reading?.effective?.scope === "project" ? reading.gate?.since : null;
  return since == null ? "" : safe(moment(since, "minutes"));
}
