/** Whether a daemon's memory is what the log gives: counted from the rows, by the naive oracle of the core's tests. */
import { isDeepStrictEqual } from "node:util";
import type { Analyzer } from "../../src/core/analyzer.ts";
import { naiveFigure } from "../core/naive.ts";
import { mergeOf, setsOf } from "./judged-log.ts";
import { payloadOf, type Row } from "./rows.ts";

/** What in a memory differs from the journal it should equal. */
export function differences(analyzer: Analyzer, journal: readonly Row[]): string | null {
  const sets = setsOf(journal);
  const merges = sets.map(({ merge }) => merge);
  const projects = [...new Set(merges.map(({ project }) => project))];
  const skipped = journal.filter((row) => row.kind === "metric.merge_skipped").length;
  if (analyzer.skipped !== skipped) return `${analyzer.skipped} skipped instead of ${skipped}`;
  if ((analyzer.newest?.event_id ?? null) !== (merges.at(-1)?.eventId ?? null)) return "another newest merge";
  if (analyzer.truncated) return "truncated";
  for (const project of [null, ...projects]) {
    const scope = project === null ? analyzer.global : analyzer.projects.get(project);
    const mine = project === null ? merges : merges.filter((one) => one.project === project);
    if (scope?.seq !== mine.length) return `seq of ${project} is ${scope?.seq} instead of ${mine.length}`;
    for (const [index, { name, window, verdicts }] of analyzer.metrics.entries()) {
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
      const gate = scope.gate(name);
      const crossedAt = crossing === undefined ? null : mergeOf(crossing).eventId;
      if (gate.state !== state || (gate.crossed?.event_id ?? null) !== crossedAt)
        return `gate of ${name} of ${project} is ${JSON.stringify(gate)} instead of ${state} since ${crossedAt}`;
    }
  }
  return null;
}

/**
 * In a log that was cut, a memory may know more merges than the log. It may also be behind: whoever has not yet seen a
 * merge that is gone has no reason to look for its record.
 */
export function staleness(analyzer: Analyzer, journal: readonly Row[]): string | null {
  const newest = journal.findLast((row) => payloadOf(row)["scope"] === "global");
  const seq = newest === undefined ? 0 : Number(payloadOf(newest)["seq"]);
  return newest === undefined || analyzer.global.seq <= seq
    ? null
    : `seq is ${analyzer.global.seq}, in the log ${seq}`;
}
