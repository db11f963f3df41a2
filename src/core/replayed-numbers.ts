/**
 * A row's numbers held against the facts that memory has at that merge: how many merges it counted, whether a value may
 * be defined with so many, and what a recount of them gives. The row is judged by the window and the verdicts that it
 * carries, not by those of today. Where rows are gone from the old end, the writer may have known more merges than
 * survive, never fewer; a value that stands for some that are gone is left alone.
 */
import type { Analyzer } from "./analyzer.ts";
import { CATALOGUE, createFigure, isRatio } from "./catalogue.ts";
import { contradiction, type MetricRow } from "./journal-row.ts";
import type { MetricSettings } from "./metric.ts";
import { sameVerdicts } from "./metric-event.ts";
import { valueOf } from "./reading.ts";
import type { ScopeState } from "./scope-state.ts";
import { NO_ENTRY } from "./window.ts";

/**
 * @param scope the row's own, its windows slid by the row's merge.
 * @throws UnfitLog when the row says what its facts do not give.
 */
export function checkNumbers(row: MetricRow, scope: ScopeState, analyzer: Analyzer): void {
  const { n, window, value, numerator } = row;
  const ratio = isRatio(row.metric);
  const surviving = Math.min(scope.ring.length, window);
  const due = analyzer.truncated ? Math.max(n, surviving) : Math.min(scope.seq, window);
  if (n !== due || n > window) throw contradiction(row.id, `n is ${n}, its merges give ${due} of ${window}`);
  if ((value !== null) !== (n === window)) {
    throw contradiction(
      row.id,
      `value is ${value === null ? "undefined" : "defined"} with ${n} of ${window} merges`,
    );
  }
  if (ratio ? numerator === null || (value !== null && value !== numerator / n) : numerator !== null) {
    throw contradiction(row.id, `value ${value} is not numerator ${numerator} of ${n}`);
  }
  const facts = recount(row, scope, analyzer);
  if (facts !== null && (facts.value !== value || facts.numerator !== numerator)) {
    throw contradiction(
      row.id,
      `value ${value} (numerator ${numerator}) differs from what its facts give: ${facts.value} (${facts.numerator})`,
    );
  }
}

/** What the recorded facts give for a row; null where too few of them survive to tell. */
function recount(
  row: MetricRow,
  scope: ScopeState,
  { verdictSets, metrics }: Analyzer,
): { value: number | null; numerator: number | null } | null {
  if (row.n > scope.ring.length || row.window > scope.ring.capacity) return null;
  const set = CATALOGUE[row.metric].looksAtVerdicts
    ? verdictSets.findIndex((verdicts) => sameVerdicts(verdicts, row.verdicts))
    : 0;
  if (set === -1) return null;
  const index = metrics.findIndex((metric) => metric.name === row.metric);
  const settings: MetricSettings | undefined = metrics[index];
  // Written under today's window and verdicts, as most rows are: the figure that memory keeps is the recount.
  if (settings?.window === row.window && set === 0 && row.n === Math.min(scope.ring.length, row.window)) {
    const reading = scope.reading(index);
    return { value: valueOf(reading), numerator: reading.numerator };
  }
  const figure = createFigure(row.metric, row.window, set);
  for (let age = row.n - 1; age >= 0; age -= 1) figure.slide(scope.ring.at(age), NO_ENTRY);
  const reading = figure.reading(row.n);
  return { value: valueOf(reading), numerator: reading.numerator };
}
