/**
 * A gate put where the journal says it stands, if it could have come there: by a crossing that its own bounds justify,
 * or, for a project whose metric becomes defined, by taking over the global state. The row decides and not today's
 * bounds, which may be others than those that it was written under.
 */
import type { Analyzer } from "./analyzer.ts";
import { contradiction, type MetricRow } from "./journal-row.ts";
import { NO_MEMORY, type ScopeState } from "./scope-state.ts";

/**
 * @param crossed the row of the crossing that follows `row` in its set; null where none does.
 * @param scope the row's own. The global gates of this merge have been settled before those of its project.
 * @throws UnfitLog when the gate cannot have come there.
 */
export function settleGate(
  row: MetricRow,
  crossed: MetricRow | null,
  scope: ScopeState,
  { metrics, global, truncated }: Analyzer,
): void {
  const index = metrics.findIndex((metric) => metric.name === row.metric);
  if (index === -1) return;
  const before = scope.gate(index);
  const state = row.state ?? "unknown";
  const crossing = crossed?.crossing ?? null;
  // The first surviving row of a scope whose older rows are gone stands for itself.
  const inherited = truncated && before === NO_MEMORY && row.seq > 1;
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
      state === global.gate(index).state;
    if (!taken) throw contradiction(row.id, `state goes from ${before.state} to ${state} without a crossing`);
  }
  scope.gates[index] = {
    state,
    defined: row.value !== null,
    crossed: crossing === null ? before.crossed : { eventId: row.merge.eventId, since: row.merge.mergedAt },
  };
}

/** Whether a row and one beside it state the same of the same metric: a crossing's row repeats the one that crossed. */
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
