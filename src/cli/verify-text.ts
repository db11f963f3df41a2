/** The verification for people: each difference with what is recorded and what is expected, then what was counted. */
import { DIFFERENCE_KINDS, type Difference, type DifferenceKind } from "../core/difference.ts";
import type { Drift, DriftFacts, Verification } from "../core/verification.ts";
import { count, moment } from "../text/figures.ts";
import { safe } from "../text/safe.ts";

const WIDTH = 160;

export function renderVerification(verification: Verification): string {
  const { total, first } = verification.differences;
  const more = total - first.length;
  const lines = [
    ...first.flatMap((difference) => [
      placeOf(difference),
      `  recorded  ${safe(difference.recorded, WIDTH)}`,
      `  expected  ${safe(difference.expected, WIDTH)}`,
      "",
    ]),
    ...(more === 0 ? [] : [`${count(more, "more difference")} (--limit shows more)`, ""]),
    ...checked(verification),
    ...notes(verification),
    ...verdict(verification),
  ];
  return lines.map((line) => `${line}\n`).join("");
}

/** Where the difference is, the most exact first. */
function placeOf({ kind, row_id: row, event_id: event, metric, scope, project, seq }: Difference): string {
  const ofProject = scope === "project";
  const about = [
    metric,
    ofProject || (scope === null && project !== null) ? `project ${safe(project ?? "")}` : scope,
    seq === null ? null : `merge ${seq}${ofProject ? " of its project" : ""}`,
    event === null ? null : `event ${safe(event)}`,
  ].filter((part) => part !== null);
  return [row === null ? "no row" : `row ${safe(row)}`, kind.replaceAll("_", " "), about.join(", ")]
    .filter((part) => part !== "")
    .join(" · ");
}

function checked({ counts, as_of: asOf }: Verification): string[] {
  if (counts.rows === 0) return ["nothing is recorded yet"];
  const at = asOf.merged_at === null ? "" : `, ${moment(asOf.merged_at, "seconds")}`;
  const until =
    asOf.event_id === null ? "" : `, up to merge ${asOf.seq ?? "?"} (event ${safe(asOf.event_id)}${at})`;
  const sorts = [
    count(counts.metric_rows, "metric row"),
    count(counts.crossings, "crossing"),
    count(counts.skipped, "skipped merge"),
    count(counts.checkpoints, "checkpoint"),
  ];
  return [`checked ${count(counts.merges, "merge")}${until}`, `  ${sorts.join(" · ")}`];
}

/** What is not a difference, and still worth knowing. */
function notes({ counts, drifted, history_truncated: truncated }: Verification): string[] {
  return [
    ...(truncated ? ["  the log is truncated: its oldest rows are gone"] : []),
    ...table([
      [counts.duplicates, "duplicates: later merges of recorded work items, not counted"],
      [counts.waiting, "merges not recorded yet"],
      [counts.not_judged, "values not judged, because rows that they depend on are gone"],
      [counts.other_bounds, "states decided by other bounds than today's"],
      [counts.pruned, "merges whose record was pruned, taken as recorded"],
      [counts.without_transition, "recorded merges whose transition was pruned"],
      [counts.unmarked, "unmarked metric.* rows, which other programs wrote"],
      [counts.drifted, "work items that have changed since; what was recorded remains"],
    ]),
    ...drifted.map(driftLine),
    ...(drifted.length < counts.drifted ? ["      …"] : []),
  ];
}

function driftLine({ event_id: event, work_item_id: item, recorded, now }: Drift): string {
  const about = `      work item ${safe(item ?? "none")}, event ${safe(event)}:`;
  if (now === null) return `${about} is gone`;
  if (recorded === null) return `${about} differs`;
  const names = ["project", "attempts", "last_verdict", "merged_at"] as const satisfies (keyof DriftFacts)[];
  const changes = names
    .filter((name) => recorded[name] !== now[name])
    .map((name) => `${name} ${safe(recorded[name] ?? "null")} -> ${safe(now[name] ?? "null")}`);
  return `${about} ${changes.join(", ")}`;
}

function verdict({ differences: { total, by_kind: byKind }, counts }: Verification): string[] {
  if (total > 0)
    return [
      count(total, "difference"),
      ...table(
        (Object.keys(byKind) as DifferenceKind[]).map((kind) => [byKind[kind], DIFFERENCE_KINDS[kind]]),
      ),
      ...(byKind.merge_missing > 0
        ? ["  (no daemon is running: start one, which records what is due, and verify again)"]
        : []),
    ];
  return counts.rows === 0 ? [] : ["no differences: every recorded number is what the recorded facts give"];
}

/** Numbers in a column, and what they count; without those that are 0. */
function table(all: readonly (readonly [number, string])[]): string[] {
  const rows = all.filter(([number]) => number > 0);
  const digits = Math.max(...rows.map(([number]) => String(number).length));
  return rows.map(([number, text]) => `  ${String(number).padStart(digits)}  ${text}`);
}
