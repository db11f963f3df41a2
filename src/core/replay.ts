/**
 * Replay: the journal folded back into memory, row after row in the order of their ids, and held against itself.
 *
 * The journal decides: a gate stands where the newest row of its scope says, under whatever bounds that row was
 * written; a row is judged by the window and the verdicts that it carries. Only what no configuration explains (a gap
 * or repeat in `seq`, a cut set, a value that the facts do not give, a state without a crossing) is a contradiction.
 *
 * Rows may have gone from the old end. Then the first set that survives may be cut and is passed over, windows count
 * up from what is left, and a value is checked as soon as the facts that it stands for have been seen.
 */
import { type Analyzer, type JournalNeeds, slide } from "./analyzer.ts";
import { CATALOGUE, createFigure } from "./catalogue.ts";
import { contradiction, type JournalRow, type MetricRow } from "./journal-row.ts";
import { MAX_WINDOW, type MetricSettings } from "./metric.ts";
import { sameVerdicts } from "./metric-event.ts";
import { valueOf } from "./reading.ts";
import { NO_MEMORY, type ScopeState } from "./scope-state.ts";
import { NO_ENTRY } from "./window.ts";

export class Replay {
  readonly analyzer: Analyzer;
  /** Merges folded. */
  merges = 0;
  /** The `seq` up to which a checkpoint covers the journal; 0 where none does. */
  checkpointSeq: number;
  /** Rows of kind `metric.*` without our marker. */
  foreign = 0;
  /** The smallest event id among the merges whose rows survive; null while there is none. */
  smallestEventId: string | null = null;
  #set: MetricRow[] = [];

  constructor(analyzer: Analyzer) {
    this.analyzer = analyzer;
    this.checkpointSeq = analyzer.global.seq;
  }

  /** Merges up to this id count as recorded: their rows went from the old end. 0 where nothing is known to be gone. */
  get floor(): bigint {
    if (!this.analyzer.truncated || this.smallestEventId === null) return 0n;
    return BigInt(this.smallestEventId) - 1n;
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
      this.#checkNumbers(row, scope);
      if (row.crossing !== null) {
        const crosses = set[index - 1];
        if (crosses === undefined || crosses.crossing !== null || !sameReading(crosses, row)) {
          throw contradiction(row.id, "it does not follow the row whose crossing it reports");
        }
      } else {
        const next = set[index + 1];
        this.#settle(row, scope, next?.crossing != null && sameReading(next, row) ? next : null);
      }
    }
  }

  /** In a log cut at its old end, a project's place in its own order is known from its first surviving row. */
  #anchorProject(project: ScopeState, set: readonly MetricRow[]): void {
    if (!this.analyzer.truncated || project.gates.some((gate) => gate !== NO_MEMORY)) return;
    const row = set.find((candidate) => candidate.scope === "project");
    if (row !== undefined) project.seq = row.seq;
  }

  #checkNumbers(row: MetricRow, scope: ScopeState): void {
    const { n, window, value, numerator } = row;
    const ratio = CATALOGUE[row.metric].measures === "ratio";
    // In a truncated log the writer may have known more merges than survive, never fewer.
    const surviving = Math.min(scope.ring.length, window);
    const due = this.analyzer.truncated ? Math.max(n, surviving) : Math.min(scope.seq, window);
    if (n !== due || n > window)
      throw contradiction(row.id, `n is ${n}, its merges give ${due} of ${window}`);
    if ((value !== null) !== (n === window)) {
      throw contradiction(
        row.id,
        `value is ${value === null ? "undefined" : "defined"} with ${n} of ${window} merges`,
      );
    }
    if (ratio ? numerator === null || (value !== null && value !== numerator / n) : numerator !== null) {
      throw contradiction(row.id, `value ${value} is not numerator ${numerator} of ${n}`);
    }
    const facts = this.#recount(row, scope);
    if (facts !== null && (facts.value !== value || facts.numerator !== numerator)) {
      throw contradiction(
        row.id,
        `value ${value} (numerator ${numerator}) differs from what its facts give: ${facts.value} (${facts.numerator})`,
      );
    }
  }

  /** What the recorded facts give for a row; null where too few of them survive to tell. */
  #recount(row: MetricRow, scope: ScopeState): { value: number | null; numerator: number | null } | null {
    if (row.n > scope.ring.length || row.window > scope.ring.capacity) return null;
    const { verdictSets, metrics } = this.analyzer;
    const set = CATALOGUE[row.metric].looksAtVerdicts
      ? verdictSets.findIndex((verdicts) => sameVerdicts(verdicts, row.verdicts))
      : 0;
    if (set === -1) return null;
    const index = metrics.findIndex((metric) => metric.name === row.metric);
    const settings: MetricSettings | undefined = metrics[index];
    if (settings?.window === row.window && set === 0 && row.n === Math.min(scope.ring.length, row.window)) {
      const reading = scope.reading(index);
      return { value: valueOf(reading), numerator: reading.numerator };
    }
    const figure = createFigure(row.metric, row.window, set);
    for (let age = row.n - 1; age >= 0; age -= 1) figure.slide(scope.ring.at(age), NO_ENTRY);
    const reading = figure.reading(row.n);
    return { value: valueOf(reading), numerator: reading.numerator };
  }

  /** Puts the gate where the row says it stands, if it could have come there. */
  #settle(row: MetricRow, scope: ScopeState, crossed: MetricRow | null): void {
    const index = this.analyzer.metrics.findIndex((metric) => metric.name === row.metric);
    if (index === -1) return;
    const before = scope.gate(index);
    const state = row.state ?? "unknown";
    const crossing = crossed?.crossing ?? null;
    // The first surviving row of a scope whose older rows are gone stands for itself.
    const inherited = this.analyzer.truncated && before === NO_MEMORY && row.seq > 1;
    if (crossing !== null) {
      const justified =
        crossing.to === "high" ? Number(row.value) >= crossing.upper : Number(row.value) < crossing.lower;
      const follows = inherited || crossing.from === before.state;
      const changes = crossing.from !== crossing.to && crossing.to === state && crossing.to !== "unknown";
      if (!justified || !follows || !changes || row.value === null) {
        throw contradiction(
          crossed?.id ?? row.id,
          `it crosses from ${crossing.from} to ${crossing.to} at ${row.value}`,
        );
      }
    } else if (row.state !== null && state !== before.state && !inherited) {
      const taken =
        row.scope === "project" &&
        before.state === "unknown" &&
        !before.defined &&
        row.value !== null &&
        state === this.analyzer.global.gate(index).state;
      if (!taken)
        throw contradiction(row.id, `state goes from ${before.state} to ${state} without a crossing`);
    }
    scope.gates[index] = {
      state,
      defined: row.value !== null,
      crossed: crossing === null ? before.crossed : { eventId: row.merge.eventId, since: row.merge.mergedAt },
    };
  }

  #survives(eventId: string): void {
    if (this.smallestEventId === null || compareIds(eventId, this.smallestEventId) < 0)
      this.smallestEventId = eventId;
  }
}

/** Orders ids as the numbers that they are. */
export function compareIds(a: string, b: string): number {
  const [left, right] = [BigInt(a), BigInt(b)];
  return left < right ? -1 : left > right ? 1 : 0;
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

export function sameReading(a: MetricRow, b: MetricRow): boolean {
  return (
    a.metric === b.metric &&
    a.scope === b.scope &&
    a.state === b.state &&
    a.value === b.value &&
    a.numerator === b.numerator &&
    a.n === b.n &&
    a.window === b.window
  );
}

/** What a restore must keep in memory to judge these rows by the windows and verdicts that they carry. */
export function journalNeeds(rows: readonly JournalRow[]): JournalNeeds {
  let capacity = 0;
  const verdictSets: (readonly string[])[] = [];
  for (const row of rows) {
    if (row.type !== "metric") continue;
    capacity = Math.max(capacity, Math.min(row.window, MAX_WINDOW));
    if (!verdictSets.some((verdicts) => sameVerdicts(verdicts, row.verdicts))) verdictSets.push(row.verdicts);
  }
  return { capacity, verdictSets };
}
