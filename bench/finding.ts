/** What a measurement found, held against its goal, and the table of all of them. */
import { type Sample, sampleOf } from "./figures.ts";

export type Goal = {
  /** Ratios say the same on every machine; values only on one like that of the goals. */
  readonly of: "value" | "ratio";
  readonly is: "at most" | "at least";
  readonly bound: number;
};

export type Finding = {
  /** P1 to P10. */
  readonly id: string;
  readonly what: string;
  readonly unit: string;
  readonly value: Sample;
  /** What cannot be had for less, measured in the same run; null where there is none. */
  readonly floor: { readonly what: string; readonly sample: Sample } | null;
  /** Null: only to be known. */
  readonly goal: Goal | null;
};

export type Verdict = "PASS" | "MISS" | "";

export function ratioOf({ value, floor }: Finding): number | null {
  return floor === null ? null : value.median / floor.sample.median;
}

export type Judging = {
  /** 1: ratios are judged by the goal as it is. 2: they may be twice as bad. */
  readonly slack: number;
  /** Whether values are judged as well: only on a calm machine. */
  readonly values: boolean;
};

const STRICTLY: Judging = { slack: 1, values: true };

export function verdictOf(finding: Finding, { slack, values } = STRICTLY): Verdict {
  const { goal, value } = finding;
  if (goal === null || (goal.of === "value" && !values)) return "";
  const measured = goal.of === "value" ? value.median : ratioOf(finding);
  if (measured === null) throw new Error(`${finding.id} ${finding.what}: a goal for a ratio without a floor`);
  const met = goal.is === "at most" ? measured <= goal.bound * slack : measured >= goal.bound / slack;
  return met ? "PASS" : "MISS";
}

/** What a process takes, of which starting Node is the least. */
export function besideNode(
  id: string,
  what: string,
  ms: { readonly started: readonly number[]; readonly node: readonly number[] },
  bound: number,
): Finding {
  return {
    id,
    what,
    unit: "ms",
    value: sampleOf(ms.started),
    floor: { what: "node -e 0", sample: sampleOf(ms.node) },
    goal: { of: "ratio", is: "at most", bound },
  };
}

export function renderTable(findings: readonly Finding[], judging = STRICTLY): string {
  const lines = findings.map((finding) => {
    const { id, what, unit, value, floor, goal } = finding;
    const ratio = ratioOf(finding);
    return [
      `${id} ${what}`,
      withRange(value, unit),
      floor === null ? "" : `${withRange(floor.sample, unit)} ${floor.what}`,
      ratio === null ? "" : `${figure(ratio)}×`,
      goal === null ? "" : renderGoal(goal, unit),
      verdictOf(finding, judging),
    ];
  });
  return renderColumns([["what", "value", "floor", "ratio", "goal", ""], ...lines]);
}

function renderColumns(lines: readonly (readonly string[])[]): string {
  const widths = (lines[0] ?? []).map((_, column) =>
    Math.max(...lines.map((line) => line[column]?.length ?? 0)),
  );
  const render = (line: readonly string[]): string =>
    line
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join(" | ")
      .trimEnd();
  const [head = [], ...rest] = lines;
  return [render(head), widths.map((width) => "-".repeat(width)).join("-|-"), ...rest.map(render)].join("\n");
}

function renderGoal({ of, is, bound }: Goal, unit: string): string {
  return `${is === "at most" ? "≤" : "≥"} ${of === "ratio" ? `${bound}×` : `${bound} ${unit}`}`;
}

function withRange({ median, min, max }: Sample, unit: string): string {
  const range = min === max ? "" : ` (${figure(min)}–${figure(max)})`;
  return `${figure(median)} ${unit}${range}`;
}

/** Three digits that mean something. */
function figure(value: number): string {
  if (Math.abs(value) >= 100) return String(Math.round(value));
  return String(Number(value.toPrecision(3)));
}
