/**
 * Replay: the journal folded back into memory, row after row in the order of their ids, and held against itself.
 *
 * The journal decides: a gate stands where the newest row of its scope says, under whatever bounds that row was
 * written; a row is judged by the window and the verdicts that it carries. Only what no configuration explains (a gap
 * or repeat in `seq`, a cut set, a value that the facts do not give, a state without a crossing) is a contradiction.
 *
 * Rows may have gone from the old end. Then the first set that survives may be cut and is passed over, windows count
 * up from what is left, and a value is checked as soon as the facts that it stands for have been seen.
 *
 * Here are sets, and their order. What a row's numbers must be stands in `replayed-numbers.ts`, and how a gate may move
 * in `replayed-gate.ts`.
 */
import { type Analyzer, type JournalNeeds, slide } from "./analyzer.ts";
import { CATALOGUE } from "./catalogue.ts";
import { contradiction, type JournalRow, type MetricRow } from "./journal-row.ts";
import { MAX_WINDOW } from "./metric.ts";
import { sameVerdicts } from "./metric-event.ts";
import { sameReading, settleGate } from "./replayed-gate.ts";
import { checkNumbers } from "./replayed-numbers.ts";
import { NO_MEMORY, type ScopeState } from "./scope-state.ts";

export class Replay {
  readonly analyzer: Analyzer;
  /** Merges folded. */
  merges = 0;
  /** The `seq` up to which a checkpoint covers the journal; 0 where none does. */
  checkpointSeq: number;
  /** Rows of kind `metric.*` without our marker. */
  foreign = 0;
  /** The smallest event id among the merges whose rows survive; null while there is none. */
  smallestEvent: bigint | null = null;
  #set: MetricRow[] = [];

  constructor(analyzer: Analyzer) {
    this.analyzer = analyzer;
    this.checkpointSeq = analyzer.global.seq;
  }

  /** Merges up to this id are taken as recorded: their rows are gone from the old end. Null where nothing is known to be gone. */
  get floor(): bigint | null {
    return this.analyzer.truncated && this.smallestEvent !== null ? this.smallestEvent - 1n : null;
  }

  /** @throws UnfitLog when the row contradicts what came before it. */
  accept(row: JournalRow): void {
    if (row.type === "metric") {
      const open = this.#set[0];
      if (open !== undefined && !sameMerge(open, row)) this.#close();
      this.#set.push(row);
      return;
    }
    if (row.type === "foreign") {
      this.foreign += 1;
      return;
    }
    this.#close();
    if (row.type === "checkpoint") this.checkpointSeq = this.analyzer.global.seq;
    if (row.type === "skipped") {
      this.analyzer.skipped += 1;
      this.#survives(row.eventId);
    }
  }

  /** Folds the last set. Rows are committed in whole sets, so nothing of it can follow later. */
  end(): void {
    this.#close();
  }

  #close(): void {
    const set = this.#set;
    const [first] = set;
    if (first === undefined) return;
    this.#set = [];
    this.#survives(first.merge.eventId);
    const agreed = set.every((row) => row.setSize === first.setSize);
    const whole = agreed && set.length === first.setSize;
    const anchor = set.find((row) => row.scope === "global");
    // While no merge has a place in the order, this is the old end; from then on everything follows densely.
    if (this.analyzer.global.seq === 0) {
      const cut = agreed && set.length < first.setSize;
      if (cut || anchor?.seq !== 1) this.analyzer.truncated = true;
      if (anchor !== undefined) this.analyzer.global.seq = cut ? anchor.seq : anchor.seq - 1;
      if (cut) return;
    }
    if (!whole || anchor === undefined) {
      throw contradiction(
        first.id,
        `the rows of merge ${first.merge.eventId} are not one whole set (${set.length} rows, ${first.setSize} were written)`,
      );
    }
    this.#fold(first, anchor, set);
  }

  #fold(first: MetricRow, anchor: MetricRow, set: readonly MetricRow[]): void {
    const { analyzer } = this;
    const expected = analyzer.global.seq + 1;
    if (anchor.seq !== expected) {
      const what = anchor.seq < expected ? "is repeated" : "follows a gap";
      throw contradiction(anchor.id, `seq ${anchor.seq} ${what}, ${expected} was expected`);
    }
    slide(analyzer, first.merge);
    this.merges += 1;
    const project = analyzer.project(first.merge.project);
    this.#anchorProject(project, set);
    const keys = new Set<string>();
    for (let index = 0; index < set.length; index += 1) {
      const row = set[index] as MetricRow;
      if (keys.has(row.key)) throw contradiction(row.id, `its key ${JSON.stringify(row.key)} is repeated`);
      keys.add(row.key);
      if (!sameFacts(row, first))
        throw contradiction(row.id, "its facts differ from those of the rows beside it");
      const scope = row.scope === "global" ? analyzer.global : project;
      if (row.seq !== scope.seq) {
        throw contradiction(row.id, `seq ${row.seq} of its ${row.scope} scope, ${scope.seq} was expected`);
      }
      checkNumbers(row, scope, analyzer);
      if (row.crossing !== null) {
        const crosses = set[index - 1];
        if (crosses === undefined || crosses.crossing !== null || !sameReading(crosses, row)) {
          throw contradiction(row.id, "it does not follow the row whose crossing it reports");
        }
      } else {
        const next = set[index + 1];
        settleGate(row, next?.crossing != null && sameReading(next, row) ? next : null, scope, analyzer);
      }
    }
  }

  /** In a log cut at its old end, a project's place in its own order is known from its first surviving row. */
  #anchorProject(project: ScopeState, set: readonly MetricRow[]): void {
    if (!this.analyzer.truncated || project.gates.some((gate) => gate !== NO_MEMORY)) return;
    const row = set.find((candidate) => candidate.scope === "project");
    if (row !== undefined) project.seq = row.seq;
  }

  #survives(eventId: string): void {
    const id = BigInt(eventId);
    if (this.smallestEvent === null || id < this.smallestEvent) this.smallestEvent = id;
  }
}

function sameMerge(a: MetricRow, b: MetricRow): boolean {
  return a.merge.eventId === b.merge.eventId && a.merge.workItemId === b.merge.workItemId;
}

function sameFacts(a: MetricRow, b: MetricRow): boolean {
  return (
    a.merge.project === b.merge.project &&
    a.merge.attempts === b.merge.attempts &&
    a.merge.lastVerdict === b.merge.lastVerdict &&
    a.merge.mergedAt === b.merge.mergedAt
  );
}

/** What a restore must keep in memory to judge these rows by the windows and verdicts that they carry. */
export function journalNeeds(rows: readonly JournalRow[]): JournalNeeds {
  let capacity = 0;
  const verdictSets: (readonly string[])[] = [];
  for (const row of rows) {
    if (row.type !== "metric") continue;
    capacity = Math.max(capacity, Math.min(row.window, MAX_WINDOW));
    if (!CATALOGUE[row.metric].looksAtVerdicts) continue;
    if (!verdictSets.some((verdicts) => sameVerdicts(verdicts, row.verdicts))) verdictSets.push(row.verdicts);
  }
  return { capacity, verdictSets };
}
