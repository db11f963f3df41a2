/**
 * A checkpoint: the memory after some row of the journal, as one row of kind `metric.checkpoint`. It only saves time. Replaying the
 * whole journal stays the truth, and a checkpoint that does not fit (it reaches back less than today's windows, or has a newer schema)
 * is unusable.
 *
 * Facts are kept oldest first as words `attempts[:verdict][*times]`, where `verdict` is a place in the list of verdicts, the most
 * frequent one first and left out. Most merges of a project are alike, so that 100 of them take some 150 bytes. As every merge's own
 * verdict is kept, a checkpoint serves whatever verdicts are configured.
 */
import { Analyzer, type Newest } from "./analyzer.ts";
import { readCoverage, type StoredCoverage } from "./coverage.ts";
import { isState } from "./gate.ts";
import { isCrossing } from "./journal-row.ts";
import {
  asObject,
  isCount,
  isCountOrZero,
  isId,
  isText,
  isTextOrNull,
  listOf,
  orNull,
  parseObject,
  shape,
} from "./json.ts";
import { MAX_ATTEMPTS } from "./merge.ts";
import { isMetricName, METRIC_NAMES, type MetricName, type MetricSettings } from "./metric.ts";
import { CHECKPOINT_KIND, SCHEMA_VERSION } from "./metric-event.ts";
import { type GateMemory, NO_MEMORY, type ScopeMemory } from "./scope-memory.ts";
import { OTHER_VERDICT, VerdictNumbers } from "./verdict-numbers.ts";
import { attemptsIn, packEntry, type Run, verdictIn } from "./window.ts";

/** A row to append. `workItemId` is the newest merge's, for an outbox that takes no row without one. */
export type CheckpointRow = {
  readonly kind: typeof CHECKPOINT_KIND;
  readonly workItemId: string | null;
  readonly payload: CheckpointPayload;
};

/** A checkpoint's place in the log, and the merges that were recorded when it was written. */
export type CheckpointPlace = StoredCoverage & {
  /** The last row of the journal that is applied to it. */
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
  readonly newest: Newest | null;
  /** Merges that each scope's facts reach back at most. */
  readonly capacity: number;
  /** The verdicts of these merges, null for none. A place after the end of the list means a verdict that had no number of its own. */
  readonly verdicts: readonly (string | null)[];
  readonly global: CheckpointScope;
  readonly projects: readonly (CheckpointScope & { readonly project: string })[];
  readonly producer: string;
};

type CheckpointScope = {
  readonly seq: number;
  readonly facts: string;
  readonly gates: Readonly<Partial<Record<MetricName, GateMemory>>>;
};

/** The row that holds this memory. */
export function checkpointRow(analyzer: Analyzer, place: CheckpointPlace, producer: string): CheckpointRow {
  return {
    kind: CHECKPOINT_KIND,
    workItemId: analyzer.newest?.work_item_id ?? null,
    payload: checkpointPayload(analyzer, place, producer),
  };
}

function checkpointPayload(analyzer: Analyzer, place: CheckpointPlace, producer: string): CheckpointPayload {
  const numbers = verdictsIn(analyzer);
  const words = new Map(numbers.map((number, index) => [number, index]));
  const write = (scope: ScopeMemory): CheckpointScope => ({
    seq: scope.seq,
    facts: factWords(scope, words),
    gates: writeGates(scope),
  });
  return {
    schema_version: SCHEMA_VERSION,
    key: `checkpoint|${place.row_id}|${place.low_mark}`,
    seq: analyzer.global.seq,
    skipped: analyzer.skipped,
    truncated: analyzer.truncated,
    newest: analyzer.newest,
    capacity: analyzer.capacity,
    verdicts: numbers.map((number) => analyzer.verdicts.nameOf(number)),
    ...place,
    global: write(analyzer.global),
    projects: [...analyzer.projects].map(([project, scope]) => ({ project, ...write(scope) })),
    producer,
  };
}

/** The numbers of the verdicts that are kept, the most frequent one first; those that are configured are among them. */
function verdictsIn({ metrics, verdicts, global, projects }: Analyzer): number[] {
  const configured = metrics.flatMap((metric) => metric.verdicts ?? []);
  const counts = new Map(configured.map((verdict) => [verdicts.numberOf(verdict), 0]));
  for (const { ring } of [global, ...projects.values()]) {
    for (let age = 0; age < ring.length; age += 1) {
      const verdict = verdictIn(ring.at(age));
      counts.set(verdict, (counts.get(verdict) ?? 0) + 1);
    }
  }
  counts.delete(OTHER_VERDICT);
  return [...counts].toSorted(([, a], [, b]) => b - a).map(([verdict]) => verdict);
}

/**
 * The memory that a checkpoint holds.
 * @param capacity merges that must be kept for each scope, where that is more than today's windows need.
 * @param verdicts numbers that this memory shares with another one.
 * @returns a reason in words where it does not serve these settings or is not whole.
 */
export function analyzerFrom(
  checkpoint: CheckpointPayload,
  metrics: readonly MetricSettings[],
  capacity: number,
  verdicts = new VerdictNumbers(),
): Analyzer | string {
  const analyzer = new Analyzer(metrics, capacity, verdicts);
  const read = factReader(checkpoint.verdicts.map((verdict) => verdicts.numberOf(verdict)));
  analyzer.truncated = checkpoint.truncated;
  let others = false;
  for (const scope of [checkpoint.global, ...checkpoint.projects]) {
    const target = "project" in scope ? analyzer.project(String(scope.project)) : analyzer.global;
    const runs = read(scope.facts);
    if (runs === null) return "its facts cannot be read";
    let facts = 0;
    for (const { entry, times } of runs) {
      facts += times;
      others ||= verdictIn(entry) === OTHER_VERDICT;
    }
    if (facts >= checkpoint.capacity && checkpoint.capacity < analyzer.capacity)
      return `it reaches back ${checkpoint.capacity} merges, ${analyzer.capacity} are needed`;
    target.fill(runs);
    for (const [name, gate] of Object.entries(scope.gates)) target.setGate(name as MetricName, gate);
    target.complete = !checkpoint.truncated || scope.seq === facts;
    target.placed ||= target.complete || target === analyzer.global;
    if (target.complete) target.merges = scope.seq;
    target.seq = scope.seq;
  }
  if (
    others &&
    metrics.some((metric) => metric.verdicts?.some((verdict) => !checkpoint.verdicts.includes(verdict)))
  )
    return "it has more verdicts than it can distinguish";
  analyzer.skipped = checkpoint.skipped;
  analyzer.newest = checkpoint.newest;
  return analyzer;
}

/** The payload of a checkpoint row; a reason in words if it cannot be used. */
export function parseCheckpoint(text: string | null): CheckpointPayload | string {
  const payload = parseObject(text);
  if (payload === null) return "its payload cannot be read";
  if (payload["schema_version"] !== SCHEMA_VERSION)
    return `it has schema_version ${String(payload["schema_version"])}, ${SCHEMA_VERSION} is known`;
  return isWhole(payload) && readCoverage(payload) !== null ? payload : "it is not whole";
}

const isGate = shape<GateMemory>({
  state: isState,
  defined: (value) => typeof value === "boolean",
  crossed: orNull(isCrossing),
});
const SCOPE = {
  seq: isCountOrZero,
  facts: isText,
  gates: (gates: unknown) => {
    const named = asObject(gates);
    return (
      named !== null && Object.entries(named).every(([name, gate]) => isMetricName(name) && isGate(gate))
    );
  },
};
const isWhole = shape<CheckpointPayload>({
  key: isText,
  row_id: isId,
  journal_begins: orNull(isId),
  floor: orNull(isId),
  seq: isCount,
  skipped: isCountOrZero,
  truncated: (value) => typeof value === "boolean",
  newest: orNull(shape<Newest>({ event_id: isId, work_item_id: isText, merged_at: isTextOrNull })),
  capacity: isCount,
  verdicts: listOf(isTextOrNull),
  global: shape<CheckpointScope>(SCOPE),
  projects: listOf(shape({ ...SCOPE, project: isText })),
});

function writeGates(scope: ScopeMemory): CheckpointScope["gates"] {
  const gates: Partial<Record<MetricName, GateMemory>> = {};
  for (const name of METRIC_NAMES) {
    const gate = scope.gate(name);
    if (gate !== NO_MEMORY) gates[name] = gate;
  }
  return gates;
}

/** @param words for each verdict's number its place in the list. */
function factWords({ ring }: ScopeMemory, words: ReadonlyMap<number, number>): string {
  const facts: string[] = [];
  let times = 0;
  for (let age = ring.length - 1; age >= 0; age -= 1) {
    const entry = ring.at(age);
    times += 1;
    if (age > 0 && ring.at(age - 1) === entry) continue;
    const verdict = words.get(verdictIn(entry)) ?? words.size;
    facts.push(`${attemptsIn(entry)}${verdict === 0 ? "" : `:${verdict}`}${times === 1 ? "" : `*${times}`}`);
    times = 0;
  }
  return facts.join(" ");
}

const FACT_WORD = /^([1-9][0-9]{0,9})(?::([0-9]{1,4}))?(?:\*([1-9][0-9]{0,5}))?$/;

/**
 * Reads facts, oldest first; null where a word is none. Scopes have the same few words, so each is read once.
 * @param numbers of the listed verdicts.
 */
function factReader(numbers: readonly number[]): (text: string) => readonly Run[] | null {
  const known = new Map<string, Run>();
  return (text) => {
    const runs: Run[] = [];
    for (const word of text === "" ? [] : text.split(" ")) {
      const run = known.get(word) ?? readFactWord(word, numbers);
      if (run === null) return null;
      known.set(word, run);
      runs.push(run);
    }
    return runs;
  };
}

function readFactWord(word: string, numbers: readonly number[]): Run | null {
  const match = FACT_WORD.exec(word);
  const verdict = Number(match?.[2] ?? 0);
  if (match === null || Number(match[1]) > MAX_ATTEMPTS || verdict > numbers.length) return null;
  return {
    entry: packEntry(Number(match[1]), numbers[verdict] ?? OTHER_VERDICT),
    times: Number(match[3] ?? 1),
  };
}
