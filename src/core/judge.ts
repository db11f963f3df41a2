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

/** The rows of one merge, and the memory at this merge: its windows slid, its gates not yet decided. */
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

type Report = (kind: DifferenceKind, row: MetricRow, recorded: string, expected: string) => void;

/** Judges every row, and puts the gates where the rows say. */
export function judgeSet(set: JudgedSet, findings: Findings): void {
  const { rows, size } = set;
  const report: Report = (kind, row, recorded, expected) =>
    findings.differs({ ...about(row), kind, recorded, expected });
  let [seen, latest] = [0, 0];
  rows.forEach((row, index) => {
    const place = 1 << placeOf(row);
    if ((seen & place) !== 0) {
      const what = row.crossing === null ? "" : ", crossing";
      report("set_surplus", row, `a second row for ${lineOf(row)}${what}`, "one");
      return;
    }
    seen |= place;
    if (place < latest) {
      const before = `it comes after ${lineOf(rows[index - 1] as MetricRow)}`;
      report("set_order", row, before, "the order of the metrics, global rows first");
    }
    latest = Math.max(latest, place);
    judgeIdentity(row, set, report);
    if (row.crossing !== null) {
      judgeCopy(row, row.crossing, rows[index - 1], report);
      return;
    }
    if (!judgeNumbers(row, scopeOf(row, set), report)) findings.notJudged += 1;
    const next = rows[index + 1];
    judgeGate(row, next !== undefined && isCrossingOf(next, row) ? next : null, set, report);
  });
  if (rows.length > size)
    report("set_surplus", rows[0] as MetricRow, `${rows.length} rows`, `${size}, as its rows say`);
}

function judgeIdentity(row: MetricRow, set: JudgedSet, report: Report): void {
  const { merge, size } = set;
  const key = dueKey(row);
  const { placed, seq } = scopeOf(row, set);
  if (row.key !== key) report("key", row, row.key, key);
  if (!sameFacts(row.merge, merge)) report("facts", row, factsText(row.merge), factsText(merge));
  if (row.setSize !== size) report("facts", row, `set_size ${row.setSize}`, `set_size ${size}, as beside it`);
  if (placed && row.seq !== seq) report("seq", row, `seq ${row.seq}`, `seq ${seq}`);
}

/** The key that this row must have. */
export function dueKey({ metric, scope, merge, crossing }: MetricRow): string {
  const key = metricKey(metric, scope, merge);
  return crossing === null ? key : crossingKey(key);
}

/**
 * Whether value, numerator and n are what the merges of the scope give.
 * @returns whether all of these merges are known; otherwise the numbers must at least agree with each other.
 */
function judgeNumbers(row: MetricRow, scope: ScopeMemory, report: Report): boolean {
  const { metric, n, window, value, numerator } = row;
  const known = Math.min(scope.merges, window);
  // Where merges are missing the writer may have known more of them, never fewer, and never more than there were.
  const most = scope.placed ? Math.min(window, scope.seq) : window;
  const due = scope.complete ? known : Math.min(Math.max(n, known), most);
  const reading = scope.readingUnder(metric, window, row.verdicts, due);
  if (reading !== null) {
    if (n !== due || value !== valueOf(reading) || numerator !== reading.numerator)
      report("number", row, numbers(row), numbers({ ...reading, value: valueOf(reading) }));
    return true;
  }
  const sound =
    n === due &&
    (value !== null) === (n === window) &&
    (isRatio(metric)
      ? numerator !== null && (value === null || value === numerator / n)
      : numerator === null);
  if (!sound) report("number", row, numbers(row), `numbers that agree with each other, n=${due}/${window}`);
  return false;
}

/** Whether the gate, the effective reading and the crossing are what this merge decides. The row is believed from there on. */
function judgeGate(row: MetricRow, crossed: MetricRow | null, set: JudgedSet, report: Report): void {
  const scope = scopeOf(row, set);
  const remembered = scope.gate(row.metric);
  const crossing = crossed?.crossing ?? null;
  // If the older rows of a scope are missing, nothing contradicts its first row.
  const before = remembered === NO_MEMORY && !scope.complete ? believed(row, crossing) : remembered;
  const global = row.scope === "global" ? undefined : globalBeside(row, set.rows);
  const { change } = decide(
    termsOf(row, crossing),
    row.merge,
    { scope: row.scope, seq: row.seq, reading: readingOf(row), gate: before },
    global === undefined ? null : { reading: readingOf(global), state: global.state ?? "unknown" },
  );
  const { state, crossing: due } = change;
  if (crossing === null || crossed === null) {
    const but = set.incomplete ? ", or the crossing that is missing" : ": there is no crossing";
    if (row.state !== state) report("state", row, stateText(row.state), stateText(state) + but);
  } else {
    const { from, to, previous } = crossing;
    if (due === null || due.from !== from || state !== to) {
      const expected =
        due === null
          ? `no crossing: ${before.state} at ${row.value} stays ${stateText(state)}`
          : `from ${due.from} to ${stateText(state)} at ${row.value}`;
      report("crossing", crossed, `from ${from} to ${to} at ${row.value}`, expected);
    } else if ((scope.complete || due.previous !== null) && !sameCrossing(previous, due.previous))
      report("crossing", crossed, crossingText(previous), crossingText(due.previous));
    if (row.state !== to) report("state", row, stateText(row.state), to);
  }
  const isEffectiveKnown = row.scope === "global" || row.state === null || global !== undefined;
  if (isEffectiveKnown && !sameEffective(row.effective, change.effective))
    report("effective", row, effectiveText(row.effective), effectiveText(change.effective));
  const { eventId: event_id, mergedAt: since } = row.merge;
  scope.setGate(row.metric, {
    state: row.state ?? "unknown",
    defined: row.value !== null,
    crossed: crossing === null ? before.crossed : { since, event_id },
  });
}

/** What a row was decided under. Without a crossing its bounds are not recorded: none of them was reached. */
function termsOf({ metric, verdicts, state }: MetricRow, crossing: MetricRow["crossing"]): Terms {
  if (crossing === null) return { name: metric, verdicts, gate: state === null ? null : UNREACHED };
  const { gate: name, upper, lower } = crossing;
  return { name: metric, verdicts, gate: { name, upper, lower } };
}

const UNREACHED = { name: "", upper: Number.POSITIVE_INFINITY, lower: Number.NEGATIVE_INFINITY };

/** The gate before a row, according to the row alone. */
function believed({ state, value }: MetricRow, crossing: MetricRow["crossing"]): GateMemory {
  return {
    state: crossing?.from ?? state ?? "unknown",
    defined: value !== null,
    crossed: crossing?.previous ?? null,
  };
}

/** The row of a crossing repeats the row before it, and says which way the gate went. */
function judgeCopy(
  row: MetricRow,
  crossing: NonNullable<MetricRow["crossing"]>,
  before: MetricRow | undefined,
  report: Report,
): void {
  const isCopy = before?.crossing === null && sameReading(before, row);
  if (!isCopy) {
    const recorded = `${numbers(row)}, ${stateText(row.state)}`;
    report("crossing", row, recorded, "a copy of the row just before it, which crossed");
  }
  const way = direction(crossing.to);
  if (crossing.direction !== way)
    report("crossing", row, `direction ${crossing.direction}`, `direction ${way}`);
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

function sameCrossing(a: GateMemory["crossed"], b: GateMemory["crossed"]): boolean {
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
function numbers(says: Pick<MetricRow, "value" | "numerator" | "n" | "window">): string {
  const { value, numerator, n, window } = says;
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
  return `previous: ${crossing === null ? "none" : `event ${crossing.event_id}, ${crossing.since}`}`;
}
