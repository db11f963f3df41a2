/** The rows of one merge held against each other: how many, in which order, under which keys, with which facts. */
import type { IdSet } from "./id-set.ts";
import type { MetricRow } from "./journal-row.ts";
import { METRIC_NAMES } from "./metric.ts";
import {
  about,
  type Findings,
  lineOf,
  sameItem,
  tell,
  tellKeyRepeated,
  tellWrongItem,
  type VerifiedRow,
} from "./verified-row.ts";

/** What the rows of a set must agree with. */
export type SetPromise = {
  /** As most of the rows say. */
  readonly merge: VerifiedRow["merge"];
  readonly size: number;
  /** The seq of the row's scope; null where it is not known. */
  readonly seqOf: (row: VerifiedRow) => number | null;
  /** Keys that are not as promised, so that they may be there twice. */
  readonly keys: IdSet;
};

/** Tells what is wrong among the rows, and has each of them judged that does not repeat another one. */
export function verifySet(
  set: readonly VerifiedRow[],
  { merge, size, seqOf, keys }: SetPromise,
  findings: Findings,
  judge: (row: VerifiedRow, index: number) => void,
): void {
  const seen = new Set<string>();
  let place = -1;
  set.forEach((row, index) => {
    const seq = seqOf(row);
    const line = `${lineOf(row)}${row.crossing === null ? "" : ", crossing"}`;
    if (seen.has(line)) {
      tell(findings, "set_surplus", row, `a second row for ${line}`, "one");
      return;
    }
    seen.add(line);
    const due = placeOf(row);
    if (due < place)
      tell(
        findings,
        "set_order",
        row,
        `it comes after ${lineOf(set[index - 1] as VerifiedRow)}`,
        "the order of the metrics, global rows first",
      );
    place = Math.max(place, due);
    if (row.key !== promisedKey(row)) {
      const taken = !keys.add(row.key);
      tell(findings, "key", row, row.key, promisedKey(row));
      if (taken) tellKeyRepeated(findings, row.id, row.key);
    }
    if (!sameItem(row.column, row.merge.workItemId))
      tellWrongItem(findings, about(row), row.column, row.merge.workItemId);
    if (!sameFacts(row.merge, merge)) tell(findings, "facts", row, factsText(row.merge), factsText(merge));
    if (row.setSize !== size)
      tell(findings, "facts", row, `set_size ${row.setSize}`, `set_size ${size}, as beside it`);
    if (seq !== null && row.seq !== seq) tell(findings, "seq", row, `seq ${row.seq}`, `seq ${seq}`);
    judge(row, index);
  });
  if (set.length > size)
    tell(findings, "set_surplus", set[0] as VerifiedRow, `${set.length} rows`, `${size}, as its rows say`);
}

function sameFacts(a: MetricRow["merge"], b: MetricRow["merge"]): boolean {
  return (
    a.eventId === b.eventId &&
    a.workItemId === b.workItemId &&
    a.project === b.project &&
    a.attempts === b.attempts &&
    a.lastVerdict === b.lastVerdict &&
    a.mergedAt === b.mergedAt
  );
}

/** A row with the facts that most rows of the set have. */
export function usualFacts(set: readonly VerifiedRow[]): VerifiedRow {
  const first = set[0] as VerifiedRow;
  if (set.every((row) => sameFacts(row.merge, first.merge))) return first;
  const texts = set.map((row) => factsText(row.merge));
  return set[texts.indexOf(usual(texts))] as VerifiedRow;
}

function factsText({ project, attempts, lastVerdict, mergedAt, ...ids }: MetricRow["merge"]): string {
  return JSON.stringify({
    event: ids.eventId,
    item: ids.workItemId,
    project,
    attempts,
    lastVerdict,
    mergedAt,
  });
}

/** A row's place in its set. */
function placeOf({ metric, scope, crossing }: MetricRow): number {
  const line = (scope === "global" ? 0 : METRIC_NAMES.length) + METRIC_NAMES.indexOf(metric);
  return line * 2 + (crossing === null ? 0 : 1);
}

function promisedKey({ metric, scope, merge, crossing }: MetricRow): string {
  const place = scope === "global" ? "global" : `project:${merge.project}`;
  return `${metric}|${place}|${merge.eventId}${crossing === null ? "" : "|crossed"}`;
}

/** What most of them are; the first of equals. */
export function usual<T>(values: readonly T[]): T {
  const [first] = values as [T, ...T[]];
  if (values.every((value) => value === first)) return first;
  const counts = new Map<T, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].reduce((best, one) => (one[1] > best[1] ? one : best))[0];
}

/** Rows are missing: which ones, as far as an earlier set tells. */
export function tellIncomplete(
  set: readonly VerifiedRow[],
  size: number,
  composition: readonly string[],
  { differences }: Findings,
): void {
  const first = set[0] as VerifiedRow;
  const present = new Set(set.map(lineOf));
  const absent = composition.filter((line) => !present.has(line));
  differences.add({
    kind: "set_incomplete",
    event_id: first.merge.eventId,
    row_id: first.id,
    seq: first.scope === "global" ? first.seq : null,
    recorded: `${set.length} of ${size} rows`,
    expected: absent.length === 0 ? `${size} rows, crossings included` : `also ${absent.join(", ")}`,
  });
}

export function countRows(set: readonly VerifiedRow[], counts: Findings["counts"]): void {
  for (const row of set) {
    if (row.crossing === null) counts.metric_rows += 1;
    else counts.crossings += 1;
  }
}
