/**
 * Verification of the journal: every row is held against the facts that the rows before it recorded. `Replay` asks
 * whether a log may be built upon and stops at the first contradiction; this walk goes on to the end and tells them all.
 *
 * A row is judged by the window, the verdicts and, at a crossing, the bounds that it carries itself, so that a changed
 * configuration is no difference. After a gap the windows reach over something unknown: what stands on it is counted
 * as not judged until they are full again, so that one missing merge is one difference and not a hundred.
 */
import { CATALOGUE } from "./catalogue.ts";
import type { Difference, DifferenceKind, Differences } from "./difference.ts";
import { direction, nextState } from "./gate.ts";
import {
  type JournalRow,
  type MetricRow,
  parseJournalRow,
  type RawJournalRow,
  type SkippedRow,
  UnfitLog,
} from "./journal-row.ts";
import { asObject, type Json, parseObject } from "./json.ts";
import { hash32, KeyTable } from "./key-table.ts";
import { type Facts, mergeIdentity } from "./merge.ts";
import { METRIC_NAMES, type MetricSettings } from "./metric.ts";
import { valueOf } from "./reading.ts";
import { sameReading } from "./replay.ts";
import { type Effective, effective, type ScopeKind } from "./scope.ts";
import { NO_MEMORY } from "./scope-state.ts";
import { Verdicts, VerifiedScope } from "./verified-scope.ts";

/** A row of the journal with the column that says which work item it is about. */
export type AuditRow = RawJournalRow & { readonly workItemId: string | null };

type Parsed = MetricRow & {
  readonly column: string | null;
  /** What is not in the parsed row is read from here when it is asked for. */
  readonly text: string;
};

export type Counts = {
  /** Rows of kind `metric.*`. */
  rows: number;
  /** Merges of which rows were found. */
  merges: number;
  metric_rows: number;
  crossings: number;
  skipped: number;
  checkpoints: number;
  /** Rows without our marker. */
  foreign: number;
  /** Values whose merges are not all there any more, so that nothing can be said of them. */
  not_judged: number;
  /** Rows whose state today's bounds would not give: written under other bounds. */
  other_bounds: number;
};

/** The value that stands for a skipped merge in `recorded`. */
export const SKIPPED = 0;

export class Verifier {
  readonly counts: Counts = {
    rows: 0,
    merges: 0,
    metric_rows: 0,
    crossings: 0,
    skipped: 0,
    checkpoints: 0,
    foreign: 0,
    not_judged: 0,
    other_bounds: 0,
  };
  /** Events that are recorded, each with `factsHash` of what was recorded, or SKIPPED. */
  readonly recorded = new KeyTable();
  /** Work items that are recorded, see `mergeIdentity`. */
  readonly identities = new KeyTable();
  readonly verdicts = new Verdicts();
  readonly global = new VerifiedScope(this.verdicts, true);
  readonly projects = new Map<string, VerifiedScope>();
  /** Whether rows went from the old end. */
  truncated = false;
  newest: { readonly eventId: string; readonly workItemId: string; readonly mergedAt: string | null } | null =
    null;
  /** The newest row that records a merge or a skip. */
  newestRowId: string | null = null;
  smallestEventId: bigint | null = null;
  largestEventId: bigint | null = null;
  readonly #differences: Differences;
  readonly #metrics: readonly MetricSettings[];
  readonly #keys = new KeyTable();
  #set: Parsed[] = [];
  /** Rows of the open set that could not be read. */
  #unreadable = 0;
  #composition: readonly string[] = [];
  #begun = false;

  /** @param metrics today's, for what is told but is no difference. */
  constructor(metrics: readonly MetricSettings[], differences: Differences) {
    this.#metrics = metrics;
    this.#differences = differences;
  }

  /** A row of kind `metric.*`, in the order of their ids. */
  accept(raw: AuditRow): void {
    this.counts.rows += 1;
    const row = this.#parse(raw);
    if (row === null) return;
    if (row.type === "metric") {
      const open = this.#set[0];
      if (
        open !== undefined &&
        (open.merge.eventId !== row.merge.eventId || open.merge.workItemId !== row.merge.workItemId)
      )
        this.#close();
      this.#set.push({ ...row, column: raw.workItemId, text: raw.payload ?? "" });
      return;
    }
    if (row.type === "foreign") {
      this.counts.foreign += 1;
      return;
    }
    this.#close();
    if (row.type === "checkpoint") this.counts.checkpoints += 1;
    if (row.type === "skipped") this.#skip(row, raw.workItemId);
    if (row.type === "other" && !this.#keys.add(row.key)) this.#keyRepeated(row.id, row.key);
  }

  end(): void {
    this.#close();
  }

  #parse(raw: AuditRow): JournalRow | null {
    try {
      return parseJournalRow(raw);
    } catch (error) {
      if (!(error instanceof UnfitLog)) throw error;
      const event = eventOf(raw);
      const open = this.#set[0]?.merge.eventId;
      if (event !== null && open !== undefined && event !== open) this.#close();
      if (error.reason === "contradiction") this.#unreadable += 1;
      this.#differences.add({
        kind: error.reason === "newer_schema" ? "newer_schema" : "unreadable",
        row_id: raw.id,
        event_id: event,
        recorded: `${raw.kind}, ${(raw.payload ?? "nothing").slice(0, 200)}`,
        expected: error.reason === "newer_schema" ? "schema_version 1" : "all fields of its kind",
      });
      return null;
    }
  }

  #skip(row: SkippedRow, column: string | null): void {
    this.counts.skipped += 1;
    this.newestRowId = row.id;
    const place = { row_id: row.id, event_id: row.eventId };
    const promised = `merge_skipped|${row.eventId}`;
    if (row.key !== promised)
      this.#differences.add({ ...place, kind: "key", recorded: row.key, expected: promised });
    if (column !== row.workItemId) this.#wrongItem(place, column, row.workItemId);
    this.#seen(row.eventId);
    const known = this.identities.has(mergeIdentity(row)) || this.recorded.has(row.eventId);
    if (known)
      this.#differences.add({
        ...place,
        kind: "merge_repeated",
        recorded: `${identityText(row)} is skipped`,
        expected: "nothing: it is recorded before",
      });
    this.identities.add(mergeIdentity(row));
    this.recorded.add(row.eventId, SKIPPED);
  }

  #close(): void {
    const set = this.#set;
    const unreadable = this.#unreadable;
    const [first] = set;
    if (first === undefined) return;
    this.#set = [];
    this.#unreadable = 0;
    this.counts.merges += 1;
    this.newestRowId = set.at(-1)?.id ?? this.newestRowId;
    this.#seen(first.merge.eventId);
    const { repeated, merge } = this.#recordOnce(set);
    const size = usual(set.map((row) => row.setSize));
    const anchors = set.filter((row) => row.scope === "global");
    const seq = anchors.length === 0 ? null : usual(anchors.map((row) => row.seq));
    if (!this.#begun && this.#begin(set.length + unreadable < size, seq)) return;
    const missing = size - set.length - unreadable;
    if (missing > 0) this.#incomplete(first, set, size);
    if (repeated && (seq === null || this.global.seq === null || seq <= this.global.seq)) {
      // A copy: whatever it says, the rows after it do not stand on it.
      this.#countRows(set);
      return;
    }
    this.newest = { eventId: merge.eventId, workItemId: merge.workItemId, mergedAt: merge.mergedAt };
    this.#follow(this.global, first, seq, "global");
    const project = this.#project(merge.project);
    const own = set.filter((row) => row.scope === "project");
    this.#follow(project, first, own.length === 0 ? null : usual(own.map((row) => row.seq)), "project");
    this.global.push(merge);
    project.push(merge);
    this.#rows(set, merge, size, missing > 0, project);
    if (missing === 0 && unreadable === 0)
      this.#composition = set.filter((row) => row.crossing === null).map(lineOf);
  }

  /** The first set: rows may have gone before it. @returns whether it is itself cut, and passed over. */
  #begin(cut: boolean, seq: number | null): boolean {
    if (cut || seq !== 1) {
      this.truncated = true;
      this.global.forget();
      this.global.seq = seq === null ? null : cut ? seq : seq - 1;
    }
    if (!cut || seq !== null) this.#begun = true;
    return cut;
  }

  #recordOnce(set: readonly Parsed[]): { readonly repeated: boolean; readonly merge: Parsed["merge"] } {
    const { merge, id, seq } = usualFacts(set);
    const identity = mergeIdentity(merge);
    const repeated = this.recorded.has(merge.eventId) || this.identities.has(identity);
    this.identities.add(identity);
    this.recorded.add(merge.eventId, factsHash(merge));
    if (repeated)
      this.#differences.add({
        kind: "merge_repeated",
        row_id: id,
        event_id: merge.eventId,
        seq,
        recorded: `${identityText(merge)} under event ${merge.eventId}`,
        expected: "nothing: it is recorded before",
      });
    return { repeated, merge };
  }

  /** Where a scope goes on: with the next seq, or across a gap. */
  #follow(scope: VerifiedScope, first: Parsed, seq: number | null, kind: ScopeKind): void {
    if (seq === null) {
      if (scope.seq !== null) scope.seq += 1;
      return;
    }
    const expected = scope.seq === null ? null : scope.seq + 1;
    scope.seq = seq;
    if (expected === null) {
      if (seq === 1) scope.complete = true;
      return;
    }
    if (seq === expected) return;
    const gap = seq > expected;
    this.#differences.add({
      kind: gap ? "seq_gap" : "seq_repeated",
      row_id: first.id,
      event_id: first.merge.eventId,
      scope: kind,
      project: kind === "global" ? null : first.merge.project,
      seq,
      recorded: `seq ${seq}`,
      expected: `seq ${expected}`,
    });
    if (gap) scope.forget();
  }

  #project(name: string): VerifiedScope {
    let scope = this.projects.get(name);
    if (scope === undefined) {
      scope = new VerifiedScope(this.verdicts, !this.truncated);
      this.projects.set(name, scope);
    }
    return scope;
  }

  #incomplete(first: Parsed, set: readonly Parsed[], size: number): void {
    const present = new Set(set.map(lineOf));
    const absent = this.#composition.filter((line) => !present.has(line));
    this.#differences.add({
      kind: "set_incomplete",
      event_id: first.merge.eventId,
      row_id: first.id,
      seq: first.scope === "global" ? first.seq : null,
      recorded: `${set.length} of ${size} rows`,
      expected: absent.length === 0 ? `${size} rows, crossings included` : `also ${absent.join(", ")}`,
    });
  }

  #countRows(set: readonly Parsed[]): void {
    for (const row of set) {
      if (row.crossing === null) this.counts.metric_rows += 1;
      else this.counts.crossings += 1;
    }
  }

  #rows(
    set: readonly Parsed[],
    merge: Parsed["merge"],
    size: number,
    incomplete: boolean,
    project: VerifiedScope,
  ): void {
    this.#countRows(set);
    const seen = new Set<string>();
    let place = -1;
    set.forEach((row, index) => {
      const scope = row.scope === "global" ? this.global : project;
      const line = `${lineOf(row)}${row.crossing === null ? "" : ", crossing"}`;
      if (seen.has(line)) {
        this.#tell("set_surplus", row, `a second row for ${line}`, "one");
        return;
      }
      seen.add(line);
      const due = placeOf(row);
      if (due < place)
        this.#tell(
          "set_order",
          row,
          `it comes after ${lineOf(set[index - 1] as Parsed)}`,
          "the order of the metrics, global rows first",
        );
      place = Math.max(place, due);
      if (row.key !== promisedKey(row)) {
        const taken = !this.#keys.add(row.key);
        this.#tell("key", row, row.key, promisedKey(row));
        if (taken) this.#keyRepeated(row.id, row.key);
      }
      if (row.column !== row.merge.workItemId) this.#wrongItem(about(row), row.column, row.merge.workItemId);
      if (!sameFacts(row.merge, merge)) this.#tell("facts", row, factsText(row.merge), factsText(merge));
      if (row.setSize !== size)
        this.#tell("facts", row, `set_size ${row.setSize}`, `set_size ${size}, as beside it`);
      if (scope.seq !== null && row.seq !== scope.seq)
        this.#tell("seq", row, `seq ${row.seq}`, `seq ${scope.seq}`);
      if (row.crossing === null) {
        this.#number(row, scope);
        this.#effective(row, set);
        const next = set[index + 1];
        this.#gate(
          row,
          scope,
          next?.crossing != null && lineOf(next) === lineOf(row) ? next : null,
          set,
          incomplete,
        );
      } else {
        this.#crossingRow(row, set[index - 1]);
      }
    });
    if (set.length > size)
      this.#tell("set_surplus", set[0] as Parsed, `${set.length} rows`, `${size}, as its rows say`);
  }

  #number(row: MetricRow, scope: VerifiedScope): void {
    const { n, window, value, numerator } = row;
    const ratio = CATALOGUE[row.metric].measures === "ratio";
    const known = Math.min(scope.length, window);
    // Where merges are missing the writer may have known more of them, never fewer.
    const due = scope.complete ? known : Math.min(Math.max(n, known), window, scope.seq ?? window);
    if (due > scope.length) {
      this.counts.not_judged += 1;
      const sound =
        n === due &&
        (value !== null) === (n === window) &&
        (ratio ? numerator !== null && (value === null || value === numerator / n) : numerator === null);
      if (!sound)
        this.#tell("number", row, numbers(row), `numbers that agree with each other, n=${due}/${window}`);
      return;
    }
    const reading = scope.reading(row.metric, window, due, row.verdicts);
    if (n !== due || value !== valueOf(reading) || numerator !== reading.numerator)
      this.#tell("number", row, numbers(row), numbers({ ...reading, value: valueOf(reading) }));
  }

  #effective(row: Parsed, set: readonly Parsed[]): void {
    // Most rows have none: that is seen without reading them again.
    const recorded = row.text.includes('"effective"') ? payloadOf(row)["effective"] : undefined;
    if (row.scope === "global" || row.state === null) {
      if (recorded !== undefined) this.#tell("effective", row, JSON.stringify(recorded), "none");
      return;
    }
    const global = set.find(
      (one) => one.scope === "global" && one.metric === row.metric && one.crossing === null,
    );
    if (global === undefined) return;
    const due = effective(
      { reading: readingOf(row), state: row.state },
      { reading: readingOf(global), state: global.state ?? "unknown" },
    );
    if (!sameEffective(recorded, due))
      this.#tell("effective", row, effectiveText(recorded), effectiveText(due));
  }

  /** Whether the gate could have come where the row says it stands; it is believed from there on. */
  #gate(
    row: Parsed,
    scope: VerifiedScope,
    crossed: Parsed | null,
    set: readonly Parsed[],
    incomplete: boolean,
  ): void {
    const memory = scope.gates.get(row.metric);
    const before = memory ?? NO_MEMORY;
    // The first row after a gap stands for itself.
    const inherited = memory === undefined && !scope.complete;
    const state = row.state ?? "unknown";
    const crossing = crossed?.crossing ?? null;
    if (crossed !== null && crossing !== null) {
      const due = row.value === null ? "unknown" : nextState(crossing, crossing.from, row.value);
      const follows = inherited || crossing.from === before.state;
      if (!follows || crossing.from === crossing.to || crossing.to !== due || due === "unknown") {
        this.#tell(
          "crossing",
          crossed,
          `from ${crossing.from} to ${crossing.to} at ${row.value}`,
          due === before.state && !inherited
            ? `no crossing: ${before.state} at ${row.value} stays ${due}`
            : `from ${inherited ? crossing.from : before.state} to ${due} at ${row.value}`,
        );
      }
      if (state !== crossing.to) this.#tell("state", row, state, crossing.to);
      if (!inherited && (scope.complete || before.crossed !== null)) this.#previous(crossed, before.crossed);
    } else if (row.state !== null && !inherited) {
      const global = set.find(
        (one) => one.scope === "global" && one.metric === row.metric && one.crossing === null,
      );
      const joins =
        row.scope === "project" && before.state === "unknown" && !before.defined && row.value !== null;
      const due = joins && global !== undefined ? (global.state ?? "unknown") : before.state;
      if (state !== due)
        this.#tell(
          "state",
          row,
          state,
          incomplete ? `${due}, or the crossing that is missing` : `${due}: there is no crossing`,
        );
    }
    this.#compareWithToday(row);
    scope.gates.set(row.metric, {
      state,
      defined: row.value !== null,
      crossed: crossing === null ? before.crossed : { eventId: row.merge.eventId, since: row.merge.mergedAt },
    });
  }

  #previous(row: Parsed, due: { readonly eventId: string; readonly since: string | null } | null): void {
    const { previous } = row.crossing ?? {};
    if (previous?.eventId === due?.eventId && previous?.since === due?.since) return;
    const text = (one: typeof due | undefined) =>
      one == null ? "none" : `event ${one.eventId}, ${one.since}`;
    this.#tell("crossing", row, `previous: ${text(previous)}`, `previous: ${text(due)}`);
  }

  #crossingRow(row: Parsed, before: Parsed | undefined): void {
    if (
      before === undefined ||
      before.crossing !== null ||
      !sameReading(before, row) ||
      !isDeepStrictJson(payloadOf(before)["effective"], payloadOf(row)["effective"])
    ) {
      this.#tell(
        "crossing",
        row,
        `${numbers(row)}, ${row.state}`,
        "a copy of the row just before it, which crossed",
      );
    }
    const { direction: way, gate } = payloadOf(row);
    const to = row.crossing?.to ?? "unknown";
    if (way !== direction(to))
      this.#tell(
        "crossing",
        row,
        `direction ${JSON.stringify(way)}`,
        `direction ${JSON.stringify(direction(to))}`,
      );
    if (typeof gate !== "string" || gate === "")
      this.#tell("crossing", row, `gate ${JSON.stringify(gate)}`, "the gate's name");
  }

  #compareWithToday(row: MetricRow): void {
    const gate = this.#metrics.find(({ name }) => name === row.metric)?.gate ?? null;
    if (gate === null || row.state === null || row.value === null) return;
    if (nextState(gate, row.state, row.value) !== row.state) this.counts.other_bounds += 1;
  }

  #wrongItem(row: Partial<Difference>, column: string | null, due: string | null): void {
    this.#differences.add({
      ...row,
      kind: "work_item",
      recorded: `work_item_id ${column ?? "null"}`,
      expected: `work_item_id ${due ?? "null"}`,
    });
  }

  #keyRepeated(rowId: string, key: string): void {
    this.#differences.add({
      kind: "key_repeated",
      row_id: rowId,
      recorded: key,
      expected: "a key of its own",
    });
  }

  #seen(eventId: string): void {
    const id = BigInt(eventId);
    if (this.smallestEventId === null || id < this.smallestEventId) this.smallestEventId = id;
    if (this.largestEventId === null || id > this.largestEventId) this.largestEventId = id;
  }

  #tell(kind: DifferenceKind, row: MetricRow, recorded: string, expected: string): void {
    this.#differences.add({ ...about(row), kind, recorded, expected });
  }
}

function about(
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

/** What is compared with today's work items, as 32 bits other than SKIPPED. */
export function factsHash(facts: Facts & { readonly mergedAt: string | null }): number {
  return hash32(JSON.stringify([facts.project, facts.attempts, facts.lastVerdict, facts.mergedAt])) | 1;
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
function usualFacts(set: readonly Parsed[]): Parsed {
  const first = set[0] as Parsed;
  if (set.every((row) => sameFacts(row.merge, first.merge))) return first;
  const texts = set.map((row) => factsText(row.merge));
  return set[texts.indexOf(usual(texts))] as Parsed;
}

function payloadOf(row: Parsed): Json {
  return parseObject(row.text) ?? {};
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

function identityText({
  eventId,
  workItemId,
}: {
  readonly eventId: string;
  readonly workItemId: string | null;
}): string {
  return workItemId === null ? `event ${eventId}` : `work item ${workItemId}`;
}

function lineOf({ metric, scope }: MetricRow): string {
  return `${metric} (${scope})`;
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

function numbers({
  value,
  numerator,
  n,
  window,
}: Pick<MetricRow, "value" | "numerator" | "n" | "window">): string {
  const counted = numerator === null ? "" : `, numerator ${numerator}`;
  return `value ${value ?? "undefined"}${counted}, n=${n}/${window}`;
}

/** A recorded row as the reading that it states. */
function readingOf({ value, numerator, n, window }: MetricRow): Parameters<typeof effective>[0]["reading"] {
  return value === null
    ? { defined: false, numerator, n, window, needed: Math.max(0, window - n) }
    : { defined: true, value, numerator, n, window };
}

function sameEffective(recorded: unknown, due: Effective): boolean {
  const row = asObject(recorded);
  return (
    row !== null && row["scope"] === due.scope && row["value"] === due.value && row["state"] === due.state
  );
}

function effectiveText(stated: unknown): string {
  const row = asObject(stated);
  if (row === null) return "none";
  const { scope, value, state } = row;
  return `${JSON.stringify(scope)}: value ${JSON.stringify(value)}, ${JSON.stringify(state)}`;
}

/** JSON values that were written by the same code, so that their keys stand in the same order. */
function isDeepStrictJson(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function eventOf(raw: RawJournalRow): string | null {
  const event = asObject(parseObject(raw.payload)?.["merge"])?.["event_id"];
  return typeof event === "string" ? event : null;
}

/** What most of them are; the first of equals. */
function usual<T>(values: readonly T[]): T {
  const [first] = values as [T, ...T[]];
  if (values.every((value) => value === first)) return first;
  const counts = new Map<T, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].reduce((best, one) => (one[1] > best[1] ? one : best))[0];
}
