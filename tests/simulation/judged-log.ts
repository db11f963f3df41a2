/**
 * Whether the rows of a log are right: facts that there were, numbers counted by the naive oracle of the core's tests, rows
 * of whole sets in their order; where rows went from the old end, what can still be said.
 */
import { isDeepStrictEqual } from "node:util";
import type { Merge, RawFacts } from "../../src/core/merge.ts";
import type { MetricSettings } from "../../src/core/metric.ts";
import { type NaiveWriter, naiveFigure, naiveSets } from "../core/naive.ts";
import { isCheckpoint, isMerge, isRecord, mergedAt, payloadOf, type Row } from "./rows.ts";
import type { State } from "./server.ts";

const PRODUCER = "damascus-metrics/simulated";

/** The contract's metrics with windows so small that a schedule of a few merges fills them and crosses both bounds. */
const SETTINGS: readonly MetricSettings[] = [
  {
    name: "first_pass_merge_rate",
    window: 2,
    record: ["global"],
    gate: { name: "trust", upper: 0.75, lower: 0.5 },
    verdicts: null,
  },
  {
    name: "rebase_conflict_rate",
    window: 3,
    record: ["global", "project"],
    gate: { name: "scope_overlap", upper: 0.5, lower: 0.3 },
    verdicts: ["rebase_conflict"],
  },
  { name: "p95_attempts_to_merge", window: 3, record: ["global"], gate: null, verdicts: null },
];

/** The same windows under other sizes, bounds, scopes and verdicts: what an operator may change while others run. */
const OTHER_SETTINGS: readonly (readonly MetricSettings[])[] = [
  [
    {
      name: "first_pass_merge_rate",
      window: 3,
      record: ["global", "project"],
      gate: { name: "trust", upper: 0.6, lower: 0.6 },
      verdicts: null,
    },
    {
      name: "rebase_conflict_rate",
      window: 2,
      record: ["global"],
      gate: { name: "scope_overlap", upper: 0.5, lower: 0.1 },
      verdicts: ["approve", "rebase_conflict"],
    },
    { name: "p95_attempts_to_merge", window: 5, record: [], gate: null, verdicts: null },
  ],
  [
    { name: "first_pass_merge_rate", window: 2, record: [], gate: null, verdicts: null },
    {
      name: "rebase_conflict_rate",
      window: 4,
      record: ["global", "project"],
      gate: null,
      verdicts: ["rebase_conflict"],
    },
    { name: "p95_attempts_to_merge", window: 1, record: ["global", "project"], gate: null, verdicts: null },
  ],
];

/** The configurations of daemons; each names itself as the producer of its rows. */
export const CONFIGURATIONS: readonly NaiveWriter[] = [SETTINGS, ...OTHER_SETTINGS].map(
  (settings, index) => ({
    settings,
    producer: index === 0 ? PRODUCER : `${PRODUCER}-${index}`,
  }),
);

export class Violation extends Error {}

/** Who has written a row. */
function writerOf(row: Row | undefined): NaiveWriter {
  const producer = row === undefined ? null : payloadOf(row)["producer"];
  const writer = CONFIGURATIONS.find((one) => one.producer === producer);
  if (writer === undefined) throw new Violation(`row ${row?.id}: nobody is ${String(producer)}`);
  return writer;
}

/** The rows of one merge, in the order of their ids. */
type RecordedSet = { readonly rows: Row[]; readonly merge: Merge };

/** A relay drops repeats by the key: a row whose key another one has would never arrive. */
export function judgeKeys(state: State): void {
  const keys = new Set<string>();
  for (const row of state.rows) {
    if (!isRecord(row) && !isCheckpoint(row)) continue;
    const { key } = payloadOf(row);
    if (keys.has(key)) throw new Violation(`key ${key} twice, again in row ${row.id}`);
    keys.add(key);
  }
}

/** A checkpoint says that no merge up to its low mark is left to record. */
export function judgeLowMark(state: State, checkpoint: Row): void {
  const low = Number(payloadOf(checkpoint)["low_mark"]);
  const isRecorded = recordedBy(state.rows.filter(isRecord));
  for (const merge of state.rows) {
    if (isMerge(merge) && merge.id <= low && !isRecorded(merge))
      throw new Violation(
        `merge ${merge.id} is not recorded, though checkpoint ${checkpoint.id} has the low mark ${low}`,
      );
  }
}

/** Whether these rows record a merge. */
export function recordedBy(journal: readonly Row[]): (merge: Row) => boolean {
  const sets = journal.filter(({ kind }) => kind !== "metric.threshold_crossed");
  const ids = new Set(sets.map((row) => payloadOf(row).merge.event_id));
  const items = new Set(sets.map((row) => payloadOf(row).merge.work_item_id));
  return (merge) => {
    // What was a duplicate stays one when its work item is deleted.
    const item = merge.item ?? merge.was ?? null;
    return ids.has(String(merge.id)) || (item !== null && items.has(item));
  };
}

/** Merges that a log has or had, by id. After a failover one id may have been given twice. */
export type Merges = ReadonlyMap<string, readonly Row[]>;

export function mergesOf({ rows, gone }: State): Merges {
  return Map.groupBy([...rows, ...gone].filter(isMerge), ({ id }) => String(id));
}

export function judgeFacts(state: State, merges: Merges, row: Row): void {
  const { merge, reason } = payloadOf(row);
  const known = ({ item }: Row): boolean => item === merge.work_item_id || item === null;
  if (merges.get(merge.event_id)?.some(known) !== true)
    throw new Violation(`row ${row.id} records a merge ${merge.event_id} that there is not`);
  if (row.item !== merge.work_item_id && row.item !== null)
    throw new Violation(`row ${row.id} is filed under ${row.item}`);
  const versions = merge.work_item_id === null ? [null] : (state.items.get(merge.work_item_id) ?? [null]);
  const matches =
    row.kind === "metric.merge_skipped"
      ? versions.some((facts) => reasonFor(facts) === reason)
      : versions.some((facts) => reasonFor(facts) === null && sameFacts(facts as RawFacts, mergeOf(row)));
  if (!matches) throw new Violation(`row ${row.id}: its facts were never those of ${merge.work_item_id}`);
}

function reasonFor(facts: RawFacts | null): string | null {
  if (facts === null) return "work_item_missing";
  if (facts.attempts === "0") return "attempts_invalid";
  return facts.project === "" ? "project_missing" : null;
}

function sameFacts(facts: RawFacts, merge: Merge): boolean {
  return (
    facts.project === merge.project &&
    facts.attempts === String(merge.attempts) &&
    facts.lastVerdict === merge.lastVerdict &&
    merge.mergedAt === mergedAt(Number(merge.eventId))
  );
}

export function mergeOf(row: Row): Merge {
  const merge = payloadOf(row).merge as unknown as Record<string, string> & { attempts: number };
  return {
    eventId: merge["event_id"] as string,
    workItemId: merge["work_item_id"] as string,
    project: merge["project"] as string,
    attempts: merge.attempts,
    lastVerdict: merge["last_verdict"] as string,
    mergedAt: merge["merged_at"] as string,
  };
}

/** Consecutive rows of one merge. */
export function setsOf(journal: readonly Row[]): RecordedSet[] {
  const sets: RecordedSet[] = [];
  for (const row of journal) {
    if (row.kind === "metric.merge_skipped") continue;
    const merge = mergeOf(row);
    const last = sets.at(-1);
    if (last?.merge.eventId === merge.eventId && last.merge.workItemId === merge.workItemId)
      last.rows.push(row);
    else sets.push({ rows: [row], merge });
  }
  return sets;
}

/** A journal from its beginning is, row for row, what the naive oracle makes of its merges. */
export function judgeWhole(journal: readonly Row[]): void {
  const sets = setsOf(journal);
  const expected = naiveSets(
    sets.map(({ merge }) => merge),
    (place) => writerOf(sets[place]?.rows[0]),
  );
  sets.forEach(({ rows, merge }, index) => {
    const wanted = expected[index] ?? [];
    const got = rows.map((row) => ({
      kind: row.kind,
      workItemId: row.item ?? payloadOf(row).merge.work_item_id,
      payload: payloadOf(row),
    }));
    if (!isDeepStrictEqual(got, wanted)) {
      throw new Violation(
        `merge ${merge.eventId} is recorded as\n  ${got.map((row) => JSON.stringify(row)).join("\n  ")}\ninstead of\n  ` +
          wanted.map((row) => JSON.stringify(row)).join("\n  "),
      );
    }
  });
}

/**
 * Where rows went from the old end, a writer knew at least the merges whose sets survive now, and at most all. Numbers
 * are counted over the newest n that there ever were.
 */
export function judgePruned(state: State, checkpointLeft: boolean): void {
  const survives = new Set(state.rows);
  const sets = setsOf([...state.gone, ...state.rows].filter(isRecord).toSorted((a, b) => a.id - b.id));
  const once = new Set<string>();
  const ever = new Map<string, Merge[]>();
  const surviving = new Map<string, number>();
  /** By how much the place that a scope's rows state is above the merges that are known of it. */
  const ahead = new Map<string, number>();
  const states = new Map<string, unknown>();
  for (const { rows, merge } of sets) {
    if (once.has(merge.eventId)) throw new Violation(`merge ${merge.eventId} is recorded anew`);
    once.add(merge.eventId);
    const scopes = ["global", `project ${merge.project}`];
    for (const scope of scopes) ever.set(scope, [...(ever.get(scope) ?? []), merge]);
    const whole = rows.every((row) => survives.has(row));
    if (whole) for (const scope of scopes) surviving.set(scope, (surviving.get(scope) ?? 0) + 1);
    for (const row of rows) {
      const payload = payloadOf(row);
      const scope = payload["scope"] === "global" ? "global" : `project ${merge.project}`;
      const settings = writerOf(row).settings.find((one) => one.name === payload["metric"]);
      if (settings === undefined) throw new Violation(`row ${row.id} is of no metric`);
      const fail = (what: string): never => {
        throw new Violation(`row ${row.id}: ${what}: ${JSON.stringify(payload)}`);
      };
      const n = payload["n"] as number;
      const known = ever.get(scope) ?? [];
      const least = Math.min(settings.window, checkpointLeft ? known.length : (surviving.get(scope) ?? 0));
      if (n < least || n > Math.min(settings.window, known.length))
        fail(`n is not between ${least} and ${known.length}`);
      const figure = naiveFigure(settings.name, settings.window, settings.verdicts ?? [], known.slice(-n));
      if (payload["value"] !== figure.value || payload["numerator"] !== figure.numerator)
        fail(`its facts give ${JSON.stringify(figure)}`);
      const series = `${settings.name} ${scope}`;
      if (settings.gate === null) states.delete(series);
      else if (figure.value !== null) {
        const { upper, lower } = settings.gate;
        const forced = figure.value >= upper ? "high" : figure.value < lower ? "low" : null;
        const allowed =
          forced === null ? [states.get(series), "unknown", states.get(`${settings.name} global`)] : [forced];
        if (!allowed.includes(payload["state"])) fail(`its state should be ${allowed.join(" or ")}`);
        states.set(series, payload["state"]);
      }
      if (!whole || row.kind === "metric.threshold_crossed") continue;
      const place = (payload["seq"] as number) - known.length;
      const before = ahead.get(scope) ?? place;
      if (place !== before) fail(`seq should be ${known.length + before}`);
      ahead.set(scope, place);
    }
  }
}
