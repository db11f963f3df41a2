/** A merge with what its rows said: what the daemon remembers for whoever looks at it. */
import { type HistoryCrossing, type HistoryPoint, pointOf } from "./history.ts";
import type { MetricRow } from "./journal-row.ts";
import type { Merge } from "./merge.ts";
import type { MetricName } from "./metric.ts";
import type { ScopeKind } from "./scope.ts";

/** What a metric row says, in memory as in the journal. */
export type Said = Pick<
  MetricRow,
  "metric" | "scope" | "seq" | "value" | "numerator" | "n" | "window" | "state"
> & {
  readonly crossing: Omit<HistoryCrossing, "gate"> | null;
};

export type Remembered<About = Merge> = { readonly merge: About; readonly said: Said[] };

/** The name of a metric's gate today. */
export type NameOfGate = (metric: MetricName) => string;

/** What a metric said in a scope of the merge; nothing where it was not recorded there. */
export function pointIn(
  { merge, said }: Remembered<Pick<Merge, "eventId" | "mergedAt">>,
  metric: MetricName,
  scope: ScopeKind,
  nameOf: NameOfGate,
): HistoryPoint[] {
  const mine = said.filter((row) => row.metric === metric && row.scope === scope);
  const row = mine.find(({ crossing }) => crossing === null);
  if (row === undefined) return [];
  const crossing = mine.find((one) => one.crossing !== null)?.crossing ?? null;
  return [pointOf(row, merge, crossing === null ? null : { gate: nameOf(metric), ...crossing })];
}
