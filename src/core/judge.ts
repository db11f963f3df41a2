/**
 * The judge: compares the rows of one merge with what would have been written in their place.
 *
 * A row is judged by the terms that it carries itself: its window, its verdicts and, at a crossing, the gate's bounds. So a changed
 * configuration is not a difference. The daemon refuses a log in which anything differs; `metrics verify` lists every difference.
 */
import { isRatio } from "./catalogue.ts";
import { decide, type Terms } from "./decide.ts";
import type { Difference, DifferenceKind, Found } from "./difference.ts";
import { direction } from "./gate.ts";
import type { MetricRow } from "./journal-row.ts";
import type { Merge } from "./merge.ts";
import { METRIC_NAMES } from "./metric.ts";
import { crossingKey, metricKey } from "./metric-event.ts";
import { type Reading, undefinedReading, valueOf } from "./reading.ts";
import type { Effective } from "./scope.ts";
import { type GateMemory, NO_MEMORY, type ScopeMemory } from "./scope-memory.ts";

/** Where the judge reports. */
export interface Findings {
  differs(found: Found): void;
  /** Counts values of which not all merges are known any more. */
  notJudged: number;
}

/** The rows of one merge, and the memory at this merge: its windows slid, its gates not yet asked. */
export type JudgedSet = {
  readonly rows: readonly MetricRow[];
  /** As most of the rows say. */
  readonly merge: Merge;
  readonly size: number;
  /** Whether rows are missing: a crossing may be among them. */
  readonly incomplete: boolean;
  readonly global: ScopeMemory;
  readonly project: ScopeMemory;
};

/** Judges every row, and puts the gates where the rows say. */
export function judgeSet(set: JudgedSet, findings: Findings): void {
  let [seen, latest] = [0, 0];
  set.rows.forEach((row, index) => {
    const place = 1 << placeOf(row);
    if ((seen & place) !== 0) {
      report(
        findings,
        "set_surplus",
        row,
        `a second row for ${lineOf(row)}${row.crossing === null ? "" : ", crossing"}`,
        "one",
      );
      return;
    }
    seen |= place;
    if (place < latest)
      report(
        findings,
        "set_order",
        row,
        `it comes after ${lineOf(set.rows[index - 1] as MetricRow)}`,
        "the order of the metrics, global rows first",
      );
    latest = Math.max(latest, place);
    judgeIdentity(row, set, findings);
    if (row.crossing !== null) {
      judgeCopy(row, row.crossing.to, set.rows[index - 1], findings);
      return;
    }
    judgeNumbers(row, scopeOf(row, set), findings);
    const next = set.rows[index + 1];
    judgeGate(row, next !== undefined && isCrossingOf(next, row) ? next : null, set, findings);
  });
  if (set.rows.length > set.size)
    report(
      findings,
      "set_surplus",
      set.rows[0] as MetricRow,
      `${set.rows.length} rows`,
      `${set.size}, as its rows say`,
    );
}

function judgeIdentity(row: MetricRow, set: JudgedSet, findings: Findings): void {
  const key = dueKey(row);
  const { placed, seq } = scopeOf(row, set);
  if (row.key !== key) report(findings, "key", row, row.key, key);
  if (!sameFacts(row.merge, set.merge))
    report(findings, "facts", row, factsText(row.merge), factsText(set.merge));
  if (row.setSize !== set.size)
    report(findings, "facts", row, `set_size ${row.setSize}`, `set_size ${set.size}, as beside it`);
  if (placed && row.seq !== seq) report(findings, "seq", row, `seq ${row.seq}`, `seq ${seq}`);
}

/** The key that this row must have. */
export function dueKey({ metric, scope, merge, crossing }: MetricRow): string {
  const key = metricKey(metric, scope, merge);
  return crossing === null ? key : crossingKey(key);
}

/** Whether value, numerator and n are what the merges of the scope give. */
function judgeNumbers(row: MetricRow, scope: ScopeMemory, findings: Findings): void {
  const { metric, n, window, value, numerator } = row;
  const known = Math.min(scope.merges, window);
  // Where merges are missing the writer may have known more of them, never fewer, and never more than there were.
  const most = scope.placed ? Math.min(window, scope.seq) : window;
  const due = scope.complete ? known : Math.min(Math.max(n, known), most);
  const reading = scope.readingUnder(metric, window, row.verdicts, due);
  if (reading !== null) {
    if (n !== due || value !== valueOf(reading) || numerator !== reading.numerator)
      report(findings, "number", row, numbers(row), numbers({ ...reading, value: valueOf(reading) }));
    return;
  }
  findings.notJudged += 1;
  const sound =
    n === due &&
    (value !== null) === (n === window) &&
    (isRatio(metric)
      ? numerator !== null && (value === null || value === numerator / n)
      : numerator === null);
  if (!sound)
    report(findings, "number", row, numbers(row), `numbers that agree with each other, n=${due}/${window}`);
}

/** Whether the gate, the effective reading and the crossing are what this merge decides. The row is believed from there on. */
function judgeGate(row: MetricRow, crossed: MetricRow | null, set: JudgedSet, findings: Findings): void {
  const scope = scopeOf(row, set);
  const remembered = scope.gate(row.metric);
  // If the older rows of a scope are missing, nothing contradicts its first row.
  const before = remembered === NO_MEMORY && !scope.complete ? believed(row, crossed) : remembered;
  const global = row.scope === "global" ? undefined : globalBeside(row, set.rows);
  const { change } = decide(
    termsOf(row, crossed),
    row.merge,
    { scope: row.scope, seq: row.seq, reading: readingOf(row), gate: before },
    global === undefined ? null : { reading: readingOf(global), state: global.state ?? "unknown" },
  );
  const { state } = change;
  if (crossed?.crossing == null) {
    if (row.state !== state)
      report(
        findings,
        "state",
        row,
        stateText(row.state),
        `${stateText(state)}${set.incomplete ? ", or the crossing that is missing" : ": there is no crossing"}`,
      );
  } else {
    const { from, to, previous } = crossed.crossing;
    const due = change.crossing;
    if (due === null || due.from !== from || state !== to)
      report(
        findings,
        "crossing",
        crossed,
        `from ${from} to ${to} at ${row.value}`,
        due === null
          ? `no crossing: ${before.state} at ${row.value} stays ${stateText(state)}`
          : `from ${due.from} to ${stateText(state)} at ${row.value}`,
      );
    else if ((scope.complete || due.previous !== null) && !isSameCrossing(previous, due.previous))
      report(
        findings,
        "crossing",
        crossed,
        `previous: ${crossingText(previous)}`,
        `previous: ${crossingText(due.previous)}`,
      );
    if (row.state !== to) report(findings, "state", row, stateText(row.state), to);
  }
  if (row.scope === "global" || row.state === null || global !== undefined) {
    if (!sameEffective(row.effective, change.effective))
      report(findings, "effective", row, effectiveText(row.effective), effectiveText(change.effective));
  }
  const { eventId: event_id, mergedAt: since } = row.merge;
  scope.setGate(row.metric, {
    state: row.state ?? "unknown",
    defined: row.value !== null,
    crossed: crossed === null ? before.crossed : { since, event_id },
  });
}

/** What a row was decided under. Without a crossing its bounds are not recorded: none of them was reached. */
function termsOf({ metric, verdicts, state }: MetricRow, crossed: MetricRow | null): Terms {
  const crossing = crossed?.crossing ?? null;
  if (crossing !== null)
    return {
      name: metric,
      verdicts,
      gate: { name: crossing.gate, upper: crossing.upper, lower: crossing.lower },
    };
  return { name: metric, verdicts, gate: state === null ? null : UNREACHED };
}

const UNREACHED = { name: "", upper: Number.POSITIVE_INFINITY, lower: Number.NEGATIVE_INFINITY };

/** The gate before a row, according to the row alone. */
function believed({ state, value }: MetricRow, crossed: MetricRow | null): GateMemory {
  const crossing = crossed?.crossing ?? null;
  return {
    state: crossing?.from ?? state ?? "unknown",
    defined: value !== null,
    crossed: crossing?.previous ?? null,
  };
}

/** The row of a crossing repeats the row before it, and says which way the gate went. */
function judgeCopy(
  row: MetricRow,
  to: MetricRow["state"],
  before: MetricRow | undefined,
  findings: Findings,
): void {
  const copy = before !== undefined && before.crossing === null && sameReading(before, row);
  if (!copy)
    report(
      findings,
      "crossing",
      row,
      `${numbers(row)}, ${stateText(row.state)}`,
      "a copy of the row just before it, which crossed",
    );
  const way = to === "high" ? direction("high") : direction("low");
  if (row.crossing?.direction !== way)
    report(findings, "crossing", row, `direction ${row.crossing?.direction}`, `direction ${way}`);
}

/** Whether a row is the crossing that belongs to the row before it. */
function isCrossingOf(next: MetricRow, row: MetricRow): boolean {
  return next.crossing !== null && next.metric === row.metric && next.scope === row.scope;
}

function sameReading(a: MetricRow, b: MetricRow): boolean {
  return (
    a.metric === b.metric &&
    a.scope === b.scope &&
    a.state === b.state &&
    a.value === b.value &&
    a.numerator === b.numerator &&
    a.n === b.n &&
    a.window === b.window &&
    sameEffective(a.effective, b.effective)
  );
}

function sameEffective(a: Effective | null, b: Effective | null): boolean {
  if (a === null || b === null) return a === b;
  return a.scope === b.scope && a.value === b.value && a.state === b.state;
}

function isSameCrossing(a: GateMemory["crossed"], b: GateMemory["crossed"]): boolean {
  return a?.event_id === b?.event_id && a?.since === b?.since;
}

export function sameFacts(a: Merge, b: Merge): boolean {
  return (
    a.eventId === b.eventId &&
    a.workItemId === b.workItemId &&
    a.project === b.project &&
    a.attempts === b.attempts &&
    a.lastVerdict === b.lastVerdict &&
    a.mergedAt === b.mergedAt
  );
}

/** A recorded row as the reading that it states. */
function readingOf({ value, numerator, n, window }: MetricRow): Reading {
  return value === null
    ? undefinedReading(n, window, numerator)
    : { defined: true, value, numerator, n, window };
}

function scopeOf({ scope }: MetricRow, set: JudgedSet): ScopeMemory {
  return scope === "global" ? set.global : set.project;
}

/** The global row of the same metric in a set: a project's row is decided by both. */
function globalBeside(row: MetricRow, rows: readonly MetricRow[]): MetricRow | undefined {
  return rows.find((one) => one.scope === "global" && one.metric === row.metric && one.crossing === null);
}

/** A row's place in its set. */
function placeOf({ metric, scope, crossing }: MetricRow): number {
  const line = (scope === "global" ? 0 : METRIC_NAMES.length) + METRIC_NAMES.indexOf(metric);
  return line * 2 + (crossing === null ? 0 : 1);
}

function report(
  findings: Findings,
  kind: DifferenceKind,
  row: MetricRow,
  recorded: string,
  expected: string,
): void {
  findings.differs({ ...about(row), kind, recorded, expected });
}

/** Where a difference is. */
export function about(
  row: MetricRow,
): Pick<Difference, "row_id" | "event_id" | "metric" | "scope" | "project" | "seq"> {
  return {
    row_id: row.id,
    event_id: row.merge.eventId,
    metric: row.metric,
    scope: row.scope,
    project: row.scope === "global" ? null : row.merge.project,
    seq: row.seq,
  };
}

/** A metric of a scope, for a person; the same for a row and its crossing. */
export function lineOf({ metric, scope }: MetricRow): string {
  return `${metric} (${scope})`;
}

export function factsText({ eventId, workItemId, ...facts }: Merge): string {
  return JSON.stringify({ event: eventId, item: workItemId, ...facts });
}

/** What a row or a reading says, for a person. */
function numbers({
  value,
  numerator,
  n,
  window,
}: Pick<MetricRow, "value" | "numerator" | "n" | "window">): string {
  const counted = numerator === null ? "" : `, numerator ${numerator}`;
  return `value ${value ?? "undefined"}${counted}, n=${n}/${window}`;
}

function stateText(state: MetricRow["state"]): string {
  return state ?? "no state";
}

function effectiveText(effective: Effective | null): string {
  if (effective === null) return "none";
  const { scope, value, state } = effective;
  return `${JSON.stringify(scope)}: value ${JSON.stringify(value)}, ${JSON.stringify(state)}`;
}

function crossingText(crossing: GateMemory["crossed"]): string {
  return crossing === null ? "none" : `event ${crossing.event_id}, ${crossing.since}`;
}
