/**
 * The walk along the journal: its rows, in the order of their ids, gathered into sets and folded into memory. Here are sets and their
 * order; what a single row must say is in `judge.ts`.
 *
 * The journal decides: a gate is where the newest row of its scope says, whatever today's bounds are. What no configuration explains is
 * a difference. The daemon's listener throws at the first one, as nothing may be built on such a log; the one of `verify` collects
 * them all, and the walk continues with what the rows say.
 *
 * Rows may be gone from the old end. Then the first set that is left may be cut and is skipped, windows count up from what is left,
 * and a value is judged as soon as all merges that it covers are known.
 */
import { type Analyzer, slide } from "./analyzer.ts";
import type { Found } from "./difference.ts";
import { contradiction, type JournalRow, type MetricRow } from "./journal-row.ts";
import { about, type Findings, factsText, judgeSet, lineOf, sameFacts } from "./judge.ts";
import { MAX_WINDOW } from "./metric.ts";
import type { ScopeMemory } from "./scope-memory.ts";

/** What a walk reports to. */
export type Listener = {
  readonly differs: (found: Found) => void;
  /**
   * A set has been gathered.
   * @param row one that agrees with most of its rows.
   * @returns whether its merge is recorded already.
   */
  readonly recorded?: (row: MetricRow) => boolean;
};

export class Walk implements Findings {
  readonly analyzer: Analyzer;
  /** Merges replayed. */
  merges = 0;
  /** The `seq` up to which a checkpoint covers the journal; 0 where none does. */
  checkpointSeq: number;
  /** Rows of kind `metric.*` without our marker. */
  unmarked = 0;
  notJudged = 0;
  /** The smallest event id among the merges whose rows survive; null while there is none. */
  smallestEvent: bigint | null = null;
  readonly #listener: Listener;
  #set: MetricRow[] = [];
  /** Rows of the open set that cannot be read. */
  #damaged = 0;
  /** Whether a merge has a place in the order: before, this is the journal's old end. */
  #begun = false;
  /** The metric rows of the newest whole set. */
  #composition: readonly string[] = [];

  constructor(analyzer: Analyzer, listener: Listener = REFUSING) {
    this.analyzer = analyzer;
    this.checkpointSeq = analyzer.global.seq;
    this.#listener = listener;
  }

  /** Merges up to this id are taken as recorded: their rows are gone from the old end. Null where nothing is known to be gone. */
  get truncationPoint(): bigint | null {
    return this.analyzer.truncated && this.smallestEvent !== null ? this.smallestEvent - 1n : null;
  }

  /** @throws UnfitLog when the row contradicts what came before it, unless the listener collects. */
  accept(row: JournalRow): void {
    if (row.type === "metric") {
      const open = this.#set[0];
      if (open !== undefined && !sameMerge(open, row)) this.#close();
      this.#set.push(row);
      return;
    }
    if (row.type === "unmarked") {
      this.unmarked += 1;
      return;
    }
    this.#close();
    if (row.type === "checkpoint") this.checkpointSeq = this.analyzer.global.seq;
    if (row.type === "skipped") {
      this.analyzer.skipped += 1;
      this.#survives(row.eventId);
    }
  }

  /** A damaged row. @param eventId the merge that it records; null if unknown: then it counts as a row of the open set. */
  acceptDamaged(eventId: string | null): void {
    const open = this.#set[0];
    if (eventId !== null && open !== undefined && open.merge.eventId !== eventId) this.#close();
    this.#damaged += 1;
  }

  /** Folds the last set. Rows are committed in whole sets, so nothing of it can follow later. */
  end(): void {
    this.#close();
  }

  differs(found: Found): void {
    this.#listener.differs(found);
  }

  #close(): void {
    const rows = this.#set;
    const damaged = this.#damaged;
    const [first] = rows;
    if (first === undefined) return;
    this.#set = [];
    this.#damaged = 0;
    const usualRow = rowWithUsualFacts(rows);
    const { merge } = usualRow;
    this.#survives(merge.eventId);
    const repeated = this.#listener.recorded?.(usualRow) ?? false;
    const size = usual(rows, (row) => row.setSize);
    const missing = size - rows.length - damaged;
    const seq = seqIn(rows, "global");
    this.#begun ||= this.analyzer.global.seq > 0;
    if (!this.#begun && this.#begin(missing > 0 && rows.every((row) => row.setSize === size), seq)) return;
    if (missing > 0 || (seq === null && damaged === 0)) this.#reportIncomplete(rows, size);
    // A copy: the rows after it do not continue it.
    if (repeated && (seq === null || seq <= this.analyzer.global.seq)) return;
    const { global } = this.analyzer;
    const project = this.analyzer.project(merge.project);
    this.#follow(global, first, seq, null);
    this.#follow(project, first, seqIn(rows, "project"), merge.project);
    slide(this.analyzer, merge);
    this.merges += 1;
    judgeSet({ rows, merge, size, incomplete: missing > 0, global, project }, this);
    if (missing === 0 && damaged === 0)
      this.#composition = rows.filter((row) => row.crossing === null).map(lineOf);
  }

  /** The first set: rows may have gone before it. @returns whether it is itself cut, and skipped. */
  #begin(cut: boolean, seq: number | null): boolean {
    const { analyzer } = this;
    if (cut || seq !== 1) {
      analyzer.truncated = true;
      analyzer.global.forget();
      analyzer.global.placed = seq !== null;
      analyzer.global.seq = seq === null ? 0 : cut ? seq : seq - 1;
    }
    this.#begun = !cut || seq !== null;
    return cut;
  }

  /**
   * Prepares a scope for its next merge: seq counts 1, 2, 3 without gap or repeat.
   * @param seq as the set says; null where it has no row of this scope.
   */
  #follow(scope: ScopeMemory, first: MetricRow, seq: number | null, project: string | null): void {
    if (seq === null) return;
    const expected = scope.placed ? scope.seq + 1 : null;
    if (expected === null && seq === 1 && scope.merges === 0) scope.complete = true;
    scope.placed = true;
    scope.seq = seq - 1;
    if (expected === null || seq === expected) return;
    const gap = seq > expected;
    if (gap) scope.forget();
    this.differs({
      ...about(first),
      metric: null,
      kind: gap ? "seq_gap" : "seq_repeated",
      scope: project === null ? "global" : "project",
      project,
      seq,
      recorded: `seq ${seq}`,
      expected: `seq ${expected}`,
    });
  }

  /** Rows are missing. An earlier set shows which ones. */
  #reportIncomplete(rows: readonly MetricRow[], size: number): void {
    const [first] = rows as [MetricRow];
    const present = new Set(rows.map(lineOf));
    const absent = this.#composition.filter((line) => !present.has(line));
    const global = rows.find((row) => row.scope === "global");
    this.differs({
      ...about(first),
      metric: null,
      scope: null,
      project: null,
      kind: "set_incomplete",
      seq: global?.seq ?? null,
      recorded: `${rows.length} of ${size} rows`,
      expected:
        absent.length > 0
          ? `also ${absent.join(", ")}`
          : global === undefined
            ? "a row of the global scope among them"
            : `${size} rows, crossings included`,
    });
  }

  #survives(eventId: string): void {
    const id = BigInt(eventId);
    if (this.smallestEvent === null || id < this.smallestEvent) this.smallestEvent = id;
  }
}

/** Nothing may be built on a log in which anything differs. */
const REFUSING: Listener = {
  differs: ({ row_id: rowId, kind, recorded, expected }) => {
    throw contradiction(rowId ?? "", `${kind.replaceAll("_", " ")}: ${recorded}; expected ${expected}`);
  },
};

/** What a restore must keep of each scope to judge these rows by the windows that they carry. */
export function capacityFor(rows: readonly JournalRow[]): number {
  return rows.reduce(
    (most, row) => (row.type === "metric" ? Math.max(most, Math.min(row.window, MAX_WINDOW)) : most),
    0,
  );
}

function sameMerge(a: MetricRow, b: MetricRow): boolean {
  return a.merge.eventId === b.merge.eventId && a.merge.workItemId === b.merge.workItemId;
}

/** The `seq` of most rows of a scope; null where the set has none. */
function seqIn(rows: readonly MetricRow[], scope: MetricRow["scope"]): number | null {
  const own = rows.filter((row) => row.scope === scope);
  return own.length === 0 ? null : usual(own, (row) => row.seq);
}

/** A row with the facts that most rows of the set have. */
function rowWithUsualFacts(rows: readonly MetricRow[]): MetricRow {
  const [first] = rows as [MetricRow];
  if (rows.every((row) => sameFacts(row.merge, first.merge))) return first;
  const text = usual(rows, (row) => factsText(row.merge));
  return rows.find((row) => factsText(row.merge) === text) ?? first;
}

/** The most frequent value; of equals the first. */
function usual<T>(rows: readonly MetricRow[], say: (row: MetricRow) => T): T {
  const first = say(rows[0] as MetricRow);
  if (rows.every((row) => say(row) === first)) return first;
  const counts = new Map<T, number>();
  for (const row of rows) counts.set(say(row), (counts.get(say(row)) ?? 0) + 1);
  return [...counts].reduce((best, one) => (one[1] > best[1] ? one : best))[0];
}
