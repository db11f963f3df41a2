/**
 * A checkpoint: everything that a fold of the journal up to some row leaves in memory, as one row of kind
 * `metric.checkpoint`. It only shortens the way: folding the whole journal stays the truth, and a checkpoint that does
 * not fit (other verdicts, larger windows than it reaches back, a newer schema) is passed over.
 *
 * Facts are kept oldest first as words `attempts[:flags][*times]`, where `flags` has a bit for each set of verdicts
 * that the merge's verdict is in. Most merges of a project are alike, so that 100 of them take some 150 bytes.
 */
import { Analyzer, type JournalNeeds } from "./analyzer.ts";
import type { VerdictSets } from "./catalogue.ts";
import { readCoverage, type StoredCoverage } from "./coverage.ts";
import { type GateState, isState } from "./gate.ts";
import { asObject, isCount, isCountOrZero, isId, isTextOrNull, type Json, parseObject } from "./json.ts";
import { MAX_ATTEMPTS } from "./merge.ts";
import type { MetricName, MetricSettings } from "./metric.ts";
import { CHECKPOINT_KIND, SCHEMA_VERSION, sameVerdicts } from "./metric-event.ts";
import { type GateMemory, NO_MEMORY, type ScopeState } from "./scope-state.ts";
import { attemptsIn, type Entry, FLAG_BITS, flagsIn, packEntry } from "./window.ts";

/** A row to append. `workItemId` is the newest merge's, for an outbox that takes no row without one. */
export type CheckpointRow = {
  readonly kind: typeof CHECKPOINT_KIND;
  readonly workItemId: string | null;
  readonly payload: CheckpointPayload;
};

/** Where in the log a checkpoint stands, and which merges were recorded when it was written. */
export type CheckpointPlace = StoredCoverage & {
  /** The newest row of the journal that is folded into it. */
  readonly row_id: string;
  /** The first row of the journal; null where rows were gone from its old end before that was known. */
  readonly journal_begins: string | null;
  /** Merges up to this id were taken as recorded, as rows were gone and no checkpoint was left; null where none were. */
  readonly floor: string | null;
};

export type CheckpointPayload = CheckpointPlace & {
  readonly schema_version: typeof SCHEMA_VERSION;
  readonly key: string;
  readonly seq: number;
  readonly skipped: number;
  readonly truncated: boolean;
  readonly newest: CheckpointNewest | null;
  /** Merges that each scope's facts reach back at most. */
  readonly capacity: number;
  readonly verdict_sets: VerdictSets;
  readonly global: CheckpointScope;
  readonly projects: readonly (CheckpointScope & { readonly project: string })[];
  readonly producer: string;
};

type CheckpointNewest = {
  readonly event_id: string;
  readonly work_item_id: string;
  readonly merged_at: string | null;
};

type CheckpointScope = {
  readonly seq: number;
  readonly facts: string;
  readonly gates: Readonly<Partial<Record<MetricName, CheckpointGate>>>;
};

type CheckpointGate = {
  readonly state: GateState;
  readonly defined: boolean;
  readonly crossed: { readonly event_id: string; readonly since: string | null } | null;
};

/** The row that stands for this memory. */
export function checkpointRow(analyzer: Analyzer, place: CheckpointPlace, producer: string): CheckpointRow {
  return {
    kind: CHECKPOINT_KIND,
    workItemId: analyzer.newest?.workItemId ?? null,
    payload: checkpointPayload(analyzer, place, producer),
  };
}

function checkpointPayload(analyzer: Analyzer, place: CheckpointPlace, producer: string): CheckpointPayload {
  return {
    schema_version: SCHEMA_VERSION,
    key: `checkpoint|${place.row_id}|${place.low_mark}`,
    seq: analyzer.global.seq,
    skipped: analyzer.skipped,
    truncated: analyzer.truncated,
    newest:
      analyzer.newest === null
        ? null
        : {
            event_id: analyzer.newest.eventId,
            work_item_id: analyzer.newest.workItemId,
            merged_at: analyzer.newest.mergedAt,
          },
    capacity: analyzer.capacity,
    verdict_sets: analyzer.verdictSets,
    ...place,
    global: writeScope(analyzer.global, analyzer.metrics),
    projects: [...analyzer.projects].map(([project, scope]) => ({
      project,
      ...writeScope(scope, analyzer.metrics),
    })),
    producer,
  };
}

/**
 * The memory that a checkpoint stands for.
 * @returns a reason in words where it does not serve these settings or is not whole.
 */
export function analyzerFrom(
  checkpoint: CheckpointPayload,
  metrics: readonly MetricSettings[],
  needs: JournalNeeds,
): Analyzer | string {
  const analyzer = new Analyzer(metrics, needs);
  const bits = analyzer.verdictSets.map((verdicts) =>
    checkpoint.verdict_sets.findIndex((known) => sameVerdicts(known, verdicts)),
  );
  if (bits.includes(-1)) return "it was made under other verdicts";
  for (const scope of [checkpoint.global, ...checkpoint.projects]) {
    const target = "project" in scope ? analyzer.project(String(scope.project)) : analyzer.global;
    const entries = readFactWords(scope.facts);
    if (entries === null) return "its facts cannot be read";
    if (entries.length >= checkpoint.capacity && checkpoint.capacity < analyzer.capacity)
      return `it reaches back ${checkpoint.capacity} merges, ${analyzer.capacity} are needed`;
    for (const entry of entries) target.push(packEntry(attemptsIn(entry), remap(flagsIn(entry), bits)));
    target.seq = scope.seq;
    metrics.forEach(({ name }, index) => {
      const gate = scope.gates[name];
      if (gate !== undefined) target.gates[index] = readGate(gate);
    });
  }
  analyzer.truncated = checkpoint.truncated;
  analyzer.skipped = checkpoint.skipped;
  analyzer.newest =
    checkpoint.newest === null
      ? null
      : {
          eventId: checkpoint.newest.event_id,
          workItemId: checkpoint.newest.work_item_id,
          mergedAt: checkpoint.newest.merged_at,
        };
  return analyzer;
}

/** The payload of a checkpoint row; a reason in words where it is not one of ours, not whole or a newer version's. */
export function parseCheckpoint(text: string | null): CheckpointPayload | string {
  const payload = parseObject(text);
  if (payload === null) return "its payload cannot be read";
  if (payload["schema_version"] !== SCHEMA_VERSION)
    return `it has schema_version ${String(payload["schema_version"])}, ${SCHEMA_VERSION} is known`;
  return isWhole(payload) ? payload : "it is not whole";
}

function isWhole(payload: Json): payload is CheckpointPayload {
  const { key, seq, skipped, truncated, newest, capacity, verdict_sets: sets, global, projects } = payload;
  return (
    typeof key === "string" &&
    isCount(seq) &&
    isCountOrZero(skipped) &&
    typeof truncated === "boolean" &&
    isNewest(newest) &&
    isCount(capacity) &&
    Array.isArray(sets) &&
    sets.every((set) => Array.isArray(set) && set.every((verdict) => typeof verdict === "string")) &&
    isId(payload["row_id"]) &&
    [payload["journal_begins"], payload["floor"]].every((id) => id === null || isId(id)) &&
    readCoverage(payload) !== null &&
    isScope(asObject(global)) &&
    Array.isArray(projects) &&
    projects.every((scope) => isScope(asObject(scope)) && typeof asObject(scope)?.["project"] === "string")
  );
}

function isNewest(value: unknown): value is CheckpointNewest | null {
  const newest = asObject(value);
  if (newest === null) return value === null;
  return (
    isId(newest["event_id"]) &&
    typeof newest["work_item_id"] === "string" &&
    isTextOrNull(newest["merged_at"])
  );
}

function isScope(scope: Json | null): boolean {
  const gates = asObject(scope?.["gates"]);
  return (
    isCountOrZero(scope?.["seq"]) &&
    typeof scope?.["facts"] === "string" &&
    gates !== null &&
    Object.values(gates).every((gate) => isGate(asObject(gate)))
  );
}

function isGate(gate: Json | null): boolean {
  if (gate === null || !isState(gate["state"]) || typeof gate["defined"] !== "boolean") return false;
  const crossed = asObject(gate["crossed"]);
  return crossed === null
    ? gate["crossed"] === null
    : isId(crossed["event_id"]) && isTextOrNull(crossed["since"]);
}

function writeScope(scope: ScopeState, metrics: readonly MetricSettings[]): CheckpointScope {
  const gates: Partial<Record<MetricName, CheckpointGate>> = {};
  metrics.forEach(({ name }, index) => {
    const gate = scope.gate(index);
    if (gate !== NO_MEMORY) gates[name] = writeGate(gate);
  });
  return { seq: scope.seq, facts: factWords(scope), gates };
}

function writeGate({ state, defined, crossed }: GateMemory): CheckpointGate {
  return {
    state,
    defined,
    crossed: crossed === null ? null : { event_id: crossed.eventId, since: crossed.since },
  };
}

function readGate({ state, defined, crossed }: CheckpointGate): GateMemory {
  return {
    state,
    defined,
    crossed: crossed === null ? null : { eventId: crossed.event_id, since: crossed.since },
  };
}

function factWords({ ring }: ScopeState): string {
  const words: string[] = [];
  let times = 0;
  for (let age = ring.length - 1; age >= 0; age -= 1) {
    const entry = ring.at(age);
    times += 1;
    if (age > 0 && ring.at(age - 1) === entry) continue;
    const flags = flagsIn(entry);
    words.push(`${attemptsIn(entry)}${flags === 0 ? "" : `:${flags}`}${times === 1 ? "" : `*${times}`}`);
    times = 0;
  }
  return words.join(" ");
}

const FACT_WORD = /^([1-9][0-9]{0,9})(?::([0-9]{1,3}))?(?:\*([1-9][0-9]{0,5}))?$/;

/** Oldest first; null where a word is none. */
export function readFactWords(text: string): Entry[] | null {
  const entries: Entry[] = [];
  for (const word of text === "" ? [] : text.split(" ")) {
    const match = FACT_WORD.exec(word);
    if (match === null || Number(match[1]) > MAX_ATTEMPTS || Number(match[2] ?? 0) >= 2 ** FLAG_BITS)
      return null;
    const entry = packEntry(Number(match[1]), Number(match[2] ?? 0));
    for (let times = Number(match[3] ?? 1); times > 0; times -= 1) entries.push(entry);
  }
  return entries;
}

/** Flags by the analyzer's sets of verdicts, from flags by the checkpoint's. */
function remap(flags: number, bits: readonly number[]): number {
  return bits.reduce((mapped, bit, index) => mapped | (((flags >> bit) & 1) << index), 0);
}
