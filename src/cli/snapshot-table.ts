/**
 * The projects of a snapshot, one row for each: its values, and the state that a policy about it must use. Columns are left
 * out, and names are cut, before a row would wrap; the state never is.
 */
import type { MetricName } from "../core/metric.ts";
import type { SnapshotMetric } from "../core/snapshot.ts";
import { moment } from "../text/figures.ts";
import { safe, textWidth } from "../text/safe.ts";
import { table, widthOf } from "./columns.ts";
import { stateText, valueText } from "./reading-text.ts";
import { paint } from "./terminal.ts";

export type TableView = {
  /** Columns that a row may take. */
  readonly columns: number;
  /** Whether numerators and dates are shown if they fit. */
  readonly details: boolean;
  readonly colour: boolean;
};

export type Table = {
  readonly heading: string;
  readonly rows: readonly { readonly project: string; readonly text: string }[];
};

type Project = readonly [name: string, readings: readonly SnapshotMetric[]];

const HEADS: Readonly<Record<MetricName, { readonly value: string; readonly policy: string }>> = {
  // Padded, so that a column keeps its place while values come and go.
  first_pass_merge_rate: { value: "FIRST PASS", policy: "TRUST POLICY" },
  rebase_conflict_rate: { value: "CONFLICTS ", policy: "OVERLAP POLICY" },
  p95_attempts_to_merge: { value: "P95", policy: "P95 POLICY" },
};
/** Values that are left out if they do not fit, in this order. */
const DISPENSABLE: readonly MetricName[] = [
  "p95_attempts_to_merge",
  "first_pass_merge_rate",
  "rebase_conflict_rate",
];
const GAP = 3;
const NAME = { atLeast: 11, enough: 12, atMost: 40 };
const STATE_WIDTH = 4;

export function projectTable(projects: readonly Project[], view: TableView): Table {
  const { columns, colour } = view;
  const wanted = Math.max(...projects.map(([name]) => textWidth(safe(name, NAME.atMost))), NAME.atLeast);
  const enough = Math.min(wanted, NAME.enough);
  // The first of these beside which there is room for names. Details are only shown beside whole names.
  const variants = [
    ...(view.details ? [{ dropped: 0, details: true, names: wanted }] : []),
    ...[0, 1, 2, 3].map((dropped) => ({ dropped, details: false, names: enough })),
  ];
  let [room, cells] = [0, [] as string[][]];
  for (const { dropped, details, names } of variants) {
    cells = cellsOf(projects, DISPENSABLE.slice(0, dropped), details, colour);
    room = columns - widthBeside(cells);
    if (room >= names) break;
  }
  const nameWidth = Math.max(NAME.atLeast, Math.min(NAME.atMost, room));
  const [heads = [], ...rows] = cells;
  const [heading = "", ...lines] = table(
    ["PROJECT".padEnd(NAME.atLeast), ...heads],
    rows.map((row, index) => [safe(projects[index]?.[0] ?? "", nameWidth), ...row]),
    { colour, gaps: heads.map(() => GAP) },
  );
  return { heading, rows: lines.map((text, index) => ({ project: projects[index]?.[0] ?? "", text })) };
}

/** The columns that lines take beside a name. */
function widthBeside(lines: readonly (readonly string[])[]): number {
  const widths = lines[0]?.map((_, column) => Math.max(...lines.map((line) => widthOf(line[column] ?? ""))));
  return (widths ?? []).reduce((sum, width) => sum + GAP + width, 0);
}

/** The cells beside the names, heads first. */
function cellsOf(
  projects: readonly Project[],
  dropped: readonly MetricName[],
  details: boolean,
  colour: boolean,
): string[][] {
  const all = projects.flatMap(([, readings]) => readings);
  const metrics = [...new Set(all.map(({ metric }) => metric))];
  const columns: [head: string, metric: MetricName, cell: (reading: SnapshotMetric) => string][] = [];
  for (const metric of metrics.filter((one) => !dropped.includes(one)))
    columns.push([HEADS[metric].value, metric, (reading) => valueCell(reading, details, colour)]);
  for (const metric of metrics.filter((one) =>
    all.some((of) => of.metric === one && of.effective !== null),
  )) {
    columns.push([HEADS[metric].policy, metric, (reading) => policyCell(reading, colour)]);
    if (details) columns.push(["SINCE", metric, sinceCell]);
  }
  const rows = projects.map(([, readings]) =>
    columns.map(([, metric, cell]) => {
      const reading = readings.find((one) => one.metric === metric);
      return reading === undefined ? "" : cell(reading);
    }),
  );
  return [columns.map(([head], index) => (index === columns.length - 1 ? head.trimEnd() : head)), ...rows];
}

/** A value, or a dash and how far its window is. */
function valueCell(reading: SnapshotMetric, details: boolean, colour: boolean): string {
  const { metric, value, numerator, n, window, gate } = reading;
  if (value === null) {
    const filled = numerator === null && !details ? "–" : `– ${n}/${window}`;
    return paint("dim", filled, colour);
  }
  const text = valueText(metric, value, gate);
  return details && numerator !== null ? `${text} ${numerator} of ${n}` : text;
}

/** The state that a policy uses, and whose value decided it. */
function policyCell({ metric, effective, gate }: SnapshotMetric, colour: boolean): string {
  if (effective === null) return "";
  const { scope, state, value } = effective;
  if (scope === null) return paint("dim", "– (no value yet)", colour);
  const whose = scope === "project" ? "own" : `global ${valueText(metric, value, gate)}`;
  return `${stateText(metric, state, colour, STATE_WIDTH)} (${whose})`;
}

/** Of the project's own gate. */
function sinceCell({ effective, gate }: SnapshotMetric): string {
  return effective?.scope === "project" && gate?.since != null ? moment(gate.since, "minutes") : "";
}
