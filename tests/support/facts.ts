/** The rows that `FastReplay` wants, picked from a journal in memory as `src/postgres/facts.ts` picks them by SQL. */
import type { FactsSource, RawFactsRow } from "../../src/core/fast-replay.ts";
import type { RawJournalRow } from "../../src/core/journal-row.ts";
import { asObject, type Json, parseObject } from "../../src/core/json.ts";
import { METRIC_NAMES } from "../../src/core/metric.ts";
import { metricKind } from "../../src/core/metric-event.ts";

export function tellFacts(
  rows: readonly RawJournalRow[],
  source: FactsSource,
  row: (row: RawFactsRow) => void,
  other: (row: RawJournalRow) => void,
): void {
  let first: string | null = null;
  for (const raw of rows) {
    const name = raw.kind.replace(/^metric\./, "");
    const payload = parseObject(raw.payload) ?? {};
    if (name === source.order) {
      if (source.inProjects && payload["scope"] !== "global") continue;
      const facts = factsRow(raw.id, payload);
      if (facts.version !== null && facts.seq !== null) first ??= raw.id;
      row(facts);
    } else if (
      ["threshold_crossed", "merge_skipped", ...source.unrecorded].includes(name) ||
      (source.globalOnly.some((metric) => metric === name) && payload["scope"] !== "global")
    ) {
      other(raw);
    }
  }
  for (const raw of rows) {
    const isMetric = METRIC_NAMES.some((name) => raw.kind === metricKind(name));
    if (first !== null && isMetric && Number(raw.id) < Number(first)) other(raw);
  }
}

function factsRow(id: string, payload: Json): RawFactsRow {
  const merge = asObject(payload["merge"]);
  return {
    id,
    version: text(payload["schema_version"]),
    seq: text(payload["seq"]),
    scope: text(payload["scope"]),
    project: text(merge?.["project"]),
    attempts: text(merge?.["attempts"]),
    lastVerdict: text(merge?.["last_verdict"]),
  };
}

/** As `->>` gives it. */
function text(field: unknown): string | null {
  if (field === undefined || field === null) return null;
  return typeof field === "string" ? field : JSON.stringify(field);
}
