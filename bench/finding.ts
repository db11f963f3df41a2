/** What a measurement found, held against its goal, and the table of all of them. */
import type { Sample } from "./figures.ts";

export type Goal = {
  /** Ratios say the same on every machine; values only on one like that of the goals. */
  readonly of: "value" | "ratio";
  readonly is: "at most" | "at least";
  readonly bound: number;
};

export type Finding = {
  /** P1 to P9. */
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

/** @param slack 1: the goal as it is. 2: a ratio may be twice as bad, and values are not judged. */
export function verdictOf(finding: Finding, slack = 1): Verdict {
  const { goal, value } = finding;
  if (goal === null || (goal.of === "value" && slack !== 1)) return "";
  const measured = goal.of === "value" ? value.median : ratioOf(finding);
  if (measured === null) throw new Error(`${finding.id} ${finding.what}: a goal for a ratio without a floor`);
  const met = goal.is === "at most" ? measured <= goal.bound * slack : measured >= goal.bound / slack;
  return met ? "PASS" : "MISS";
}

export function renderTable(findings: readonly Finding[], slack = 1): string {
  const lines = findings.map((finding) => {
    const { id, what, unit, value, floor, goal } = finding;
    const ratio = ratioOf(finding);
    return [
      `${id} ${what}`,
      withRange(value, unit),
      floor === null ? "" : `${withRange(floor.sample, unit)} ${floor.what}`,
      ratio === null ? "" : `${figure(ratio)}×`,
      goal === null ? "" : renderGoal(goal, unit),
      verdictOf(finding, slack),
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
