/**
 * The judge: looks at nothing but the simulated log and what daemons say, and knows the contract by itself. It shares
 * no code with what it judges; numbers are counted by the naive oracle of the core's tests.
 */
import { isDeepStrictEqual } from "node:util";
import type { Analyzer } from "../../src/core/analyzer.ts";
import type { Merge, RawFacts } from "../../src/core/merge.ts";
import type { MetricSettings } from "../../src/core/metric.ts";
import type { DaemonEvent } from "../../src/daemon-event.ts";
import { naiveFigure, naiveSets } from "../core/naive.ts";
import { mergedAt } from "./connection.ts";
import type { Kind } from "./scenario.ts";
import {
  isCheckpoint,
  isMerge,
  isRecord,
  type JournalPayload,
  payloadOf,
  type Row,
  type Server,
  type State,
} from "./server.ts";

export const PRODUCER = "damascus-metrics/simulated";

/** The contract's metrics with windows so small that a schedule of a few merges fills them and crosses both bounds. */
export const SETTINGS: readonly MetricSettings[] = [
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

/** The log never contradicts itself, and nobody else writes to the journal. */
const NEVER: readonly DaemonEvent["event"][] = ["db.unfit", "journal.unmarked_rows_ignored"];
const ONLY_WHEN_ROWS_GO: readonly DaemonEvent["event"][] = ["history.reset", "history.truncated"];

export class Violation extends Error {}

type Told = {
  readonly name: string;
  readonly daemon: { readonly analyzer: Analyzer | null; readonly due: number };
};

/** The rows of one merge, in the order of their ids. */
type RecordedSet = { readonly rows: Row[]; readonly merge: Merge };

export class Judge {
  readonly #server: Server;
  readonly #kind: Kind["name"];
  /** What was ever committed, by whom it may be told. */
  readonly #committed = new Set<string>();
  #judged: State | null = null;

  constructor(server: Server, kind: Kind["name"]) {
    this.#server = server;
    this.#kind = kind;
  }

  /** Rows of ours became visible. */
  committed(rows: readonly Row[]): void {
    for (const row of rows) {
      const { merge, seq } = payloadOf(row);
      this.#committed.add(
        `${merge.event_id}|${row.kind === "metric.merge_skipped" ? "skipped" : String(seq)}`,
      );
    }
  }

  /** What a daemon says must be so. */
  told(event: DaemonEvent): void {
    if (event.event === "merge.recorded") this.#toldTruth(event.event_id, event.seq);
    if (event.event === "merge.skipped") this.#toldTruth(event.event_id, "skipped");
    if (NEVER.includes(event.event)) throw new Violation(`must not happen: ${JSON.stringify(event)}`);
    if (ONLY_WHEN_ROWS_GO.includes(event.event) && this.#kind !== "shrinking")
      throw new Violation(`nothing went from this log: ${JSON.stringify(event)}`);
  }

  #toldTruth(eventId: string, what: number | "skipped"): void {
    if (!this.#committed.has(`${eventId}|${what}`))
      throw new Violation(`told of merge ${eventId} as ${what}, but nothing like that was committed`);
  }

  /** What is recorded is right and recorded once, complete or not. */
  judgeLog(): void {
    const { state } = this.#server;
    if (state === this.#judged) return;
    this.#judged = state;
    const journal = state.rows.filter(isRecord);
    const keys = new Set<string>();
    const recorded = new Map<string, string>();
    for (const row of journal) {
      const { key, merge } = payloadOf(row);
      if (keys.has(key)) throw new Violation(`key ${key} twice, again in row ${row.id}`);
      keys.add(key);
      judgeFacts(state, row, payloadOf(row));
      // Of a set cut at the old end, a crossing alone says nothing of its merge any more.
      if (row.kind === "metric.threshold_crossed") continue;
      const identity = merge.work_item_id ?? `event ${merge.event_id}`;
      const before = recorded.get(identity);
      if (before !== undefined && before !== merge.event_id)
        throw new Violation(`${identity} recorded under ${before} and ${merge.event_id}`);
      recorded.set(identity, merge.event_id);
    }
    const skipped = journal
      .filter((row) => row.kind === "metric.merge_skipped")
      .map((row) => payloadOf(row).merge.event_id);
    for (const row of journal) {
      if (row.kind !== "metric.merge_skipped" && skipped.includes(payloadOf(row).merge.event_id))
        throw new Violation(`row ${row.id}: its merge is skipped as well`);
    }
    if (this.#kind === "exact") for (const row of state.rows.filter(isCheckpoint)) judgeLowMark(state, row);
    if (state.gone.length === 0) judgeWhole(journal);
    else judgePruned(state);
  }

  /** Why not everything is as it must be in the end; null when it is. */
  notYetConverged(daemons: readonly Told[]): string | null {
    const { state } = this.#server;
    const journal = state.rows.filter(isRecord);
    for (const merge of state.rows) {
      if (!isMerge(merge) || merge.id <= state.floor) continue;
      if (!journal.some((row) => records(row, merge)))
        return `merge ${merge.id} of ${merge.item} is not recorded`;
    }
    for (const { name, daemon } of daemons) {
      if (daemon.analyzer === null) return `${name} knows nothing`;
      if (daemon.due > 0) return `${name} has ${daemon.due} due`;
      const difference =
        state.gone.length === 0 ? differences(daemon.analyzer, journal) : staleness(daemon.analyzer, journal);
      if (difference !== null) return `${name}: ${difference}`;
    }
    return null;
  }
}

/** A checkpoint says that no merge up to its low mark is left to record. */
function judgeLowMark(state: State, checkpoint: Row): void {
  const low = Number(payloadOf(checkpoint)["low_mark"]);
  const recorded = state.rows.filter(isRecord);
  for (const merge of state.rows) {
    if (isMerge(merge) && merge.id <= low && !recorded.some((row) => records(row, merge)))
      throw new Violation(
        `merge ${merge.id} is not recorded, though checkpoint ${checkpoint.id} has the low mark ${low}`,
      );
  }
}

function records(row: Row, merge: Row): boolean {
  if (row.kind === "metric.threshold_crossed") return false;
  return merge.item === null ? payloadOf(row).merge.event_id === String(merge.id) : row.item === merge.item;
}

function judgeFacts(state: State, row: Row, { merge, reason }: JournalPayload): void {
  const known = (one: Row): boolean =>
    isMerge(one) && String(one.id) === merge.event_id && one.item === merge.work_item_id;
  if (!state.rows.some(known) && !state.gone.some(known))
    throw new Violation(`row ${row.id} records a merge ${merge.event_id} that there is not`);
  if (row.item !== merge.work_item_id) throw new Violation(`row ${row.id} is filed under ${row.item}`);
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

function mergeOf(row: Row): Merge {
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
function setsOf(journal: readonly Row[]): RecordedSet[] {
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
function judgeWhole(journal: readonly Row[]): void {
  const sets = setsOf(journal);
  const expected = naiveSets(
    sets.map(({ merge }) => merge),
    SETTINGS,
    PRODUCER,
  );
  sets.forEach(({ rows, merge }, index) => {
    const wanted = expected[index] ?? [];
    const got = rows.map((row) => ({ kind: row.kind, workItemId: row.item, payload: payloadOf(row) }));
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
function judgePruned(state: State): void {
  const survives = new Set(state.rows);
  const sets = setsOf([...state.gone, ...state.rows].filter(isRecord).toSorted((a, b) => a.id - b.id));
  const ever = new Map<string, Merge[]>();
  const surviving = new Map<string, number>();
  const seqs = new Map<string, number>();
  const states = new Map<string, unknown>();
  for (const { rows, merge } of sets) {
    const scopes = ["global", `project ${merge.project}`];
    for (const scope of scopes) ever.set(scope, [...(ever.get(scope) ?? []), merge]);
    const whole = rows.every((row) => survives.has(row));
    if (whole) for (const scope of scopes) surviving.set(scope, (surviving.get(scope) ?? 0) + 1);
    for (const row of rows) {
      const payload = payloadOf(row);
      const scope = payload["scope"] === "global" ? "global" : `project ${merge.project}`;
      const settings = SETTINGS.find((one) => one.name === payload["metric"]);
      if (settings === undefined) throw new Violation(`row ${row.id} is of no metric`);
      const fail = (what: string): never => {
        throw new Violation(`row ${row.id}: ${what}: ${JSON.stringify(payload)}`);
      };
      const n = payload["n"] as number;
      const known = ever.get(scope) ?? [];
      const least = Math.min(settings.window, surviving.get(scope) ?? 0);
      if (n < least || n > Math.min(settings.window, known.length))
        fail(`n is not between ${least} and ${known.length}`);
      const figure = naiveFigure(settings.name, settings.window, settings.verdicts ?? [], known.slice(-n));
      if (payload["value"] !== figure.value || payload["numerator"] !== figure.numerator)
        fail(`its facts give ${JSON.stringify(figure)}`);
      const series = `${settings.name} ${scope}`;
      if (settings.gate !== null && figure.value !== null) {
        const { upper, lower } = settings.gate;
        const forced = figure.value >= upper ? "high" : figure.value < lower ? "low" : null;
        const allowed =
          forced === null ? [states.get(series), "unknown", states.get(`${settings.name} global`)] : [forced];
        if (!allowed.includes(payload["state"])) fail(`its state should be ${allowed.join(" or ")}`);
        states.set(series, payload["state"]);
      }
      if (!whole || row.kind === "metric.threshold_crossed") continue;
      const seq = payload["seq"] as number;
      const before = seqs.get(series);
      if (before !== undefined && seq !== before + 1) fail(`seq follows ${before}`);
      seqs.set(series, seq);
    }
  }
}

/** What in a memory differs from the journal it should equal. */
function differences(analyzer: Analyzer, journal: readonly Row[]): string | null {
  const sets = setsOf(journal);
  const merges = sets.map(({ merge }) => merge);
  const projects = [...new Set(merges.map(({ project }) => project))];
  const skipped = journal.filter((row) => row.kind === "metric.merge_skipped").length;
  if (analyzer.skipped !== skipped) return `${analyzer.skipped} skipped instead of ${skipped}`;
  if ((analyzer.newest?.eventId ?? null) !== (merges.at(-1)?.eventId ?? null)) return "another newest merge";
  if (analyzer.truncated) return "truncated";
  for (const project of [null, ...projects]) {
    const scope = project === null ? analyzer.global : analyzer.projects.get(project);
    const mine = project === null ? merges : merges.filter((one) => one.project === project);
    if (scope?.seq !== mine.length) return `seq of ${project} is ${scope?.seq} instead of ${mine.length}`;
    for (const [index, { name, window, verdicts }] of SETTINGS.entries()) {
      const wanted = naiveFigure(name, window, verdicts ?? [], mine);
      const reading = scope.reading(index);
      const got = {
        n: reading.n,
        numerator: reading.numerator,
        value: reading.defined ? reading.value : null,
      };
      if (!isDeepStrictEqual(got, wanted))
        return `${name} of ${project} is ${JSON.stringify(got)} instead of ${JSON.stringify(wanted)}`;
      const ofSeries = journal.filter(
        (row) => payloadOf(row)["metric"] === name && payloadOf(row)["project"] === project,
      );
      const newest = ofSeries.at(-1);
      const state = (newest === undefined ? null : payloadOf(newest).state) ?? "unknown";
      const crossing = ofSeries.findLast((row) => row.kind === "metric.threshold_crossed");
      const gate = scope.gate(index);
      const crossedAt = crossing === undefined ? null : mergeOf(crossing).eventId;
      if (gate.state !== state || (gate.crossed?.eventId ?? null) !== crossedAt)
        return `gate of ${name} of ${project} is ${JSON.stringify(gate)} instead of ${state} since ${crossedAt}`;
    }
  }
  return null;
}

/**
 * In a log that was cut, a memory may know more merges than the log. It may also be behind: whoever has not yet seen a
 * merge that is gone has no reason to look for its record.
 */
function staleness(analyzer: Analyzer, journal: readonly Row[]): string | null {
  const newest = journal.findLast((row) => payloadOf(row)["scope"] === "global");
  const seq = newest === undefined ? 0 : Number(payloadOf(newest)["seq"]);
  return newest === undefined || analyzer.global.seq <= seq
    ? null
    : `seq is ${analyzer.global.seq}, in the log ${seq}`;
}
