/**
 * The fast replay of a long journal: a few fields of one row per merge slide the windows, and the newest rows of each scope say where
 * its gates are. The result is the memory that the walk (`walk.ts`) would leave, from a tenth of the text.
 *
 * Only the order is proven here: it must be dense from 1. Anything unexpected (a missing old end, other recorded scopes, a
 * contradiction) makes this replay impassable, and the walk decides.
 */
import { Analyzer, newestOf } from "./analyzer.ts";
import { entryOf } from "./catalogue.ts";
import { type MetricRow, mergeIn, type RawJournalRow, readable } from "./journal-row.ts";
import { MAX_ATTEMPTS } from "./merge.ts";
import { METRIC_NAMES, type MetricName, type MetricSettings } from "./metric.ts";
import { SCHEMA_VERSION } from "./metric-event.ts";
import type { ScopeKind } from "./scope.ts";
import type { ScopeMemory } from "./scope-memory.ts";
import { Walk } from "./walk.ts";

/** Which rows hold the facts, and which ones show that the log was written under other scopes. */
export type FactsSource = {
  /** The metric whose global rows are read, one for each merge. */
  readonly order: MetricName;
  /** Whether it has rows of projects too, which are skipped. */
  readonly inProjects: boolean;
  /** The other metrics with global rows alone: any further row of theirs is wanted. */
  readonly globalOnly: readonly MetricName[];
  /** Metrics without rows: any row of theirs is wanted. */
  readonly unrecorded: readonly MetricName[];
};

/** @returns null if no metric's rows give the order of merges. */
export function factsSource(metrics: readonly MetricSettings[]): FactsSource | null {
  const global = metrics.filter(({ record }) => record.includes("global"));
  const order = global.find((metric) => !inProjects(metric)) ?? global[0];
  if (order === undefined) return null;
  return {
    order: order.name,
    inProjects: inProjects(order),
    globalOnly: global.filter((metric) => metric !== order && !inProjects(metric)).map(({ name }) => name),
    unrecorded: METRIC_NAMES.filter((name) => !global.some((metric) => metric.name === name)),
  };
}

function inProjects({ record }: MetricSettings): boolean {
  return record.includes("project");
}

/** The fields of a row of the metric whose rows give the order, as text; null for a missing field. */
export type RawFactsRow = {
  readonly id: string;
  readonly version: string | null;
  readonly seq: string | null;
  readonly scope: string | null;
  readonly project: string | null;
  readonly attempts: string | null;
  readonly lastVerdict: string | null;
};

const DIGITS = /^[1-9][0-9]{0,15}$/;

export class FastReplay {
  readonly analyzer: Analyzer;
  /** Whether something was found that this way cannot pass. */
  impassable = false;
  readonly #checkpointRow: number;
  #checkpointSeq = 0;
  #unmarked = 0;
  #firstRow: number | null = null;
  /** The first row that was read, of whatever sort. */
  #begins = Number.POSITIVE_INFINITY;
  /** Metric rows and crossings before the first merge's row: the rest of its set, unless the journal is cut. */
  readonly #before: number[] = [];
  /** Of each project the row of its newest merge. */
  readonly #newestRows = new Map<string, number>();

  /** @param checkpointRow the newest checkpoint there is, 0 where there is none. */
  constructor(metrics: readonly MetricSettings[], capacity: number, checkpointRow: number) {
    this.analyzer = new Analyzer(metrics, capacity);
    this.#checkpointRow = checkpointRow;
  }

  /** Takes the rows that give the order, in the order of their ids. */
  accept(row: RawFactsRow): void {
    if (this.impassable) return;
    if (row.version === null || row.seq === null) {
      this.#unmarked += 1;
      return;
    }
    const { analyzer } = this;
    const { project, lastVerdict } = row;
    const id = Number(row.id);
    const attempts = DIGITS.test(row.attempts ?? "") ? Number(row.attempts) : 0;
    const whole =
      row.version === VERSION &&
      row.scope === "global" &&
      row.seq === String(analyzer.global.seq + 1) &&
      project !== null &&
      project !== "" &&
      attempts >= 1 &&
      attempts <= MAX_ATTEMPTS &&
      Number.isSafeInteger(id);
    if (!whole) {
      this.impassable = true;
      return;
    }
    if (id < this.#checkpointRow) this.#checkpointSeq += 1;
    const entry = entryOf({ attempts, lastVerdict }, analyzer.verdicts);
    analyzer.global.push(entry);
    analyzer.mergingProject(project).push(entry);
    this.#firstRow ??= id;
    this.#begins = Math.min(this.#begins, id);
    this.#newestRows.set(project, id);
  }

  /**
   * Takes rows beside the order, in the order of their ids: crossings, skips, and what shows that the log is another. At last, in any
   * order, the metric rows before the first row that gives the order.
   */
  acceptOther(raw: RawJournalRow): void {
    if (this.impassable) return;
    const row = readable(raw);
    const id = Number(raw.id);
    if (this.#firstRow !== null && id < this.#firstRow) {
      if (row?.type !== "unmarked") this.#before.push(id);
      return;
    }
    if (this.#firstRow === null && row?.type === "metric") this.#before.push(id);
    if (row !== null && mergeIn(row) !== null) this.#begins = Math.min(this.#begins, id);
    if (row?.type === "skipped") this.analyzer.skipped += 1;
    else if (row?.type === "unmarked") this.#unmarked += 1;
    else if (row?.type === "metric" && row.crossing !== null) this.#crossed(row);
    else this.impassable = true;
  }

  #crossed(row: MetricRow): void {
    const { analyzer } = this;
    const scope = row.scope === "global" ? analyzer.global : analyzer.project(row.merge.project);
    const crossed = { since: row.merge.mergedAt, event_id: row.merge.eventId };
    scope.setGate(row.metric, { ...scope.gate(row.metric), crossed });
  }

  /** The row of the first merge, whose set must be checked; null before the first one. */
  get firstRow(): number | null {
    return this.#firstRow;
  }

  /**
   * Checks whether the first set is whole, and whether it is the first. The row that gives the order need not be the first of its set: if
   * the journal is cut within that set, the order is dense from 1 nevertheless. And so it is after a set of which only rows without
   * `seq` of the order are left.
   */
  checkFirst(raws: readonly RawJournalRow[]): void {
    const rows = raws.map(readable).filter((row) => row?.type === "metric");
    const first = rows.find(({ id }) => Number(id) === this.#firstRow);
    const set = rows.filter(({ merge }) => merge.eventId === first?.merge.eventId);
    const ids = new Set(set.map(({ id }) => Number(id)));
    if (first === undefined || set.length !== first.setSize) this.impassable = true;
    if (!this.#before.every((id) => ids.has(id))) this.impassable = true;
    this.#begins = Math.min(this.#begins, ...ids);
  }

  /** The journal's first row. */
  get begins(): bigint {
    return BigInt(this.#begins);
  }

  /** Rows of sets that must be looked at, one of the newest set of each project; none where projects have no rows. */
  get newestRows(): readonly number[] {
    const needed = this.analyzer.metrics.some(({ record }) => record.includes("project"));
    return needed ? [...this.#newestRows.values()] : [];
  }

  /** Puts the gates of projects where the rows of their newest sets say. */
  settleProjects(raws: readonly RawJournalRow[]): void {
    const rows = raws.map(readable).filter((row) => row?.type === "metric");
    const ofProjects = rows.filter(({ scope }) => scope === "project");
    for (const [project, own] of Map.groupBy(ofProjects, ({ merge }) => merge.project)) {
      const scope = this.analyzer.projects.get(project);
      const newest = own.filter(({ seq }) => seq === scope?.seq);
      if (scope === undefined || !this.#settle(scope, newest, "project")) this.impassable = true;
      this.#newestRows.delete(project);
    }
  }

  /**
   * Goes on row by row.
   * @param set the rows of the newest merge.
   * @returns null where memory cannot be known to be what the rows give.
   */
  handOver(set: readonly MetricRow[]): Walk | null {
    const { analyzer } = this;
    const [first] = set;
    const global = set.filter((row) => row.scope === "global" && row.seq === analyzer.global.seq);
    if (first === undefined || this.newestRows.length > 0) return null;
    if (!this.#settle(analyzer.global, global, "global") || this.impassable) return null;
    analyzer.newest = newestOf(first.merge);
    const walk = new Walk(analyzer);
    walk.merges = analyzer.global.seq;
    walk.checkpointSeq = this.#checkpointSeq;
    walk.unmarked = this.#unmarked;
    return walk;
  }

  /** @returns whether there is just one row for each metric that is recorded, and none for the others. */
  #settle(scope: ScopeMemory, rows: readonly MetricRow[], kind: ScopeKind): boolean {
    return this.analyzer.metrics.every(({ name, record }) => {
      const [row, more] = rows.filter(({ metric, crossing }) => metric === name && crossing === null);
      if (row === undefined || more !== undefined) return row === undefined && !record.includes(kind);
      if (!record.includes(kind)) return false;
      const { crossed } = scope.gate(name);
      scope.setGate(name, { state: row.state ?? "unknown", defined: row.value !== null, crossed });
      return true;
    });
  }
}

const VERSION = String(SCHEMA_VERSION);
