/** The verification for people: the differences, each with what is recorded and what it should be, then what was counted. */
import { DIFFERENCE_KINDS, type Difference, type DifferenceKind } from "../core/difference.ts";
import type { Drift, DriftFacts, Verification } from "../core/verification.ts";
import { count, moment } from "../text/figures.ts";
import { safe } from "../text/safe.ts";

const WIDTH = 160;

export function renderVerification(verification: Verification): string {
  const { differences } = verification;
  const lines = [
    ...differences.first.flatMap(differenceLines),
    ...unlisted(verification),
    ...checked(verification),
    ...notes(verification),
    ...verdict(verification),
  ];
  return lines.map((line) => `${line}\n`).join("");
}

function differenceLines(difference: Difference): string[] {
  return [
    placeOf(difference),
    `  recorded  ${safe(difference.recorded, WIDTH)}`,
    `  expected  ${safe(difference.expected, WIDTH)}`,
    "",
  ];
}

/** Where the difference is, the most exact first. */
function placeOf({ kind, row_id: row, event_id: event, metric, scope, project, seq }: Difference): string {
  const place = scope === "project" ? `project ${safe(project ?? "")}` : (scope ?? projectOf(project));
  const merge = seq === null ? null : `merge ${seq}${scope === "project" ? " of its project" : ""}`;
  const about = [metric, place, merge, event === null ? null : `event ${safe(event)}`].filter(
    (part) => part !== null,
  );
  return [row === null ? "no row" : `row ${safe(row)}`, kind.replaceAll("_", " "), about.join(", ")]
    .filter((part) => part !== "")
    .join(" · ");
}

function projectOf(project: string | null): string | null {
  return project === null ? null : `project ${safe(project)}`;
}

function unlisted({ differences: { total, first } }: Verification): string[] {
  const more = total - first.length;
  return more === 0 ? [] : [`${count(more, "more difference")} (--limit shows more)`, ""];
}

function checked({ counts, as_of: asOf }: Verification): string[] {
  if (counts.rows === 0) return ["nothing is recorded yet"];
  const until =
    asOf.event_id === null
      ? ""
      : `, up to merge ${asOf.seq ?? "?"} (event ${safe(asOf.event_id)}${asOf.merged_at === null ? "" : `, ${safe(moment(asOf.merged_at, "seconds"))}`})`;
  return [
    `checked ${count(counts.merges, "merge")}${until}`,
    `  ${[
      count(counts.metric_rows, "metric row"),
      count(counts.crossings, "crossing"),
      count(counts.skipped, "skipped merge"),
      count(counts.checkpoints, "checkpoint"),
    ].join(" · ")}`,
  ];
}

/** What is no difference, and still worth knowing. */
function notes(verification: Verification): string[] {
  const { counts, drifted, history_truncated: truncated } = verification;
  const told: [number, string][] = [
    [counts.repeats, "later arrivals of recorded work items, not counted"],
    [counts.waiting, "merges that wait to be recorded"],
    [counts.not_judged, "values not judged, as rows that they stand on are gone"],
    [counts.other_bounds, "states that other bounds than today's gave"],
    [counts.pruned, "merges whose record is gone from the old end, taken as recorded"],
    [counts.without_transition, "recorded merges whose transition is gone from the old end"],
    [counts.unmarked, "metric.* rows of somebody else"],
    [counts.drifted, "work items that have changed since; the record stands"],
  ];
  const numbered = told.filter(([number]) => number > 0);
  return [
    ...(truncated ? ["  the log begins in the middle: rows are gone from its old end"] : []),
    ...table(numbered),
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
  if (total === 0)
    return counts.rows === 0 ? [] : ["no differences: every recorded number is what the recorded facts give"];
  const kinds = (Object.keys(byKind) as DifferenceKind[]).filter((kind) => byKind[kind] > 0);
  return [
    count(total, "difference"),
    ...table(kinds.map((kind) => [byKind[kind], DIFFERENCE_KINDS[kind]])),
    ...(byKind.merge_missing > 0
      ? ["  (no daemon runs: one that does records what is due; start it, and verify again)"]
      : []),
  ];
}

/** Numbers under each other, and what they count. */
function table(rows: readonly (readonly [number, string])[]): string[] {
  const digits = Math.max(...rows.map(([number]) => String(number).length));
  return rows.map(([number, text]) => `  ${String(number).padStart(digits)}  ${text}`);
}
